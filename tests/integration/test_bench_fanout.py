"""The benchmark of a ping works, with either server, and tells all that it promises."""

import argparse
import os
import shutil

import msgspec
import pytest
import uvloop

from bench.answering import answering
from bench.clients import Load, by_aiohttp, by_wire, by_wrk
from bench.fanout import Fanout, add_arguments, run, table

CORE = min(os.sched_getaffinity(0))
PROMISED = {
    *("ping_cpu_us", "c_cpu_us", "ratio", "aiohttp_cpu_us"),
    *("tls_ping_cpu_us", "tls_c_cpu_us", "tls_ratio"),
    *("signed_cpu_us", "signed_ratio", "tls_signed_cpu_us", "tls_signed_ratio"),
}


@pytest.fixture
def without_nginx(monkeypatch):
    """No nginx on the path, so that ours answers."""
    found = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, path=None: None if name == "nginx" else found(name, path=path)
    )


@pytest.mark.usefixtures("without_nginx")
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("client", [by_wire, by_aiohttp])
def test_every_ping_has_a_bid(client, secured, signed):
    """Also without nginx: the fleet's connection answers each, plain and encrypted."""
    load = Load(8, 4, 0.05, secured, signed, CORE)
    with answering(CORE) as server:
        assert server.name == "the fleet's connection"
        used = uvloop.run(client(server, load))
        assert server.answered() >= used.pings
    assert used.unanswered == 0
    assert used.pings >= 8
    assert used.ping_us > 0


needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@needs_wrk
@pytest.mark.usefixtures("without_nginx")
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_wrk_is_measured_against_what_the_server_counts(tmp_path, secured):
    """Its start and its handshakes are no part of the figure."""
    with answering(CORE) as server:
        used = by_wrk(server, Load(4, 2, 0.2, secured, True, CORE), tmp_path)
    assert used.pings > 0
    assert used.cpu_s > 0


@needs_wrk
def test_the_report_is_complete():
    """One object with every figure, and a table of them for people."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args(["--rounds", "1", "--seconds", "0.05", "--connections", "100"])
    before = os.sched_getaffinity(0)
    found = run(options)
    assert os.sched_getaffinity(0) == before
    told = msgspec.json.decode(msgspec.json.encode(found))
    assert told.keys() >= PROMISED
    assert all(told[name] > 0 for name in PROMISED)
    assert isinstance(found, Fanout)
    assert found.server in table(found)
