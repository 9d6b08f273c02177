"""A quote comes back from its token as it went in, to its own seller alone, until it expires."""

import base64
import os
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.lead import ConsentMarks, Fingerprint
from exchange.domain.legs import QuotedLeg
from exchange.domain.money import Micros
from exchange.domain.quote import StandingBid, digests, merge
from exchange.intake.tokens import TOKEN_LENGTH_MAX, Expired, Forged, Tokens, TooLongError
from tests.making import DOLLAR, an_offer
from tests.making_intake import a_quote

KEY, NEW_KEY = b"k" * 32, b"n" * 32
FULL = a_quote(
    bids=tuple(
        StandingBid(
            offer_id=f"acme-{i}", price=Micros(i * DOLLAR), bid_id=f"b{i}", ttl_s=60, token="t"
        )
        for i in range(9, 0, -1)
    ),
    fields={
        "zip": "78701",
        "insured": False,
        "year": 2019,
        "miles": Decimal("12.5"),
        "note": "12.5",
    },
    digests={"sha256:phone": "ab" * 12},
    consent=ConsentMarks(tcpa=True, jornaya_id="J"),
    seller_ref="A-1",
    min_price=Micros(4 * DOLLAR),
    exclude_buyers=frozenset({"best"}),
    score=71,
    stage=2,
    terms="5eed" * 4,
    legs=(
        QuotedLeg(
            leg_id="leg-1", offer_id="o1", price=Micros(9), payout=Micros(8), sale_id=SaleId("s")
        ),
    ),
)


def tokens(*keys):
    return Tokens(keys or (KEY,), os.urandom)


def opened(text, by=None, seller="fastquotes", now_us=FULL.expires_at_us - 1):
    return (by or tokens()).open(text, seller, now_us)


def test_a_quote_comes_back_as_it_went_in():
    assert opened(tokens().seal(FULL)) == FULL


@given(
    st.dictionaries(
        st.text(max_size=9),
        st.text(max_size=20)
        | st.integers(-(2**63), 2**63 - 1)
        | st.booleans()
        | st.decimals(allow_nan=False),
        max_size=5,
    )
)
def test_every_normalized_value_comes_back_with_its_type(fields):
    quote = a_quote(fields=fields)
    back = opened(tokens().seal(quote))
    assert back.fields == fields
    assert {n: type(v) for n, v in back.fields.items()} == {n: type(v) for n, v in fields.items()}


def test_a_token_fits_a_path():
    text = tokens().seal(FULL)
    assert len(text) <= TOKEN_LENGTH_MAX
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_quote_is_good_until_it_expires_and_not_a_moment_longer():
    text = tokens().seal(FULL)
    assert opened(text, now_us=FULL.expires_at_us - 1) == FULL
    assert opened(text, now_us=FULL.expires_at_us) == Expired(FULL)


def test_another_sellers_token_does_not_open():
    assert opened(tokens().seal(FULL), seller="other") == Forged()


def test_keys_rotate_without_breaking_what_was_promised():
    old = tokens(KEY).seal(FULL)
    assert opened(old, by=tokens(NEW_KEY, KEY)) == FULL
    assert opened(old, by=tokens(NEW_KEY)) == Forged()
    assert opened(tokens(NEW_KEY, KEY).seal(FULL), by=tokens(NEW_KEY)) == FULL


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_of_a_token_can_be_changed(position, bit):
    raw = bytearray(base64.urlsafe_b64decode(pad(tokens().seal(FULL))))
    raw[position % len(raw)] ^= 1 << bit
    assert opened(base64.urlsafe_b64encode(raw).rstrip(b"=").decode()) == Forged()


def pad(text):
    return text + "=" * (-len(text) % 4)


