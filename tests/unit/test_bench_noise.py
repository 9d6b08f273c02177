"""Every benchmark says how far its rounds lie apart, so that a comparison can tell noise."""

import argparse

import msgspec
import pytest

from bench import deadline, eligibility, fanout, overload, soak
from bench.comparing import changes, figures
from bench.load import Counted, Loaded

NO_LOAD = Loaded(
    sent=0, answered=0, statuses={}, errors={}, shed=0, latency={}, shed_latency={}, late={},
    own={}, buyers={}, unposted={}, windows=(), connections=0, cpu_s=0.0, seconds=1.0,
)  # fmt: skip


def known(found):
    """The figures of a result, and those of them whose spread it says."""
    told = msgspec.to_builtins(found)
    names = {name for name, _ in figures(told)}
    assert told["spread"].keys() <= names, "a spread is that of a figure"
    return told, told["spread"]


def test_fanout_knows_the_noise_of_every_figure():
    """CPU and ratios, of other clients too; ratios are of pairs in the same round."""
    names = [*fanout.OWN, "aiohttp", "tls_aiohttp", "httpx", "tls_httpx"]
    found = {name: [10.0 + at, 20.0 + 2 * at] for at, name in enumerate(names)}
    options = argparse.Namespace(rounds=2, connections=200)
    told, spread = known(fanout.report("nginx", options, found))
    assert {name for name, _ in figures(told)} - spread.keys() == {"rounds", "connections"}
    assert (spread["ping_cpu_us"], spread["ratio"], told["ratio"]) == (5.5, 0.0, 1.1)


def test_eligibility_knows_the_noise_of_what_it_measures_in_rounds(monkeypatch):
    """Of CPU time; what is the same every time has none."""
    monkeypatch.setattr(eligibility, "WARM_LEADS", 2)
    options = argparse.Namespace(offers=[5, 10], leads=3, rounds=2)
    _, spread = known(eligibility.run(options))
    assert spread.keys() == {
        f"sizes[{i}].{name}_{unit}"
        for i in (0, 1)
        for name, unit in (("cpu", "us"), ("compile", "ms"))
    }


def level(load, sold, errors=0):
    return overload.Level(
        load=load, offered=100.0, sold=sold, of_peak=sold / 100, shed=5.0, shed_p50_ms=1.0,
        shed_p99_ms=sold / 10, p50_ms=10.0, p99_ms=20.0, late_p99_ms=1.0, errors=errors,
        exchange_busy=0.9, other_busy=0.9,
    )  # fmt: skip


def test_overload_knows_the_noise_of_its_peak_and_of_every_level():
    """Medians of rounds, errors of all; the whole's figures have the noise of twice the peak."""
    options = argparse.Namespace(buyers=2, workers=1, rounds=3, signed=False)
    rounds = {
        load: [level(load, 80.0), level(load, 90.0, 1), level(load, 95.0, 2)] for load in (1.0, 2.0)
    }
    told, spread = known(overload.report(options, [100.0, 110.0, 104.0], rounds))
    assert (told["peak"], spread["peak"], told["errors"]) == (104.0, 5.0, 6)
    assert (told["goodput"], spread["goodput"]) == (0.9, 0.075)
    assert spread["levels[1].sold"] == 7.5
    assert spread["shed_p99_ms"] == spread["levels[1].shed_p99_ms"] == 0.75


def test_deadline_knows_the_noise_of_lateness_and_of_shares():
    """A figure is that of all rounds together, its noise that of single rounds."""
    options = argparse.Namespace(
        deadline_ms=10, rate=10.0, seconds=1.0, rounds=2, buyers=3, signed=False
    )

    def half(*won):
        return deadline.Half(
            tuple(
                deadline.Round(
                    msgspec.structs.replace(NO_LOAD, sent=10, unposted={100 * times: 10}),
                    {"a": times, "b": 1},
                    {"slow": 2},
                )
                for times in won
            )
        )

    told, spread = known(deadline.report(options, half(4, 4), half(4, 8)))
    assert (told["sent"], told["faults"]) == (20, {"slow": 4})
    assert (told["shares"]["a"], spread["shares.a"], spread["shares.b"]) == (0.6, 0.2, 0.0)
    assert spread["shares_alone.a"] == 0.0
    assert spread["late_p50_ms"] > 0
    assert told["late_longest_ms"] == told["late_p999_ms"] < 0


def sample(at_s, memory_mib, cpu_s):
    return soak.Sample(
        at_s=at_s, memory_mib=memory_mib, cpu_s=cpu_s, files=9, tasks=0.0, in_flight=0.0,
        holds=0.0, in_doubt=0.0,
    )  # fmt: skip


def test_soak_takes_parts_of_its_one_run_for_rounds():
    """Minutes for latencies and CPU, thirds for slopes, later looks for memory."""
    samples = [sample(20.0 * n, 100.0 + n % 2, 0.02 * n) for n in range(13)]
    windows = [Counted(60.0 * n, {1: 100 * (n + 1)}) for n in range(4)]
    minutes = [soak.Minute(answered=1, p50_ms=1.0, p99_ms=10.0 + n, p999_ms=30.0) for n in range(4)]
    each = soak.apart(samples, minutes, windows)
    assert each["cpu_us_per_auction"] == pytest.approx([600.0, 300.0, 200.0])
    assert each["p99_ms_last"] == [11.0, 12.0, 13.0]
    assert len(each["slope_mib_per_hour"]) == 3
    assert set(each["memory_mib_most"]) == {100.0, 101.0}
    assert each.keys() <= {*soak.Soak.__struct_fields__}


def test_courses_of_a_run_are_not_compared():
    """Steps of a search, looks and minutes of a soak: what stands at one place is chance."""
    told = {"p50": 1.0, "steps": [{"rate": 1}], "samples": [{"at_s": 1}], "by_minute": [{"a": 1}]}
    assert [(one.name, one.verdict) for one in changes(told, told)] == [("p50", "same")]
