"""The simulated Valkey passes the tests of the real one, and says the same, byte by byte."""

import asyncio
from random import Random

import pytest

from exchange.market import function
from exchange.market.errors import MarketStale
from exchange.market.link import Link
from exchange.market.market import Market
from tests.integration.market import (
    test_market_claims,
    test_market_holds,
    test_market_law,
    test_market_once,
    test_market_rooms,
)
from tests.integration.market.conftest import PATIENT_S, TERMS, Clock
from tests.making import NOW_US
from tests.simulation.contracts import contracts, keep
from tests.simulation.loop import Process, World, run
from tests.simulation.valkey import Valkey

FIXTURES = {"market", "other", "clock", "link", "open_market", "market_url"}
WITHOUT = {
    "test_no_program_of_calls_passes_a_limit_or_falls_below_zero": "it runs an event loop itself",
}
MODULES = [
    test_market_claims, test_market_holds, test_market_law, test_market_once, test_market_rooms,
]  # fmt: skip
CASES = list(contracts(MODULES, FIXTURES, WITHOUT))


class Stores:
    """Fixtures of the real market's tests, simulated."""

    def __init__(self, process: Process) -> None:
        world = process.world
        delays = Random(1)
        world.places["/valkey"] = Valkey(
            world, lambda: NOW_US + int(world.now * 1e6), lambda: delays.random() / 1000
        )
        self._clock = Clock()

    def __call__(self, name):
        return getattr(self, name)()

    def clock(self):
        return self._clock

    def market_url(self):
        return "unix:///valkey?db=0"

    async def link(self):
        return await Link(self.market_url(), timeout_s=PATIENT_S).__aenter__()

    async def _open(self, url, worker="w1", timeout_s=PATIENT_S):
        link = await Link(url, timeout_s=timeout_s).__aenter__()
        return await Market(link, worker=worker, clock=self._clock, terms=TERMS).__aenter__()

    def open_market(self):
        return self._open

    def market(self):
        return self._open(self.market_url(), "w1")

    def other(self):
        return self._open(self.market_url(), "w2")


@pytest.mark.parametrize(("test", "case"), CASES)
def test_the_simulated_market_keeps_the_contract_of_the_real_one(test, case):
    """What the test says of the real Valkey holds of the simulated one."""
    keep(test, case, Stores)


def test_most_of_the_contract_is_asked():
    """A test that was renamed, or took another fixture, does not fall out unseen."""
    assert len(CASES) >= 45


KEYS = {
    function.CLAIM: "kk", function.LOOK_UP: "kk", function.KEEP_CLAIM: "kk",
    function.UNCLAIM: "kk", function.HOLD: "chlex", function.SETTLE: "chlex",
    function.RELEASE: "chlex", function.EXTEND: "hl", function.LAPSED: "hl",
    function.GIVE_BACK: "chex", function.COUNTERS: "c", function.HOLDS: "h",
    function.PRUNE: "c", function.ENROL: "b", function.ENROLLED: "b",
    function.REMEMBER: "p", function.BOUGHT_BY: "p",
    function.QUOTED: "q", function.KEEP_QUOTE: "q",
    function.BEGIN: "ox",
    function.AWAIT: "o", function.FINISH: "o", function.FORGET: "o",
    function.EPOCH: "x", function.SHUT: "x", function.OPEN: "x", function.CLOSE: "chx",
    function.STANDING: "ch",
    function.TURN: "tu", function.RATE: "rs",
    function.RESTORE: "chlxe", function.HOLDERS: "kk", function.OWNER: "o", function.RECALL: "o",
}  # fmt: skip
"""Which keys each function takes, by a letter for each kind."""


