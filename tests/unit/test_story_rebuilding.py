"""A worker says that it holds under a new epoch once what it began under the old one is written."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from exchange.ledger.errors import LedgerUnavailable
from exchange.story.rebuilding import Rebuilding
from exchange.story.recounting import Terms

SERVER = "run replication"


class Stores:
    """Market state that is whole under epoch 2, books that say so, and a market of one seller."""

    server, generation = SERVER, 1

    def __init__(self):
        self.acknowledged = []
        self.go_on = asyncio.Event()
        self.fails = False
        self.market = SimpleNamespace(
            epoch="", whole_in="", doubted=set(), stale=asyncio.Event(), read_rooms=self.nothing
        )
        snapshot = SimpleNamespace(buyers={}, sellers={}, campaigns={}, verticals={"auto": None})
        terms = Terms(
            worker_id="w1", once_s=60, claim_secret=b"", now_us=lambda: 0, entropy=bytes,
        )  # fmt: skip
        self.rebuilding = Rebuilding(
            self.market, self, self.books, lambda: snapshot, terms, written=self.written
        )

    async def nothing(self):
        return

    async def written(self):
        if self.fails:
            raise LedgerUnavailable
        await self.go_on.wait()

    @asynccontextmanager
    async def books(self):
        yield SimpleNamespace(epoch=self.of_books, acknowledge=self.acknowledge)

    async def of_books(self):
        return 2, SERVER

    async def acknowledge(self, worker_id, number):
        self.acknowledged.append((worker_id, number))

    async def epoch(self):
        return "2"

    async def epochs(self, tags):
        return ["2"] * len(tags)


async def turns(number=20):
    for _ in range(number):
        await asyncio.sleep(0)


async def test_it_says_so_only_when_what_began_before_is_written():
    """From the first moment nothing is asked for under the old one any more."""
    stores = Stores()
    ensuring = asyncio.create_task(stores.rebuilding.ensure())
    await turns()
    assert stores.market.epoch == "2"
    assert not stores.acknowledged
    assert not stores.rebuilding.is_whole
    stores.go_on.set()
    assert not await ensuring
    assert stores.acknowledged == [("w1", 2)]
    assert stores.rebuilding.is_whole


async def test_what_could_not_be_said_is_said_at_the_next_look():
    """Else whoever builds would wait for this worker, and take it for one that hangs."""
    stores = Stores()
    stores.fails = True
    with pytest.raises(LedgerUnavailable):
        await stores.rebuilding.ensure()
    assert not stores.acknowledged
    stores.fails = False
    stores.go_on.set()
    await stores.rebuilding.ensure()
    assert stores.acknowledged == [("w1", 2)]


async def test_it_says_so_once():
    """An epoch that is known is looked at, and asked for no more."""
    stores = Stores()
    stores.go_on.set()
    for _ in range(3):
        assert not await stores.rebuilding.ensure()
    assert stores.acknowledged == [("w1", 2)]


class OldAcquaintance(Stores):
    """A worker that stood still while the server was restarted: it knows the one before it."""

    server = "another run"

    async def epoch(self):
        self.server = SERVER
        return "2"


async def test_a_server_is_known_by_its_last_answer_and_not_by_an_old_one():
    """Else a market that is whole would be built anew, for nothing."""
    stores = OldAcquaintance()
    stores.go_on.set()
    assert not await stores.rebuilding.ensure()
    assert stores.rebuilding.is_whole


class Lost(Stores):
    """Market state that one worker finds lost, while another one sees nothing wrong with it."""

    def __init__(self):
        super().__init__()
        self.said = ""
        self.done = []
        self.asked_whether_behind = asyncio.Event()

    @asynccontextmanager
    async def books(self):
        yield SimpleNamespace(
            epoch=self.of_books, acknowledge=self.acknowledge, try_turn=self.try_turn,
            end_turn=self.nothing, begin_epoch=self.begin_epoch, behind=self.behind,
        )  # fmt: skip

    async def epoch(self):
        return self.said

    async def try_turn(self):
        return True

    async def begin_epoch(self):
        self.done.append("begun")
        return 3

    async def shut_all(self, name):
        assert name
        self.done.append("announced")

    async def behind(self, number, *, and_dead):
        assert (number, and_dead) == (3, True)
        self.asked_whether_behind.set()
        return ["w2"]


async def test_a_new_epoch_is_announced_before_anybody_is_waited_for():
    """Who finds market state as it was asks no books, and would keep the builder for ever."""
    stores = Lost()
    stores.go_on.set()
    ensuring = asyncio.create_task(stores.rebuilding.ensure())
    await stores.asked_whether_behind.wait()
    assert stores.done == ["begun", "announced"]
    ensuring.cancel()


class Doubted(Stores):
    """A seller of whom something may be missing, whom another worker may be counting just now."""

    def __init__(self):
        super().__init__()
        self.go_on.set()
        self.is_free = True
        self.done = []
        self.counts = True
        self.meanwhile = set()
        self.rebuilding.parts.restore_buyers = self.restore

    @asynccontextmanager
    async def books(self):
        yield SimpleNamespace(
            epoch=self.of_books, acknowledge=self.acknowledge, try_turn=self.try_turn,
            end_turn=self.end_turn,
        )  # fmt: skip

    async def try_turn(self):
        return self.is_free

    async def end_turn(self):
        self.done.append("ended")

    async def restore(self, _recount, _snapshot, holders):
        self.done.append(holders)
        self.market.doubted |= self.meanwhile
        return self.counts


@pytest.fixture
async def doubted(monkeypatch):
    """One that is whole, and doubts somebody."""
    monkeypatch.setattr("exchange.story.rebuilding.limited", lambda _: {"seller"})
    stores = Doubted()
    assert not await stores.rebuilding.ensure()
    stores.market.doubted.add("seller")
    return stores


async def test_one_worker_at_a_time_counts_somebody_anew(doubted):
    """Two that close the same one undo each other's work, for as long as both go on."""
    doubted.is_free = False
    assert not await doubted.rebuilding.ensure()
    assert (doubted.done, doubted.market.doubted) == ([], {"seller"})
    doubted.is_free = True
    assert not await doubted.rebuilding.ensure()
    assert doubted.done == [["seller"], "ended"]


@pytest.mark.parametrize(
    ("counts", "meanwhile", "left"),
    [
        (True, set(), set()),
        (True, {"seller"}, {"seller"}),
        (False, set(), {"seller"}),
    ],
)
async def test_who_is_doubted_while_it_is_counted_stays_so(doubted, counts, meanwhile, left):
    """What came to be after the books were read is in no count; what was not done is done again."""
    doubted.counts, doubted.meanwhile = counts, meanwhile
    assert not await doubted.rebuilding.ensure()
    assert doubted.market.doubted == left
