"""The auditor sees what it is there for: one history is right, every change of it is wrong."""

import re
from pathlib import Path

import pytest

from tests.simulation.auditor import Auditor

LEAD, OTHER, SALE, SECOND = "lead-1", "lead-2", "sale-1", "sale-2"
HELD_US = 1_795_000_000_000_000
OFFERS = {
    name: {
        "buyer": name, "caps": [(f"offer/{name}", "leads", 1, "day")], "credit": 20_000_000,
        "on_no_answer": "wait", "buyers_max": 3, "not_with": [],
        "second_price": False,
    }
    for name in ("acme", "bravo")
}  # fmt: skip
COUNTER = f"offer/acme|leads|day|{HELD_US // 1_000_000 // 86_400 * 86_400}"


def event(name, offer=None, sale=None, offers=None, left_out=()):
    return (name, offer, sale, offers, left_out)


def moment(lead, number, kind, *, row=None, award=None, sale_end=None, end=None, moved=(), said=()):
    return ("moment", 1.0, "w1", lead, number, kind, row, award, sale_end, end, moved, said)


def award(sale=SALE, buyer="acme", most=1, bid=None):
    return (sale, buyer, buyer, 10_000_000, 8_500_000, HELD_US, most, bid)


def entries(charge=10_000_000, payout=8_500_000, sale=SALE, buyer="acme"):
    return (
        ("payout", f"buyer/{buyer}", "seller/fastquotes", payout, sale),
        ("margin", f"buyer/{buyer}", "margin/auto-us", charge - payout, sale),
    )


ROW = ("fastquotes", "auto-us", 1, 0)
RECEIVED = moment(LEAD, 1, "lead", row=ROW, said=(event("received"),))
ASKED = (
    event("pinged", offers=("acme", "bravo")), event("bid", "acme"), event("no_bid", "bravo"),
)  # fmt: skip
AWARDED = moment(LEAD, 2, "award", award=award(), said=ASKED)
SOLD = moment(
    LEAD, 3, "outcome", sale_end=(SALE, "accepted"), end=("sold", 8_500_000), moved=entries()
)
POST = ("post", 1.0, "acme", SALE, True)
SAID = ("said", 1.0, "acme", SALE, True, "", 200)
TOLD = ("told", 1.5, LEAD, "sold", 8_500_000, 1)
PING = ("ping", 1.0, "acme", b'{"lead": {"zip": "78701"}}')
COUNTED = ("counted", 9.0, "acme", {f"{COUNTER}|s": "1", f"{COUNTER}|h": "0"})
REST = ("at rest", 9.0, "w1", True, 0, 0, 0)

RIGHT = {
    "market": ("market", 0.0, 1, OFFERS),
    "terms": ("terms", 0.0, (b"Zanary",), 2.0),
    "sent": ("sent", 1.0, LEAD, 7, 3),
    "asked": ("asked", 1.0, LEAD, "w1"),
    "received": RECEIVED,
    "ping": PING,
    "awarded": AWARDED,
    "post": POST,
    "said": SAID,
    "sold": SOLD,
    "told": TOLD,
    "sent other": ("sent", 2.0, OTHER, 8, 4),
    "asked other": ("asked", 2.0, OTHER, "w1"),
    "quiet": ("quiet", 8.0),
    "counted": COUNTED,
    "rest": REST,
    "locks": ("locks", 9.0, 0),
}
"""One lead sold as it should be, and the name of another."""

REFUSED = moment(
    LEAD, 3, "award", sale_end=(SALE, "refused"), award=award(SECOND, "bravo"), said=()
)
OTHER_ROW = moment(OTHER, 1, "lead", row=ROW)
OTHER_SOLD = (
    moment(OTHER, 2, "award", award=award(SECOND), said=ASKED),
    ("said", 2.0, "acme", SECOND, True, "", 200),
    moment(
        OTHER, 3, "outcome", sale_end=(SECOND, "accepted"), end=("sold", 8_500_000),
        moved=entries(sale=SECOND),
    ),
)  # fmt: skip

