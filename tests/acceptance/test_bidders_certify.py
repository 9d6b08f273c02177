"""The conformance kit finds a planted fault of each kind, and none where there is none."""

import asyncio
import json
import os
import re
import socket
import ssl
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from bidders.certify.basics import encrypted
from bidders.certify.caller import calling
from bidders.certify.certificate import certify
from bidders.certify.check import Verdict
from bidders.certify.found import Amiss
from bidders.certify.session import Session
from bidders.certify.target import Wanted, target_of
from bidders.fleet import BuyerSpec, Fixed, Fleet, PingFault, PostFault
from bidders.fleet.spec import Speaking
from bidders.reference import ReferenceBidder
from bidders.signature import decoded
from bidders.table import load as load_table
from tests.acceptance.faulty_sales import (
    FAULTS,
    CallsRepetitionsDuplicates,
    Foreign,
    ForgetsSales,
    MakesTwoSalesOfOne,
    NamesNoPrice,
    SaysMaybe,
    SaysSeven,
)
from tests.acceptance.honest import SECRET, Honest, served
from tests.acceptance.test_bidders_docs import free_port, opened, shown
from tests.making_intake import geography
from tests.making_presets import SHELF, Preset

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "certify.md").read_text()
PATIENT = {"tmax_ms": 1500, "post_timeout_ms": 1500}


async def certified(url, *, authorities=None, **wanted):
    target = target_of(Wanted(url=url, **{**PATIENT, **wanted}))
    async with calling(target, authorities, geography=geography()) as caller:
        return await certify(caller)


def signed(url, **wanted):
    wanted.setdefault("status_url", f"{url}/status/{{sale.id}}")
    return certified(url, secret=decoded(SECRET), **wanted)


def ids(found, verdict):
    return {result.id for result in found.results if result.verdict is verdict}


def explained(found):
    return [
        (r.id, r.verdict.value, r.said) for r in found.results if r.verdict is not Verdict.PASSED
    ]


def said(found, check):
    return next(result.said for result in found.results if result.id == check)


async def test_an_honest_buyer_is_certified():
    """Every check that can be made passes."""
    async with served(Honest()) as url:
        found = await signed(url)
    assert (found.certified, found.warned, found.failed) == (True, 0, 0), explained(found)
    assert ids(found, Verdict.NOT_TRIED) == {"reach.certificate"}


@pytest.mark.parametrize("buyer", FAULTS, ids=lambda buyer: buyer.__name__)
async def test_a_planted_fault_is_found(buyer):
    """By exactly the checks that are meant, and by no other."""
    async with served(buyer()) as url:
        found = await signed(url)
    assert ids(found, Verdict.FAILED) == buyer.failed, explained(found)
    assert ids(found, Verdict.WARNED) == buyer.warned, explained(found)
    assert found.certified is not bool(buyer.failed)


# Buyers that are right


