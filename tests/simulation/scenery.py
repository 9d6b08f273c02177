"""The market and the leads of one seed: who buys, under which limits, and who is for sale."""

import hashlib
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from exchange.configuration.compiling.plans import plans_of
from exchange.domain.campaign import (
    Against,
    DuplicateRule,
    DuplicateScope,
    Margin,
    MatchOn,
    Method,
    PriceRuleKind,
    ReturnsTo,
    SellerTerms,
    Weights,
)
from exchange.domain.expected import Chance, Chances, Expecting, RankBy
from exchange.domain.floor_table import FloorTable, Layer, RuledFloor
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.domain.lead import Fingerprint, Source
from exchange.domain.learned_floors import LearnedFloors
from exchange.domain.lessons import Lessons
from exchange.domain.message import Topic, Webhook
from exchange.domain.money import Micros
from exchange.domain.offer import (
    Billing,
    BillingMode,
    Cap,
    CapKind,
    Offer,
    OnNoAnswer,
    Per,
    PingTerms,
    PostTerms,
    PriceRule,
    StatusTerms,
)
from exchange.domain.person import Person
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical
from tests.making import DOLLAR, a_buyer, a_campaign, a_lead, a_stage
from tests.making_learning import a_rule

BUYERS = ("acme", "bravo", "cargo", "delta")
HOUSES = ("house", "lodge")
"""Who takes what is left."""
WEBHOOK = Webhook("http://fastquotes/hook", frozenset({Topic.LEAD_RESOLVED}))
SELLER = Seller(id="fastquotes", name="Fast Quotes", sources={}, webhook=WEBHOOK)
SOURCE = Source(id="search", channel="search")
HIDDEN = Show.HIDDEN
AUTO = Vertical(
    "auto",
    "Auto insurance",
    {
        field.name: field
        for field in (
            Field(name="first_name", type=FieldType.NAME, privacy=Privacy.IDENTITY, show=HIDDEN),
            Field(name="phone", type=FieldType.PHONE, privacy=Privacy.IDENTITY, show=Show.HASH),
            Field(name="zip", type=FieldType.US_ZIP, privacy=Privacy.QUASI, show=Show.AS_IS),
            Field(name="insured", type=FieldType.BOOL, privacy=Privacy.ATTRIBUTE, show=Show.AS_IS),
        )
    },
)
MARKS = (b"Zanary", b"+1777555")
"""What every person has in name and telephone, and nothing else in the world has."""

FLOORS = FloorTable(
    ("zip",),
    (Layer((0,), {("78701",): RuledFloor(Micros(4 * DOLLAR), "78701")}),),
    RuledFloor(Micros(2 * DOLLAR), "default"),
)
MIDDLING_MS, LONG_MS = 6_000, 15_000
LEARN_FLOOR = a_rule(explore_ppm=300_000, minimum=Micros(DOLLAR), maximum=Micros(12 * DOLLAR))
LESSONS = Lessons(
    {"auto-us": Chances({"acme": Chance(300_000, 0), "bravo": Chance(900_000, 100_000)})},
    {"auto-us": LearnedFloors({("*", "*"): Micros(6 * DOLLAR)})},
)
"""What every worker has learned."""
WINDOW_S = 3600
QUOTE_TTL_S = 20
ZIPS = ("78701", "33101", "10001", "94103")


class Plan(msgspec.Struct, frozen=True):
    """How leads are handed out."""

    method: Method
    """Of what is left when the auction is over."""
    early_close: bool
    """Where the auction sells at the first price."""
    max_buyers: int
    seller: Seller
    """Limited in what it brings, or not."""
    holds_quotes: bool
    """Room is held for what is quoted; some quotes are never posted."""
    merges: bool
    """A duplicate is part of the lead that came first, and no lead."""


class Scenery(msgspec.Struct, frozen=True):
    """The market in all versions that it will have, and how long its sellers wait."""

    snapshots: tuple[Snapshot, ...]
    answer_ms: int


