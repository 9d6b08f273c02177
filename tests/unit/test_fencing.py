"""A lead of which nothing is written can be made impossible; a quote that holds need not be."""

from types import SimpleNamespace

import pytest

from exchange.domain.moment import MomentKind
from exchange.story.fencing import fence
from tests.making import NOW_US

SPARED_US = 5_000_000
VOID = MomentKind.VOID


class Books:
    """Moments of one lead by number; `meanwhile` comes to be just before the first commit."""

    def __init__(self, meanwhile=None, **moments):
        self.moments = {int(number[1:]): kind for number, kind in moments.items()}
        self.meanwhile = meanwhile or {}
        self.expires_at_us = NOW_US

    async def lead(self, _lead_id):
        return SimpleNamespace() if MomentKind.LEAD in self.moments.values() else None

    async def quote(self, _lead_id):
        if MomentKind.QUOTE not in self.moments.values():
            return None
        return SimpleNamespace(expires_at_us=self.expires_at_us)

    async def commit(self, moment):
        self.moments.update(self.meanwhile)
        self.meanwhile = {}
        return self.moments.setdefault(moment.number, moment.kind) is moment.kind


@pytest.mark.parametrize(
    ("books", "after"),
    [
        (Books(), {1: VOID}),
        (Books(_1=VOID), {1: VOID}),
        (Books(_1=MomentKind.QUOTE), {1: MomentKind.QUOTE, 2: VOID}),
        (Books({1: MomentKind.QUOTE}), {1: MomentKind.QUOTE, 2: VOID}),
    ],
)
async def test_what_is_not_written_never_will_be(books, after):
    """Its first number is taken; that of a quote's post, where one is written meanwhile, too."""
    assert await fence(books, books, "lead", NOW_US)
    assert books.moments == after


@pytest.mark.parametrize(
    "books",
    [
        Books(_1=MomentKind.LEAD),
        Books({1: MomentKind.LEAD}),
        Books({2: MomentKind.LEAD}, _1=MomentKind.QUOTE),
        Books({1: MomentKind.QUOTE, 2: MomentKind.LEAD}),
    ],
)
async def test_what_is_written_stays_possible(books):
    """Be it written just now."""
    assert not await fence(books, books, "lead", NOW_US)
    assert VOID not in books.moments.values()


@pytest.mark.parametrize(
    "books", [Books(_1=MomentKind.QUOTE), Books({1: MomentKind.QUOTE})], ids=["before", "just now"]
)
async def test_a_quote_that_holds_is_spared_whenever_it_was_written(books):
    """Until it expired, and so much longer."""
    assert not await fence(books, books, "lead", NOW_US + SPARED_US - 1, SPARED_US)
    assert VOID not in books.moments.values()
    assert await fence(books, books, "lead", NOW_US + SPARED_US, SPARED_US)
    assert books.moments[2] is VOID


async def test_a_lead_that_was_no_quote_is_not_spared():
    """There is nothing to wait for."""
    books = Books()
    assert await fence(books, books, "lead", NOW_US, SPARED_US)
    assert books.moments == {1: VOID}