WRONG = {
    "a ping names the person": ("1 privacy", {"ping": [("ping", 1.0, "acme", b"Zanary7")]}),
    "a post without an award": ("2 one sale", {"awarded": [], "sold": []}),
    "two awards at once": (
        "2 one sale", {"sold": [moment(LEAD, 3, "award", award=award(SECOND, "bravo"))]},
    ),
    "a post while another may have it": (
        "2 one sale",
        {"sold": [
            moment(LEAD, 3, "award", award=award(SECOND, "bravo")),
            ("post", 1.2, "bravo", SECOND, True),
        ]},
    ),
    "a buyer gets a lead twice": (
        "2 one sale",
        {"sold": [moment(
            LEAD, 3, "award", sale_end=(SALE, "void"), award=award(SECOND, "acme")
        )]},
    ),
    "who accepted is said to have refused": ("2 one sale", {"sold": [REFUSED]}),
    "one key makes two leads": (
        "2 one sale", {"sent other": [("sent", 2.0, OTHER, 8, 3), OTHER_ROW]},
    ),
    "one person is sold twice": (
        "2 one sale",
        {"sent other": [("sent", 2.0, OTHER, 7, 4), OTHER_ROW, *OTHER_SOLD]},
    ),
    "a moment after the end": ("2 one sale", {"told": [moment(LEAD, 4, "pending"), TOLD]}),
    "a cap is passed": (
        "3 caps", {"quiet": [OTHER_ROW, OTHER_SOLD[0], ("quiet", 8.0)]},
    ),
    "a sale is not counted": (
        "3 caps", {"counted": [("counted", 9.0, "acme", {f"{COUNTER}|s": "0"})]},
    ),
    "something is held in the counters": (
        "3 caps", {"counted": [("counted", 9.0, "acme", {f"{COUNTER}|h": "1"})]},
    ),
    "told before it is durable": ("4 nothing lost", {"sold": [TOLD, SOLD], "told": []}),
    "told another price": (
        "4 nothing lost", {"told": [("told", 1.5, LEAD, "sold", 9_000_000, 1)]},
    ),
    "told of a lead that is not there": (
        "4 nothing lost", {"rest": [("told", 8.0, OTHER, "pending", None, 0), REST]},
    ),
    "told to wait, and then nothing": (
        "4 nothing lost", {"told": [("told", 1.4, LEAD, "pending", None, 0), TOLD]},
    ),
    "told its end twice": (
        "4 nothing lost", {"rest": [("message", 9.0, LEAD, "lead.resolved")] * 2 + [REST]},
    ),
    "a lead has no end": ("4 nothing lost", {"rest": [OTHER_ROW, REST]}),
    "a moment is missing": ("4 nothing lost", {"awarded": [], "post": [], "said": []}),
    "more is charged than was bid": (
        "5 money",
        {"sold": [(*SOLD[:10], entries(charge=11_000_000), ())]},
    ),
    "more is asked for than was bid": (
        "5 money", {"awarded": [moment(LEAD, 2, "award", award=award(bid="b100"), said=ASKED)]},
    ),
    "less is asked for than was bid, at first price": (
        "5 money", {"awarded": [moment(LEAD, 2, "award", award=award(bid="b399"), said=ASKED)]},
    ),
    "the buyer never accepted": ("5 money", {"said": []}),
    "money moves without a sale": (
        "5 money", {"awarded": [(*AWARDED[:10], entries(), ASKED)]},
    ),
    "the seller is paid another price": (
        "5 money", {"sold": [(*SOLD[:9], ("sold", 9_000_000), *SOLD[10:])]},
    ),
    "the seller hears late": ("6 deadlines", {"told": [("told", 7.5, *TOLD[2:])]}),
    "a ping has no result": (
        "7 explained", {"awarded": [(*AWARDED[:11], (*ASKED[:1], event("bid", "acme")))]},
    ),
    "an offer is not mentioned": (
        "7 explained",
        {"awarded": [(*AWARDED[:11], (event("pinged", offers=("acme",)), event("bid", "acme")))]},
    ),
    "a hold is left": ("8 no leaks", {"rest": [("held", 9.0, "acme", [SALE]), REST]}),
    "a task is left": ("8 no leaks", {"rest": [("at rest", 9.0, "w1", False, 1, 0, 0)]}),
}  # fmt: skip


BOTH = {
    "awarded": [
        moment(LEAD, 2, "award", award=award(most=2), said=ASKED),
        moment(LEAD, 3, "award", award=award(SECOND, "bravo", 3)),
    ],
    "post": [POST, ("post", 1.0, "bravo", SECOND, True)],
    "said": [SAID, ("said", 1.0, "bravo", SECOND, True, "", 200)],
    "sold": [
        moment(LEAD, 4, "outcome", sale_end=(SALE, "accepted"), moved=entries()),
        TOLD,
        moment(
            LEAD, 5, "outcome", sale_end=(SECOND, "accepted"),
            moved=entries(sale=SECOND, buyer="bravo"),
        ),
        moment(LEAD, 6, "outcome", end=("sold", 17_000_000)),
    ],
    "told": [("told", 1.6, LEAD, "sold", 17_000_000, 2)],
}  # fmt: skip
"""One lead that two share; its seller heard of the first while the second was in doubt."""