def scenery(chance: Random, leads: int, sharing: Random, merging: Random) -> Scenery:
    """Return a market in which caps fill up: limits are small against the number of leads.

    In every other one leads may be shared, and offers say with how many, and with whom not; in
    every other one duplicates are merged.
    """
    answer_ms = chance.choice((2_000, MIDDLING_MS, LONG_MS))
    bidders = BUYERS[: chance.randint(2, len(BUYERS))]
    offers = [an_offer(name, number, chance, leads) for number, name in enumerate(bidders)]
    # One buyer has a second offer: whichever wins, it gets one post for a lead.
    own = msgspec.structs.replace(offers[0].caps[0], scope="offer/acme-2")
    of_buyer = [cap for cap in offers[0].caps if cap.scope == "buyer/acme"]
    offers.append(msgspec.structs.replace(offers[0], id="acme-2", caps=(own, *of_buyer)))
    offers += [a_house(name, chance, leads) for name in HOUSES]
    plan = Plan(
        method=chance.choice((Method.WATERFALL, Method.ROUND_ROBIN, Method.WEIGHTED)),
        early_close=chance.random() < 1 / 2,
        max_buyers=sharing.choice((1, 1, 2, 3)),
        seller=a_seller(leads, sharing),
        holds_quotes=sharing.random() < 1 / 2,
        merges=merging.random() < 1 / 2,
    )
    if plan.max_buyers > 1:
        offers = [on_terms(offer, sharing) for offer in offers]
    snapshots = [a_snapshot(1, offers, answer_ms, plan)]
    for version in range(2, 2 + chance.randrange(5)):
        offers = [changed(offer, chance, leads) for offer in offers]
        snapshots.append(a_snapshot(version, offers, answer_ms, plan))
    if sharing.random() < 1 / 2:
        pilots = pilots_of(leads, sharing)
        snapshots = [in_pilots(one, *pilots) for one in snapshots]
    return Scenery(tuple(snapshots), answer_ms)