def a_program(chance: Random, calls: int):
    """Return calls of all functions, with keys and arguments that meet each other often."""

    def line():
        counter = chance.choice(("a|leads|day|0", "b|spend|total|0", "c|concurrent|now|0"))
        return counter, chance.randrange(9), chance.randrange(25), chance.choice("nmc")

    def arguments(called):
        sale, lead = f"s{chance.randrange(12)}", f"l{chance.randrange(5)}"
        lines = [part for _ in range(chance.randrange(4)) for part in line()]
        who = chance.choice(("w1", "w1/2"))
        pairs = [part for _ in range(chance.randrange(4)) for part in line()[:2]]
        return {
            "claim": (lead, 60_000), "look_up": (lead,),
            "keep_claim": (lead, 90_000, chance.choice(("", "all"))),
            "unclaim": (lead,), "hold": (sale, lead, who, chance.randrange(100), "", *lines),
            "settle": (sale, chance.choice(("", 0, 3)), 60_000),
            "release": (sale, 60_000, chance.choice(("", who))),
            "extend": (sale, chance.randrange(200)), "lapsed": (chance.randrange(150), 3),
            "give_back": (sale, 60_000, *pairs), "prune": (line()[0], line()[0]),
            "enrol": (lead,), "remember": (lead, chance.randrange(100), 50),
            "bought_by": (chance.randrange(100),),
            "keep_quote": (lead, 9000),
            "begin": (chance.choice("xy"), lead, "w1", 9000, ""),
            "finish": (lead, chance.choice(("", "done")), "once"), "forget": (lead, "once"),
            "shut": (chance.choice(("closed:n", "closed:o")), chance.choice(("", 90_000))),
            "open": (chance.choice(("closed:n", "closed:o")), chance.choice("12")),
            "close": ("closed:n", chance.choice(("", 90_000))),
            "restore": (
                "closed:n", "1", 1, 1, line()[0], chance.randrange(9), f"s{chance.randrange(12)}",
                sale, f"{lead}\nw1\n7\na|leads|day|0\n2\nn", chance.randrange(100),
            ),
            "turn": (
                chance.choice("012"), chance.choice("aw"), chance.choice(("", "x")), "",
                90_000, 90_000, "x", chance.randint(1, 3), "y", 2, "z", 1,
            ),
            "rate": (chance.randrange(150) * 10**6, 2, 40 * 10**6, 1, 9 * 10**6),
            "recall": (
                lead, "w1", 9000, chance.choice(("", "done")), chance.choice(("", "all")),
            ),
        }.get(called.name, ())  # fmt: skip

    for _ in range(calls):
        called = chance.choice(function.FUNCTIONS)
        buyer, sale = chance.randrange(2), chance.randrange(12)
        keys = [
            {"e": f"e{buyer}:{sale}", "k": f"k{chance.randrange(4)}"}.get(kind, f"{kind}{buyer}")
            for kind in KEYS[called]
        ]
        given = arguments(called)
        if "e" in KEYS[called]:
            at = 7 if called is function.RESTORE else 0
            given = (*given[:at], f"s{sale}", *given[at + 1 :])
            if called is function.HOLD and chance.randrange(2):
                given = (given[0], given[0], *given[2:])  # a lead's own place
        yield called, keys, given


async def said(url: str, seed: int):
    """Return what a market at this URL replies to the program of a seed."""
    replies = []
    async with Link(url, timeout_s=PATIENT_S) as link:
        for called, keys, given in a_program(Random(seed), 400):
            try:
                reply = await link.call(called, keys, given)
            except MarketStale:
                reply = "stale"
            # What comes from a hash or a set has no order of its own.
            if called.name in {"counters", "holds"}:
                reply = sorted(zip(reply[::2], reply[1::2], strict=True))
            elif called.name == "enrolled":
                reply = sorted(reply)
            elif called.name in {"standing", "close"}:
                reply = [sorted(zip(of[::2], of[1::2], strict=True)) for of in reply]
            replies.append((called.name, keys, given, reply))
    return replies


@pytest.mark.parametrize("seed", range(4))
def test_real_and_simulated_market_say_the_same(market_url, seed):
    """Whatever is called in whatever order, every reply is alike: the .lua files are the same."""
    real = asyncio.run(said(market_url, seed))
    process = Process(World(seed), "test")
    Stores(process)
    assert run(process, said("unix:///valkey?db=0", seed)) == real


def test_every_function_is_in_the_program():
    """A function that is added is compared, too."""
    assert KEYS.keys() == set(function.FUNCTIONS)