UNSHARED = {
    "more have it than one was promised": {
        "awarded": [
            moment(LEAD, 2, "award", award=award(most=2), said=ASKED),
            moment(LEAD, 3, "award", award=award(SECOND, "bravo", 1)),
        ]
    },
    "an offer has it with more than it shares with": {
        "market": [("market", 0.0, 1, OFFERS | {"bravo": OFFERS["bravo"] | {"buyers_max": 2}})]
    },
    "beside a competitor that one of them names": {
        "market": [("market", 0.0, 1, OFFERS | {"acme": OFFERS["acme"] | {"not_with": ["bravo"]}})]
    },
    "alone, though one that was to share it may have it": {
        "sold": [
            moment(LEAD, 4, "award", sale_end=(SALE, "void"), award=award("third", "cargo", 1))
        ],
        "market": [("market", 0.0, 1, OFFERS | {"cargo": OFFERS["acme"]})],
    },
}


def test_a_lead_that_two_share_is_right():
    """Each within its limit; the seller hears of one, then of both."""
    assert judged(BOTH) == set()


@pytest.mark.parametrize("what", UNSHARED)
def test_what_nobody_may_share_is_seen(what):
    """Limits, competitors, and who was to be alone."""
    assert "2 one sale" in judged(BOTH | UNSHARED[what])


YES, NO = ("confirming", 1.1, "acme", SALE, True), ("confirming", 1.1, "acme", SALE, False)
HEARD_YES = ("confirmed", 1.2, "acme", SALE, True, 200, "accepted")
HEARD_NO = ("confirmed", 1.2, "acme", SALE, False, 200, "accepted")
VOID = moment(LEAD, 3, "outcome", sale_end=(SALE, "void"), end=("unsold", None))

DUPLICATE = moment(OTHER, 1, "merged", row=ROW, end=("duplicate", None))
MERGED = {
    "terms": [RIGHT["terms"], ("duplicates", 0.0, True)],
    "sent other": [("sent", 2.0, OTHER, 7, 4)],
    "asked other": [
        ("asked", 2.0, OTHER, "w1"), DUPLICATE, ("merged", 2.0, OTHER, LEAD, False),
    ],
}  # fmt: skip
"""The other lead is of the same person, and is merged into the first."""
WORDS = {
    "a word that was taken is void": (
        "4 nothing lost",
        {
            "sold": [YES, ("confirmed", 1.2, "acme", SALE, True, 200, "in_doubt"), VOID],
            "told": [],
        },
    ),
    "a word that was turned down is charged": (
        "4 nothing lost", {"told": [TOLD, YES, (*HEARD_YES[:-2], 409, "accepted")]},
    ),
    "a buyer hears of another end": (
        "4 nothing lost", {"told": [TOLD, YES, (*HEARD_YES[:-1], "refused")]},
    ),
    "yes and no are both taken": (
        "2 one sale",
        {"told": [TOLD, YES, NO, HEARD_YES, HEARD_NO]},
    ),
    "a sale is decided twice": (
        "2 one sale", {"said": [SAID, *[("decided", 1.1, SALE, "buyer/acme", True)] * 2]},
    ),
    "a sale is decided after its end": (
        "2 one sale", {"told": [TOLD, ("decided", 1.3, SALE, "exchange", False)]},
    ),
    "another one says yes": (
        "5 money", {"said": [SAID, ("decided", 1.1, SALE, "exchange", True)]},
    ),
    "a duplicate of nobody's": (
        "4 nothing lost",
        {"asked other": [
            ("asked", 2.0, OTHER, "w1"),
            moment(OTHER, 1, "outcome", row=ROW, end=("duplicate", None)),
        ]},
    ),
    "a duplicate of what is merged itself": (
        "4 nothing lost", MERGED | {"quiet": [
            ("sent", 2.0, "lead-3", 7, 5),
            ("asked", 2.0, "lead-3", "w1"),
            moment("lead-3", 1, "merged", row=ROW, end=("duplicate", None)),
            ("merged", 2.0, "lead-3", OTHER, False),
            RIGHT["quiet"],
        ]},
    ),
    "a duplicate that should be merged": (
        "4 nothing lost", MERGED | {"asked other": [("asked", 2.0, OTHER, "w1"), DUPLICATE]},
    ),
    "a duplicate that should not be merged": (
        "4 nothing lost", MERGED | {"terms": [RIGHT["terms"]]},
    ),
    "merged into somebody else's lead": (
        "4 nothing lost", MERGED | {"sent other": [("sent", 2.0, OTHER, 8, 4)]},
    ),
    "merged into nothing": (
        "4 nothing lost", MERGED | {"asked other": [
            ("asked", 2.0, OTHER, "w1"), DUPLICATE, ("merged", 2.0, OTHER, "lead-0", False),
        ]},
    ),
    "merged with its person": (
        "1 privacy", MERGED | {"asked other": [
            ("asked", 2.0, OTHER, "w1"), DUPLICATE, ("merged", 2.0, OTHER, LEAD, True),
        ]},
    ),
    "merged without an end": (
        "2 one sale", MERGED | {"asked other": [
            moment(OTHER, 1, "merged", row=ROW), ("merged", 2.0, OTHER, LEAD, False),
        ]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WORDS)
def test_a_word_that_is_not_kept_is_seen(what):
    """A buyer's at the exchange's door, and what a second lead of a person is told."""
    invariant, changes = WORDS[what]
    assert invariant in judged(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"told": [TOLD, YES, HEARD_YES]},
        {"said": [YES, ("decided", 1.1, SALE, "buyer/acme", True)], "told": [TOLD, HEARD_YES]},
        {"told": [TOLD, NO, ("confirmed", 1.2, "acme", SALE, False, 409, "accepted")]},
        {"sent other": [("sent", 2.0, OTHER, 7, 4)], "asked other": [
            ("asked", 2.0, OTHER, "w1"),
            moment(OTHER, 1, "outcome", row=ROW, end=("duplicate", None)),
        ]},
        {"post": [], "said": [], "told": [], "sold": [
            ("sent", 1.0, OTHER, 7, 4),
            ("asked", 1.0, OTHER, "w1"),
            moment(OTHER, 1, "outcome", row=ROW, end=("duplicate", None)),
            moment(LEAD, 3, "outcome", sale_end=(SALE, "void"), end=("unsold", None)),
            ("asked", 5.0, OTHER, "w1"),
        ], "sent other": [], "asked other": [], "counted": [
            ("counted", 9.0, "acme", {f"{COUNTER}|s": "0", f"{COUNTER}|h": "0"}),
        ]},
        MERGED,
    ],
)  # fmt: skip
def test_a_word_that_is_kept_is_right(changes):
    """Said late, said instead of an answer, said to the contrary; a duplicate of a sold lead.

    And one of a lead that was being sold, repeated when that had long ended unsold.
    """
    assert judged(changes) == set()


