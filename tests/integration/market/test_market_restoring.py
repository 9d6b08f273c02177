"""Market state put right: nothing is opened that was emptied, nothing old hides the books."""

import pytest

from exchange.domain.ids import LeadId
from exchange.market.errors import MarketStale
from exchange.market.once import Done, New, OnceKey
from exchange.market.restoring import Asked, Kept, Restoring
from tests.integration.market.making import a_claim, a_function, time_left_ms

FLUSH = a_function("flush", "return redis.call('FLUSHDB')")
TAGS = ["campaign:auto-us", "seller:fastquotes"]
KEY = OnceKey("seller:fastquotes", b"\x01" * 16)


@pytest.fixture
def state(link):
    return Restoring(link, lease_s=30)


async def test_what_was_shut_is_opened_by_its_name_alone(state, link):
    """Once, and again where the answer was lost; not by another name, nor for another server."""
    await state.shut(TAGS, "mine")
    assert not await state.open(TAGS, "yours", "1", link.server)
    assert not await state.open(TAGS, "mine", "1", "another server")
    assert await state.epochs(TAGS) == ["closed:mine"] * 2
    for _ in range(2):
        assert await state.open(TAGS, "mine", "1", link.server)
    assert await state.epochs(TAGS) == ["1", "1"]


async def test_what_was_emptied_meanwhile_stays_closed(state, link):
    """However late whoever shut it comes to open it: no key and no person is new by mistake."""
    await state.shut_all("mine")
    await state.shut(TAGS, "mine")
    await link.call(FLUSH, ["any"])
    assert not await state.open(TAGS, "mine", "1", link.server)
    assert not await state.open_all("mine", "1", link.server)
    assert await state.epochs(TAGS) == ["", ""]
    assert await state.epoch() == ""


async def test_a_part_that_is_shut_takes_neither_claims_nor_keys(state, link, market):
    """Not under the epoch before, nor under the next one."""
    await state.shut(TAGS, "mine")
    assert await state.open(TAGS, "mine", "1", link.server)
    market.epoch, market.whole_in = "1", link.server
    assert await market.claim(a_claim("first")) is None
    await state.shut(TAGS, "mine")
    for epoch in ("1", "2"):
        market.epoch = epoch
        with pytest.raises(MarketStale):
            await market.claim(a_claim("second"))
        with pytest.raises(MarketStale):
            await market.once.begin(KEY, b"body", LeadId("second"))


async def test_a_part_shut_for_a_while_is_lost_after_it(state, link):
    """Whoever shut it is gone: then somebody else finds it new, and opens it."""
    await state.shut(TAGS, "mine", 30.0)
    assert 20_000 < await time_left_ms(link, "{campaign:auto-us}:epoch") <= 30_000
    await state.shut(TAGS, "mine")
    assert await time_left_ms(link, "{campaign:auto-us}:epoch") == -1


async def test_a_claim_of_an_older_copy_gives_way_to_the_one_of_the_books(state, market):
    """Where all is built anew; while others claim, what another lead has stays its own."""
    books = [Kept(a_claim("sold"), 60_000), Kept(a_claim("later"), 60_000)]
    await market.claim(a_claim("given back since"))
    await state.keep(books)
    assert await market.look_up(a_claim("x")) == "given back since"
    await state.keep(books, anew=True)
    assert await market.look_up(a_claim("x")) == "sold", "the first of two"


async def test_a_key_of_an_older_copy_gives_way_to_the_request_of_the_books(state, market):
    """Its first request had come to nothing, and the key was another's since."""
    books = [Asked(KEY, LeadId("sold"), "w1", 60_000, has_ended=True)]
    await market.once.begin(KEY, b"body", LeadId("came to nothing"))
    await state.recall(books)
    assert await state.owners(books) == ["came to nothing"]
    await state.recall(books, anew=True)
    assert await market.once.begin(KEY, b"body", LeadId("again")) == Done("sold", None)


async def test_a_key_of_the_books_keeps_what_its_own_record_has(state, market):
    """The digest of its body, and that somebody waits for it."""
    assert await market.once.begin(KEY, b"body", LeadId("sold")) == New()
    await state.recall([Asked(KEY, LeadId("sold"), "w1", 60_000, has_ended=True)], anew=True)
    assert await market.once.begin(KEY, b"body", LeadId("sold")) == New()
