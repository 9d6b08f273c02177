"""A ledger is begun under one master key; whoever comes with another, or with none, is told."""

import asyncio

import pytest

from exchange.ledger.beginning import begin, begun_under
from exchange.ledger.errors import MasterKeyError
from exchange.ledger.migrations import FOLDER
from exchange.ledger.vault import key_id

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


async def test_the_first_key_stays(database):
    """It is remembered by its id; the same key comes back at any time, another never."""
    assert await begun_under(database) is None
    await begin(database, KEY)
    await begin(database, KEY)
    assert await begun_under(database) == key_id(KEY)
    with pytest.raises(MasterKeyError) as caught:
        await begin(database, OTHER_KEY)
    assert await begun_under(database) == key_id(KEY)
    for word in (key_id(KEY).hex(), key_id(OTHER_KEY).hex(), "EXCHANGE_MASTER_KEY", "master.key"):
        assert word in str(caught.value)
    assert OTHER_KEY.hex() not in str(caught.value)


async def test_of_two_that_begin_at_once_one_is_told(database, watcher):
    """Never does each of two keys seal a part."""
    ended = await asyncio.gather(
        begin(database, KEY), begin(watcher, OTHER_KEY), return_exceptions=True
    )
    assert sorted(type(end) for end in ended if end) == [MasterKeyError]


async def test_what_was_sealed_before_tells_its_key(database, ledger, story, vault):
    """A ledger from before this was remembered is not begun anew under any key that comes."""
    await ledger.commit(story.received(story.new_id()))
    await database.execute("DROP TABLE master_key")
    assert await begun_under(database) is None
    await database.execute((FOLDER / "003_master_key.sql").read_text(encoding="utf-8"))
    assert await begun_under(database) == vault.new_key().wrapped[:4]