def posted_as(*persons, sold_as):
    """The lead is the post of a quote, that was made twice."""
    posts = [("posted as", 1.0, LEAD, person) for person in persons]
    return {"received": [*posts, ("is of", 1.0, LEAD, sold_as), RECEIVED]}


TURNED_AWAY = {
    "asked other": [
        ("asked", 2.0, OTHER, "w1"),
        moment(OTHER, 1, "outcome", row=ROW, end=("duplicate", None)),
    ]
}
"""The other one, whose person is 8, is a duplicate."""


def test_of_two_persons_that_a_quote_was_posted_as_one_is_sold_and_the_other_free():
    """Whoever is on the books with it; what is merged of a quote may be either's."""
    assert judged(posted_as(7, 8, sold_as=7)) == set()
    assert judged(posted_as(7, 8, sold_as=8) | TURNED_AWAY) == set()
    assert judged(posted_as(7, 8, sold_as=7) | TURNED_AWAY) == {"4 nothing lost"}
    assert judged(posted_as(7, 8, sold_as=9)) == {"2 one sale"}
    either = [("sent", 2.0, OTHER, 8, 0)]
    posts = [("posted as", 2.0, OTHER, person) for person in (8, 7)]
    assert judged(MERGED | {"sent other": [*either, *posts]}) == set()


PENDING = ("told", 1.5, LEAD, "pending", None, 0)


def test_who_heard_pending_is_told_the_end_whoever_died():
    """Whoever takes over from who said it owes the message, too."""
    assert judged({"told": [PENDING]}) == {"4 nothing lost"}
    assert judged({"told": [PENDING, ("message", 1.6, LEAD, "lead.resolved")]}) == set()
    assert judged({"told": [PENDING, ("fault", 1.6, "crash", "w1")]}) == {"4 nothing lost"}
    assert judged({"told": [PENDING, ("fault", 1.6, "all crash")]}) == {"4 nothing lost"}


def test_of_a_shared_lead_nobody_hears_another_sum():
    """Neither more than was accepted by then, nor another number of sales."""
    told = [("told", 1.5, LEAD, "sold", 17_000_000, 1)]
    assert "4 nothing lost" in judged(BOTH | {"told": told})


def judged(changes):
    """Return the invariants that the history violates where these rows are replaced."""
    rows = [new for name, row in RIGHT.items() for new in changes.get(name, [row])]
    return {one.invariant for one in Auditor().read(rows)}


def test_the_right_history_is_right():
    """Nothing is seen where nothing is."""
    assert judged({}) == set()


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_seen(what):
    """Each by the invariant that it breaks."""
    invariant, changes = WRONG[what]
    assert invariant in judged(changes)


def test_the_auditor_imports_nothing_of_what_it_judges():
    """It could share a mistake with the exchange."""
    folder = Path(__file__).parent
    for name in ("auditor", "counters", "records"):
        assert "exchange" not in re.findall(
            r"^\s*(?:from|import) (\w+)", (folder / f"{name}.py").read_text(), re.MULTILINE
        )