@asynccontextmanager
async def referring(tmp_path):
    table = tmp_path / "table.toml"
    table.write_text(
        f'secret = "{SECRET}"\nsales_file = "{tmp_path / "sales.jsonl"}"\n'
        '[[row]]\nwhen = { vertical = "auto_insurance" }\nprice = 12.50\n'
    )
    bidder = ReferenceBidder(load_table(table), now=lambda: datetime.now(UTC))
    runner = web.AppRunner(bidder.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_reference_bidder_is_certified(tmp_path):
    """It passes wholly, signed, with a file of its sales."""
    async with referring(tmp_path) as url:
        found = await signed(url)
    assert (found.warned, found.failed) == (0, 0), explained(found)
    assert ids(found, Verdict.NOT_TRIED) == {"reach.certificate"}


@pytest.mark.parametrize(("name", "secret"), [("bidder.py", None), ("by_hand.py", SECRET)])
async def test_what_the_page_for_buyers_shows_is_certified(name, secret, tmp_path):
    """An example that the kit finds a fault in would teach it."""
    async with running(name, tmp_path, secret or "") as url:
        found = await (certified(url) if secret is None else signed(url))
    assert found.certified, explained(found)
    assert ids(found, Verdict.WARNED) <= {"edge.vertical"}, explained(found)


@asynccontextmanager
async def running(name, tmp_path, secret):
    """A program of docs/buyers.md on a port of its own."""
    port = free_port()
    (tmp_path / name).write_text(shown(name).replace("9000", str(port)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, tmp_path / name, env=os.environ | {"BUYER_SECRET": secret},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(opened(port, process), 20)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


def fleet(speaks, **spec):
    usual = {"price": Fixed(12.5), "speaks": Speaking(speaks)}
    if speaks == "standard":
        usual["vertical"] = "auto_insurance"
    return Fleet([BuyerSpec(id="acme", **usual, **spec)], seed=1)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_buyer_of_the_fleet_is_certified(chunked):
    """Also one whose answers come in chunks."""
    async with fleet("standard", secret=SECRET, chunked=chunked) as running:
        found = await signed(f"{running.base_url}/acme")
    assert (found.warned, found.failed) == (0, 0), explained(found)


def preset(name):
    setting = Preset(SHELF / f"{name}.toml").setting
    secrets = {f"BUYER_SECRET_{key.upper()}": text for key, text in setting["secrets"].items()}
    wanted = {"vertical": setting["vertical"], "params": setting["params"], "named": secrets}
    return {"mapping": name, **wanted}


@pytest.mark.parametrize(
    ("speaks", "mapping"),
    [
        ("phonexa", "phonexa-like"),
        ("boberdoo", "boberdoo-like"),
        ("leadexec", "leadexec-like"),
        ("crm", "crm-rest"),
    ],
)
async def test_a_foreign_speaker_is_certified_through_its_mapping(speaks, mapping):
    """Whatever can be tried passes; the lead arrives in the buyer's own words."""
    async with fleet(speaks) as running:
        found = await certified(f"{running.base_url}/acme", **preset(mapping))
        assert running.books["acme"].accepted()
    assert (found.warned, found.failed) == (0, 0), explained(found)
    assert found.format == mapping
    assert {"post.readable", "post.accepts", "post.slow"} <= ids(found, Verdict.PASSED)
    if running.books["acme"].bids:
        assert {"ping.readable", "ping.bids", "ping.time", "line.kept"} <= ids(
            found, Verdict.PASSED
        )


async def test_a_fleets_faults_are_found():
    """Each that a ping can have, by some check; the fleet knows what it planted."""
    for fault in PingFault:
        async with fleet("standard", ping_faults={fault: 1.0}, slow_ms=2000) as running:
            found = await certified(f"{running.base_url}/acme", post=False, tmax_ms=200)
        assert not found.certified, fault
    for fault in (PostFault.GARBAGE, PostFault.NEVER, PostFault.HTTP_500, PostFault.REDIRECT):
        async with fleet("standard", post_faults={fault: 1.0}) as running:
            found = await certified(f"{running.base_url}/acme", post_timeout_ms=300)
        assert not found.certified, fault


# By a mapping


@pytest.mark.parametrize(
    ("buyer", "failed"),
    [
        (Foreign, set()),
        (SaysMaybe, {"ping.readable"}),
        (SaysSeven, {"post.readable"}),
        (NamesNoPrice, {"ping.price"}),
        (ForgetsSales, {"post.twice", "post.together"}),
    ],
)
async def test_what_a_mapping_does_not_know_is_found(buyer, failed, tmp_path):
    """Words that it does not name, and its claim that a repeated post is known again."""
    path = tmp_path / "claims.toml"
    text = (SHELF / "phonexa-like.toml").read_text()
    path.write_text(text.replace('id = "phonexa-like"', 'id = "claims"\nidempotent = true', 1))
    async with served(buyer()) as url:
        found = await certified(url, **{**preset("phonexa-like"), "mapping": str(path)})
    assert ids(found, Verdict.FAILED) == failed, explained(found)


# How it is reached


async def test_a_closed_port_is_told_and_nothing_else_is_tried():
    """One mistake is one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = await certified(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert ids(found, Verdict.FAILED) == {"reach.connect"}
    assert (found.passed, found.warned) == (0, 0)
    assert "nothing listens" in said(found, "reach.connect")


async def test_an_unknown_name_is_told():
    """`.invalid` is nobody's."""
    found = await certified("http://bids.invalid")
    assert "the name has no address" in said(found, "reach.connect")


@asynccontextmanager
async def secured(*, name="127.0.0.1", days=90):
    authority = trustme.CA()
    now = datetime.now(UTC)
    leaf = authority.issue_cert(name, not_before=now, not_after=now + timedelta(days=days))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    with authority.cert_pem.tempfile() as trusted:
        async with served(Honest(), ssl=context) as url:
            yield url, trusted


async def test_an_encrypted_endpoint_is_certified():
    """With its certificate looked at, and every check on a connection made through TLS."""
    async with secured() as (url, trusted):
        found = await signed(url, authorities=trusted)
    assert (found.warned, found.failed, found.not_tried) == (0, 0, 0), explained(found)
    assert said(found, "reach.certificate") == "89 days left"


@pytest.mark.parametrize(
    ("how", "trust", "check"),
    [
        ({"days": 10}, True, "reach.certificate"),
        ({"name": "another.example"}, True, "reach.connect"),
        ({}, False, "reach.connect"),
    ],
    ids=["ends soon", "another name", "not trusted"],
)
async def test_a_bad_certificate_is_found(how, trust, check):
    """Before its last day, and before anything was sent to who cannot prove its name."""
    async with secured(**how) as (url, trusted):
        found = await signed(url, authorities=trusted if trust else None)
    assert ids(found, Verdict.FAILED) | ids(found, Verdict.WARNED) == {check}, explained(found)


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://bids.example", True),
        ("http://203.0.113.9:8080", True),
        ("https://bids.example", False),
        ("http://127.0.0.1:9000", False),
        ("http://[::1]:9000", False),
        ("http://localhost:9000", False),
    ],
)
async def test_a_record_in_the_clear_is_told_of(url, clear):
    """What stays on this machine is in nobody's network."""
    target = target_of(Wanted(url=url))
    async with calling(target, geography=geography()) as caller:
        found = await encrypted(Session(caller))
    assert isinstance(found, Amiss) is clear


# What is sent, and what is not


class Listening(Honest):
    """Keeps all that it hears."""

    def __init__(self):
        super().__init__()
        self.heard = []

    async def answer(self, request):
        self.heard.append(request)
        return await super().answer(request)


async def test_pings_name_nobody_and_everything_is_a_test():
    """But for the one ping that asks whether tests are bid for; here they were."""
    buyer = Listening()
    async with served(buyer) as url:
        await signed(url, status_url=None)
    whole = [request.body for request in buyer.heard if request.body != b'{"ping_id":']
    assert len(whole) > 100
    for request in buyer.heard:
        if request.path == "/ping":
            assert not re.search(rb"Lovelace|Congress|lovelace|555-?01|birth_date", request.body)
    assert all(json.loads(body)["test"] is True for body in whole)


async def test_without_posts_nothing_is_posted():
    """For a buyer in production."""
    buyer = Listening()
    async with served(buyer) as url:
        found = await signed(url, post=False)
    assert {request.path for request in buyer.heard} == {"/ping"}
    assert found.certified
    assert found.post_url is None


async def test_a_lead_of_ones_own_is_asked_about(tmp_path):
    """As a seller would send it; its identity is in no exhibit."""
    lead = {
        "first_name": "Grace", "last_name": "Hopperfield", "phone": "(512) 555-0177",
        "email": "grace.hopperfield@example.com", "zip": "78701", "birth_date": "1980-05-06",
        "currently_insured": False, "vehicle_make": "Saab",
    }  # fmt: skip
    path = tmp_path / "lead.json"
    path.write_text(json.dumps(lead))
    buyer = Listening()
    async with served(MakesTwoSalesOfOne()) as url:
        found = await signed(url, lead=path)
    shown = "".join(e.request + (e.answer or "") for r in found.results for e in r.exhibits)
    assert "POST http" in shown
    assert not re.search("Hopperfield|5125550177|1980-05-06", shown)
    async with served(buyer) as url:
        await signed(url, lead=path)
    posts = [json.loads(r.body) for r in buyer.heard if r.path == "/post" and b"test" in r.body]
    assert {post["lead"]["last_name"] for post in posts} <= {
        "Hopperfield",
        "Zoë-Ann",
        "O'Neil & Søns",
    }


# The command


async def command(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BUYER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", "certify", *map(str, arguments), cwd=ROOT,
        env=clean | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command_writes_text_page_and_json(tmp_path):
    """Text for people on standard error, one line of JSON, one page; its status tells scripts."""
    page = tmp_path / "certificate.html"
    async with served(CallsRepetitionsDuplicates()) as url:
        status, out, err = await command(
            url, "--html", page, "--json", "--tmax-ms", 1500, BUYER_SECRET=SECRET
        )
    found = json.loads(out)
    assert status == 1
    assert found["certified"] is False
    failed = {r["id"] for r in found["results"] if r["verdict"] == "failed"}
    assert failed == {"post.twice", "post.together"}
    assert "FAIL post.twice" in err
    assert "mend:  Keep each key" in err
    assert "NOT certified" in err
    shown = page.read_text()
    assert '<article class="failed" id="post.twice">' in shown
    assert "Idempotency-Key" in shown
    assert SECRET not in out + err + shown


async def test_the_command_says_what_cannot_begin():
    """Status 2, one line, and no secret in it."""
    status, _, err = await command()
    assert (status, err) == (
        2,
        "bidders: there is nothing to call: name a URL, --ping-url or --post-url\n",
    )
    status, _, err = await command("http://127.0.0.1:1", BUYER_SECRET="geheimnis")
    assert status == 2
    assert "geheim" not in err


async def test_the_first_steps_of_the_page_certify(tmp_path):
    """A bidder by table, then the command, as docs/certify.md shows them."""
    block = re.search(r"```sh\n(echo .*?)```", PAGE, re.DOTALL)[1]
    table, reference, certify_line = block.strip().splitlines()
    assert reference == ".venv/bin/python -m bidders reference --config table.toml --port 9000 &"
    assert certify_line == ".venv/bin/python -m bidders certify http://127.0.0.1:9000"
    (tmp_path / "table.toml").write_text(re.search("'(.*)'", table)[1])
    bidder = ReferenceBidder(load_table(tmp_path / "table.toml"), now=lambda: datetime.now(UTC))
    runner = web.AppRunner(bidder.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        status, _, err = await command(url, "--tmax-ms", 1500)
    finally:
        await runner.cleanup()
    assert status == 0, err
    assert re.search(r"^certified: \d+ passed, 1 warned, 0 failed, 9 not tried$", err, re.MULTILINE)
    assert err.splitlines()[-1] in PAGE