@given(
    st.text(max_size=100)
    | st.binary(max_size=200).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_no_text_raises(text):
    assert opened(text) == Forged()


def test_a_token_too_long_to_be_ours_is_not_even_looked_at():
    assert opened("A" * 100_000) == Forged()


def test_a_token_tells_nothing_of_what_it_holds():
    text = tokens().seal(FULL)
    raw = base64.urlsafe_b64decode(pad(text))
    assert b"acme" not in raw
    assert tokens().seal(FULL) != text


def noise(count):
    return os.urandom(count).hex()


def test_bids_without_room_are_left_out_from_the_worst_on():
    many = tuple(StandingBid(offer_id=noise(40), price=Micros(1000 - i)) for i in range(300))
    back = opened(tokens().seal(a_quote(bids=many)))
    assert 1 < len(back.bids) < 300
    assert back.bids == many[: len(back.bids)]
    assert back.fields == a_quote().fields


def test_fields_without_room_are_left_out_from_the_longest_on():
    fields = {"zip": "78701", "insured": True, **{f"text{i}": noise(500 + i) for i in range(20)}}
    bid = StandingBid(offer_id="acme-1", price=Micros(5))
    back = opened(tokens().seal(a_quote(fields=fields, bids=(bid,))))
    assert {"zip", "insured", "text0"} <= back.fields.keys() < fields.keys()
    assert "text19" not in back.fields
    assert back.bids == (bid,)


def test_a_quote_that_cannot_be_made_short_enough_is_an_error():
    with pytest.raises(TooLongError):
        tokens().seal(a_quote(exclude_buyers=frozenset(noise(32) for _ in range(300))))


def test_the_bids_of_its_legs_are_never_left_out_of_a_quote():
    """Without them its post could sell to nobody what was promised."""
    bids = tuple(StandingBid(offer_id=f"o{i}", price=Micros(9), bid_id=noise(300)) for i in (1, 2))
    legs = tuple(
        QuotedLeg(leg_id=bid.offer_id, offer_id=bid.offer_id, price=Micros(9), payout=Micros(8))
        for bid in bids
    )
    fields = {f"text{i}": noise(500) for i in range(9)}
    rest = tuple(StandingBid(offer_id=noise(20), price=Micros(1)) for _ in range(50))
    back = opened(tokens().seal(a_quote(bids=bids + rest, legs=legs, fields=fields)))
    assert back.bids == bids
    long = tuple(msgspec.structs.replace(bid, bid_id=noise(3000)) for bid in bids)
    with pytest.raises(TooLongError):
        tokens().seal(a_quote(bids=long, legs=legs, fields={}))


def test_what_a_seller_says_does_not_move_the_room_that_bids_take():
    """Compressed together, a seller could guess a bid's text and see its token shrink."""
    secret = tuple(StandingBid(offer_id="f3a9c1d7e5b2" * 4, price=Micros(1)) for _ in range(1))
    lengths = {
        len(tokens().seal(a_quote(bids=secret, fields={"guess": guess * 4})))
        for guess in ("f3a9c1d7e5b2", "0b9d8f2c4a6e")
    }
    assert len(lengths) == 1


def test_a_standing_bid_is_the_bid_again():
    offer = an_offer()
    bid = Bid(offer=offer, price=Micros(5), ping_id="p", bid_id="b", ttl_s=9, token="t")
    assert StandingBid.of(bid).bid(offer) == bid


def test_no_repr_shows_a_field_of_a_quote():
    assert "78701" not in repr(FULL)
    assert "acme" not in repr(FULL)


# What a post must agree with

PHONE = Fingerprint({"phone": "a" * 64}, {"phone": "b" * 32})


def test_digests_are_of_use_for_one_quote_alone():
    mine, other = digests(LeadId("one"), PHONE), digests(LeadId("two"), PHONE)
    assert mine.keys() == {"sha256:phone", "md5:phone"}
    assert not set(mine.values()) & set(other.values())
    assert "a" * 64 not in mine.values()


@pytest.mark.parametrize(
    ("pinged", "posted", "contradicts"),
    [
        (PHONE, PHONE, ()),
        (Fingerprint(md5={"phone": "b" * 32}), PHONE, ()),
        (PHONE, Fingerprint(), ()),
        (Fingerprint(), PHONE, ()),
        (PHONE, Fingerprint({"phone": "c" * 64}, {"phone": "d" * 32}), ("phone",)),
        (Fingerprint(md5={"phone": "c" * 32}), PHONE, ("phone",)),
    ],
)
def test_the_person_behind_a_post_must_match_its_ping(pinged, posted, contradicts):
    quote = a_quote(digests=digests(a_quote().lead_id, pinged))
    assert merge(quote, {}, posted).contradictions == contradicts


def test_yes_and_one_are_two_values():
    merged = merge(a_quote(fields={"a": True, "b": 1}), {"a": 1, "b": True}, Fingerprint())
    assert merged.contradictions == ("a", "b")


def test_a_posts_own_values_stand_beside_its_pings():
    merged = merge(a_quote(fields={"a": 1, "b": 2}), {"b": 2, "c": 3}, Fingerprint())
    assert (merged.fields, merged.contradictions) == ({"a": 1, "b": 2, "c": 3}, ())


def test_every_day_seals_under_a_key_of_its_own_and_all_of_them_open():
    """No key is told to anybody: it follows from the secret and the day."""
    by = tokens()
    days = [
        msgspec.structs.replace(FULL, quoted_at_us=FULL.quoted_at_us + day * 86_400_000_000)
        for day in range(3)
    ]
    sealed = [by.seal(quote) for quote in days]
    assert [opened(text) for text in sealed] == days
    heads = [base64.urlsafe_b64decode(text[:12])[:7] for text in sealed]
    assert len(set(heads)) == 3
    assert len({by._cipher(head) for head in heads}) == 3
    swapped = base64.urlsafe_b64decode(sealed[0] + "==")
    other = base64.urlsafe_b64encode(heads[1] + swapped[7:]).rstrip(b"=").decode()
    assert opened(other) == Forged()
