"""The simulated books pass the tests of the real ledger and of the leases in it."""

import asyncio
import uuid
from random import Random

import pytest

from exchange.ledger.worker import Leases
from tests.integration.test_ledger import (
    test_archive,
    test_commit,
    test_leases,
    test_outages,
    test_recount,
)
from tests.integration.test_ledger.conftest import NOW_US, Story
from tests.simulation.books import Books
from tests.simulation.connections import OpenVault, SimulatedConnections
from tests.simulation.contracts import contracts, keep
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.loop import Process
from tests.simulation.recount import recounting
from tests.simulation.server import Server

FIXTURES = {
    "ledger", "story", "make_ledger", "make_leases", "make_connections", "vault", "dead", "sold",
    "wire", "books",
}  # fmt: skip
WITHOUT = {
    "test_a_bad_row_does_not_fail_its_neighbours": "what a column cannot hold is PostgreSQL's",
    "test_a_refusal_quotes_no_value": "the same",
    "test_half_a_surrogate_pair_in_an_event_is_refused_before_any_flush": "the same",
    "test_nuls_are_stripped_from_every_text": "the same",
    "test_an_entry_without_an_amount_is_refused": "the same",
    "test_rejections_share_the_flushes_and_are_listed_newest_first": "no story rejects",
    "test_a_rejection_that_cannot_be_held_fails_alone": "the same",
    "test_a_capture_is_read_back_until_its_time_is_over": "nothing is captured for long",
    "test_a_lead_that_is_being_sold_is_not_erased": "nobody is erased",
    "test_another_master_key_is_named_as_the_cause": "nothing is sealed",
    "test_leads_are_counted_by_what_became_of_them": "a report's",
    "test_what_is_merged_is_no_lead_among_leads": "the same",
    "test_idle_connections_that_break_are_replaced_unnoticed": "it asks with a report",
    "test_a_ledger_that_cannot_begin_says_so": "a start's",
}
MODULES = [test_commit, test_archive, test_leases, test_outages, test_recount]
CASES = list(contracts(MODULES, FIXTURES, WITHOUT))


class Wire:
    """What stands between a ledger and its server in the real tests: here a server of its own."""

    dsn = "wire"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.swallowed = asyncio.Event()
        self.silence, self.speak, self.cut = server.silence, server.go_on, server.cut_all

    async def open(self):
        self.server.come_up()

    async def close(self):
        self.server.go_down()

    @property
    def swallows(self):
        return self.server.swallows

    @swallows.setter
    def swallows(self, swallows):
        self.server.swallows = swallows
        self.swallowed.set()


class Simulated:
    """Fixtures of the real ledger's tests, simulated."""

    def __init__(self, process: Process) -> None:
        world, delays = process.world, Random(1)

        def delay_s():
            return delays.random() / 1000

        def server():
            return Server(world, self._books, delay_s)

        self._books = Books(lambda: NOW_US + int(world.now * 1e6), lambda *_: None)
        self.process = process
        self.servers = {"": server(), "wire": server()}
        self.servers["wire"].locks = self.servers[""].locks
        self.servers["wire"].kept = self.servers[""].kept
        self._ledger = None

    def __call__(self, name):
        return getattr(self, name)()

    def story(self):
        return Story()

    def vault(self):
        return OpenVault()

    def wire(self):
        return Wire(self.servers["wire"])

    def books(self):
        return recounting(SimulatedConnections(self.process, self.servers[""]))

    def make_connections(self):
        async def make(dsn="", limits=None):
            return SimulatedConnections(self.process, self.servers[dsn], limits)

        return make

    def make_leases(self):
        async def make(*, lease_s=60.0, register=True):
            connections = SimulatedConnections(self.process, self.servers[""])
            leases = Leases(
                connections, str(uuid.uuid4()), OpenVault(), lambda: NOW_US, lease_s=lease_s,
                monotonic=self.process.time,
            )  # fmt: skip
            if register:
                await leases.register("1", ["127.0.0.1:8080"])
            return leases

        return make

    def make_ledger(self):
        async def make(dsn="", limits=None, leases=None):
            leases = leases or await self.make_leases()()
            return SimulatedLedger(
                self.process, self.servers[dsn], leases.worker_id, limits, leases.unheard
            )

        return make

    async def ledger(self):
        if self._ledger is None:
            self._ledger = await self.make_ledger()()
        return self._ledger

    async def dead(self):
        test = inner(test_leases.dead)
        return await test(self.make_leases(), self.make_ledger(), Story())

    async def sold(self):
        return await inner(test_archive.sold)(await self.ledger(), Story())


def inner(fixture):
    """Return the function that a fixture was made of."""
    return fixture._get_wrapped_function()


@pytest.mark.parametrize(("test", "case"), CASES)
def test_the_simulated_ledger_keeps_the_contract_of_the_real_one(test, case):
    """What the test says of PostgreSQL holds of the simulated books."""
    keep(test, case, Simulated)


def test_most_of_the_contract_is_asked():
    """A test that was renamed, or took another fixture, does not fall out unseen."""
    assert len(CASES) >= 25
