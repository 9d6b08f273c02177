"""A moment's rows: sealed under one key while its lead is sold, and under none that comes back."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, Moment, MomentKind, QuoteRow
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus
from exchange.ledger import keys as module
from exchange.ledger.keys import LeadKeys
from exchange.ledger.rows import encoded, pack, without_nuls
from exchange.ledger.vault import Sealed, Vault

LEAD = LeadRow(
    seller_id="s",
    campaign_id="c",
    source_id="s",
    channel=None,
    source_declared=True,
    vertical_id="v",
    seller_ref=None,
    test=False,
    version=1,
    received_at_us=1,
    answer_by_us=1,
)
QUOTE = QuoteRow(
    seller_id="s",
    campaign_id="c",
    source_id="s",
    vertical_id="v",
    test=False,
    version=1,
    status=LeadStatus.QUOTED,
    reason=None,
    price=None,
    expires_at_us=None,
)
END = LeadEnd(status=LeadStatus.UNSOLD)
VAULT = Vault(b"k" * 32)


@pytest.fixture
def keys():
    return LeadKeys(VAULT)


def moment(number, lead_id="lead", **rows):
    return Moment(
        lead_id=LeadId(lead_id),
        number=number,
        kind=MomentKind.NOTE,
        at_us=1,
        events=(),
        capture=b"captured",
        **rows,
    )


def wrapped(keys, what):
    """Return the wrapped key of a moment's capture, and see that it opens it."""
    packed = pack(what, 1, keys, 1)
    key = base64.b64decode(msgspec.json.decode(packed.text)["wrapped_key"])
    assert (
        VAULT.open(Sealed(packed.capture, key), f"capture/{what.lead_id}".encode()) == b"captured"
    )
    return key


def test_all_that_is_sealed_while_a_lead_is_sold_has_one_key(keys):
    """From its own moment to its end."""
    first = wrapped(keys, moment(1, lead=LEAD, record=b"record"))

    assert wrapped(keys, moment(2)) == first
    assert wrapped(keys, moment(3, lead_end=END)) == first
    assert wrapped(keys, moment(1, "other", lead=LEAD)) != first


def test_no_key_comes_back_after_the_end(keys):
    """An ended lead may be erased; what is sealed later does not bring its key again."""
    first = wrapped(keys, moment(1, lead=LEAD, lead_end=END))

    late = {wrapped(keys, moment(number)) for number in (2, 3, 4)}
    assert len(late) == 3
    assert first not in late


def test_a_pings_key_is_not_its_posts(keys):
    """A quote that nobody used has no end, so its key is not kept."""
    quoted = wrapped(keys, moment(1, quote=QUOTE))

    assert wrapped(keys, moment(2, lead=LEAD)) != quoted


def test_keys_kept_are_bounded(keys, monkeypatch):
    """The oldest is pushed out; its lead goes on under another."""
    monkeypatch.setattr(module, "KEPT_MAX", 2)
    first = wrapped(keys, moment(1, "a", lead=LEAD))
    second = wrapped(keys, moment(1, "b", lead=LEAD))
    wrapped(keys, moment(1, "c", lead=LEAD))

    assert wrapped(keys, moment(2, "a")) != first
    assert wrapped(keys, moment(2, "b")) == second


def test_a_capture_that_is_not_to_be_kept_is_not_written(keys):
    """Nothing is sealed that would be deleted at once."""
    packed = pack(moment(1), 1, keys, 0)

    assert packed.capture is None
    assert not {"wrapped_key", "capture_until_us"} & msgspec.json.decode(packed.text).keys()


def test_nothing_that_is_to_be_sealed_is_sent_in_clear(keys):
    """Neither as it is nor in another writing: all of it stands beside the text, sealed."""
    award = AwardRow(
        sale_id=SaleId("sale"),
        offer_id="o",
        buyer_id="b",
        price=Micros(2),
        payout=Micros(1),
        currency="USD",
        held_at_us=1,
        bid_id=None,
        ping_id=None,
        stage=1,
        post=b"the post",
    )
    packed = pack(moment(1, lead=LEAD, record=b"the record", award=award), 1, keys, 1)

    for text, sealed in (
        (b"the record", packed.record),
        (b"the post", packed.post),
        (b"captured", packed.capture),
    ):
        assert text not in b"".join((packed.text, packed.record, packed.post, packed.capture))
        assert base64.b64encode(text)[:8] not in packed.text
        assert len(sealed) == len(text) + 28


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_events_keep_every_character_but_nul(text):
    """Also what only looks like one, with any number of backslashes."""
    event = Event(at_us=1, event=EventName.REFUSED, detail=text, left_out={201: (text,)})

    read = msgspec.json.decode(encoded(event), type=Event)

    assert read.detail == text.replace("\0", "")
    assert read.left_out == {201: (text.replace("\0", ""),)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_a_value_without_nuls_is_left_as_it_is(value):
    """Only texts change, and only by their NULs."""
    if "\\x00" not in repr(value):
        assert without_nuls(value) == value
    assert "\\x00" not in repr(without_nuls(value)).replace("\\\\", "")
