"""One builds market state at a time; whoever hangs with the turn loses it."""

import pytest

from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.recount import recounting

LONG_S = 3600.0


async def test_the_turn_is_taken_from_nobody_who_asks(make_connections, vault):
    """One has it, the other waits until it is given back."""
    lend = recounting(await make_connections(), vault)
    async with lend() as one, lend() as other:
        assert await one.try_turn()
        assert not await other.try_turn()
        assert not await other.free_turn(LONG_S)
        assert (await one.epoch()).server is None
        await one.end_turn()
        assert await other.try_turn()
        assert not await other.free_turn(0.0), "who asks is not idle"


async def test_who_hangs_with_the_turn_loses_it_and_its_connection(make_connections, vault):
    """What it asks later fails, so that it begins anew."""
    lend = recounting(await make_connections(), vault)

    async def hang(other):
        async with lend() as hanging:
            assert await hanging.try_turn()
            assert await other.free_turn(0.0)
            assert await other.try_turn()
            await hanging.epoch()

    async with lend() as other:
        with pytest.raises(LedgerUnavailable):
            await hang(other)
        assert not await other.free_turn(0.0)