def pilots_of(leads: int, sharing: Random) -> tuple[tuple[Cap, ...], tuple[Cap, ...]]:
    """Return limits of a seller's pilot and of a campaign's: some of what would be sold."""
    money = leads * sharing.choice((1, 2, 8)) * DOLLAR
    of_seller = Cap("pilot/fastquotes", CapKind.PAYOUT, money, Per.TOTAL)
    of_campaign = Cap("campaign-pilot/auto-us", CapKind.SPEND, money * 5 // 4, Per.TOTAL)
    most = Cap("campaign-pilot/auto-us", CapKind.LEADS, leads * 9 // 10, Per.TOTAL)
    both = (of_seller,), (most, of_campaign)
    return sharing.choice((both, ((), both[1]), (both[0], ())))


def in_pilots(
    snapshot: Snapshot, of_seller: tuple[Cap, ...], of_campaign: tuple[Cap, ...]
) -> Snapshot:
    """Return a market whose seller and campaign are in pilots, which nobody pauses."""
    seller, campaign = snapshot.sellers["fastquotes"], snapshot.campaigns["auto-us"]
    if of_seller:
        caps = (*seller.caps, *of_seller)
        seller = msgspec.structs.replace(seller, caps=caps, pilot=of_seller, is_limited=True)
    campaign = msgspec.structs.replace(campaign, pilot=of_campaign)
    changed: Snapshot = msgspec.structs.replace(
        snapshot, sellers={"fastquotes": seller}, campaigns={"auto-us": campaign}
    )
    return changed


def a_seller(leads: int, sharing: Random) -> Seller:
    """Return the seller: in every other world it may bring most of its leads, or of their pings."""
    if sharing.random() < 1 / 2:
        return SELLER
    limits = {CapKind.LEADS: leads * 2 // 3, CapKind.PINGS: leads * 2}
    caps = tuple(
        Cap("seller/fastquotes", kind, limit, sharing.choice((Per.HOUR, Per.TOTAL)))
        for kind, limit in limits.items()
    )
    return msgspec.structs.replace(SELLER, caps=caps, is_limited=True)


def an_offer(name: str, number: int, chance: Random, leads: int) -> Offer:
    """Return an offer with some limits, at a server named like its buyer."""
    some = max(2, leads // chance.choice((4, 8, 16)))
    caps = [
        Cap(f"offer/{name}", CapKind.LEADS, some, chance.choice((Per.HOUR, Per.DAY, Per.TOTAL)))
    ]
    if chance.random() < 1 / 2:
        caps.append(Cap(f"offer/{name}", CapKind.CONCURRENT, chance.randint(2, 6), None))
    if chance.random() < 1 / 2:
        caps.append(Cap(f"buyer/{name}", CapKind.SPEND, some * 8 * DOLLAR, Per.DAY))
    billing = Billing(BillingMode.OPEN)
    if number % 2:
        billing = Billing(BillingMode.PREPAID)
    window_s = WINDOW_S if chance.random() < 1 / 3 else 0
    buyer = a_buyer(name, billing=billing, duplicate_window_s=window_s)
    waits = chance.random() < 2 / 3
    post = PostTerms(
        f"http://{name}/post",
        chance.choice((300, 1000)),
        OnNoAnswer.WAIT if waits else OnNoAnswer.ADVANCE,
        chance.choice((5, 20)),
        status=StatusTerms(f"http://{name}/status/{{sale.id}}", 1000) if number % 2 else None,
    )
    most = chance.choice((4, 8, 1000))
    ping = PingTerms(f"http://{name}/ping", 200, Micros(most * DOLLAR))
    return Offer(
        id=name, buyer=buyer, vertical_id="auto", caps=tuple(caps), ping=ping, post=post,
        hash_key=b"k" * 32,
    )  # fmt: skip


def on_terms(offer: Offer, sharing: Random) -> Offer:
    """Return the offer with what it says of sharing."""
    limit = sharing.choice((None, None, 0, 1))
    rivals = frozenset({sharing.choice(BUYERS)} if sharing.random() < 1 / 4 else ())
    return msgspec.structs.replace(offer, share_with_max=limit, not_with=rivals - {offer.buyer.id})


def a_house(name: str, chance: Random, leads: int) -> Offer:
    """Return who takes what nobody bid for, unasked."""
    offer = an_offer(name, 0, chance, leads)
    prices = (PriceRule(None, Micros(2 * DOLLAR)),)
    return msgspec.structs.replace(offer, ping=None, prices=prices, priority=1)


def changed(offer: Offer, chance: Random, leads: int) -> Offer:
    """Return the offer as the next version has it: most stay as they are."""
    if chance.random() < 1 / 2:
        return offer
    caps = tuple(
        cap
        if cap.kind is CapKind.SPEND
        else msgspec.structs.replace(cap, limit=max(1, cap.limit + chance.randint(-2, leads // 8)))
        for cap in offer.caps
    )
    floor = Micros(chance.randint(0, 4) * DOLLAR)
    return msgspec.structs.replace(offer, caps=caps, floor=floor, paused=chance.random() < 1 / 8)


def a_snapshot(version: int, offers: list[Offer], answer_ms: int, plan: Plan) -> Snapshot:
    """Return one version of the market; every other one sells at second price, by floors of rules,
    with a margin that may shrink.

    Where sellers wait neither briefly nor long the others rank by expected value; where they wait
    long floors are learned, and often drawn.
    """
    is_even = (version + len(offers)) % 2 == 0
    rule = PriceRuleKind.SECOND_PRICE if is_even else PriceRuleKind.FIRST_PRICE
    asked = [offer.id for offer in offers if offer.ping is not None]
    weights = Weights.ACCEPTANCE if plan.method is Method.WEIGHTED else Weights.FIXED
    stages = (
        a_stage(
            *asked,
            price_rule=rule,
            by_rules=is_even,
            max_buyers=plan.max_buyers,
            rank_by=RankBy.PRICE if is_even else RankBy.EXPECTED_VALUE,
            early_close=plan.early_close and not is_even and plan.max_buyers == 1,
        ),
        a_stage(*HOUSES, number=2, method=plan.method, weights=weights),
    )
    duplicates = DuplicateRule(
        window_s=WINDOW_S,
        on=("phone",),
        match=MatchOn.ANY,
        against=Against.SOLD,
        scope=DuplicateScope.CAMPAIGN,
        merges=plan.merges,
    )
    relaxed = Margin(percent=Decimal(5)) if is_even else None
    margin = Margin(percent=Decimal(15), relaxed=relaxed)
    terms = SellerTerms("fastquotes", margin, ReturnsTo.PASS)
    campaign = a_campaign(
        stages=stages,
        duplicates=duplicates,
        sellers={"fastquotes": terms},
        floor=Micros(2 * DOLLAR),
        floors=FLOORS if is_even else None,
        expecting=Expecting(after_refusal_ppm=500_000) if answer_ms == MIDDLING_MS else None,
        learn_floor=LEARN_FLOOR if answer_ms == LONG_MS else None,
        answer_deadline_ms=answer_ms,
        auction_deadline_ms=500,
        hold_quotes=plan.holds_quotes,
        quote_ttl_s=QUOTE_TTL_S,
    )
    by_id = {offer.id: offer for offer in offers}
    verticals = {"auto": AUTO}
    return Snapshot(
        version=version,
        verticals=verticals,
        sellers={"fastquotes": plan.seller},
        buyers={offer.buyer.id: offer.buyer for offer in offers},
        offers=by_id,
        campaigns={campaign.id: campaign},
        keys={},
        credited={name: Micros(300 * DOLLAR) for name in BUYERS},
        plans=plans_of(version, (campaign,), by_id, verticals),
    )


def plainly(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the auditor must know of a version: limits, in plain words."""
    most = {
        name: stage.max_buyers
        for stage in snapshot.campaigns["auto-us"].stages
        for name in stage.offer_ids
    }
    second = {
        name
        for stage in snapshot.campaigns["auto-us"].stages
        if stage.price_rule is PriceRuleKind.SECOND_PRICE
        for name in stage.offer_ids
    }
    return {
        offer.id: {
            "buyer": offer.buyer.id,
            "caps": [(cap.scope, str(cap.kind), cap.limit, str(cap.per)) for cap in offer.caps],
            "credit": None
            if offer.buyer.billing.mode is BillingMode.OPEN
            else snapshot.credited.get(offer.buyer.id, 0) + offer.buyer.billing.credit_limit,
            "on_no_answer": str(offer.post.on_no_answer),
            "buyers_max": most[offer.id]
            if offer.share_with_max is None
            else min(most[offer.id], offer.share_with_max + 1),
            "not_with": sorted(offer.not_with),
            "second_price": offer.id in second,
        }
        for offer in snapshot.offers.values()
    }


def a_submission(number: int, at_us: int, answer_ms: int, entropy: bytes) -> Submission:
    """Return one person's lead; the same number is the same person."""
    fingerprint, person = who(number)
    assert len(entropy) == ENTROPY_BYTES, "an id takes exactly ten random bytes"
    return Submission(
        lead=a_lead(
            lead_id=LeadId(uuid7(at_us, entropy)),
            received_at_us=at_us,
            answer_by_us=at_us + answer_ms * 1000,
            source=SOURCE,
            fields={"zip": ZIPS[number % 4], "insured": number % 3 == 0},
            derived={"state": "TX", "age": 20 + number % 60},
        ),
        person=person,
        fingerprint=fingerprint,
    )


def who(number: int) -> tuple[Fingerprint, Person]:
    """Return by what a person is known, and the person."""
    phone = f"+1777555{number:04d}"
    digest = hashlib.sha256(phone.encode()).hexdigest()
    person = Person(identity={"first_name": f"Zanary{number}", "phone": phone})
    return Fingerprint(sha256={"phone": digest}), person
