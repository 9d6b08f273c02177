"""The checker finds every kind of violation where it is planted, and nothing in sound books."""

import msgspec
import pytest

from tests.chaos.books import (
    Award,
    Books,
    Cap,
    Event,
    Lead,
    Order,
    Post,
    Standing,
    Told,
    Transfer,
)
from tests.chaos.checker import CHECKS, in_doubt_resolved, violations

DOLLAR = 1_000_000


def sound() -> Books:
    """A lead that its first buyer refused and its second took, and one in doubt that was void."""
    return Books(
        orders=(
            Order(
                ref="a", phone="1", key="a", told=[Told("A", "pending"), Told("A", "sold", DOLLAR)]
            ),
            Order(ref="b", phone="2", key="b", told=[Told("B", "unsold")]),
            Order(ref="c", phone="3", key=None),
        ),
        posts=(
            post("no", "A1", "1", 3, belief="refused"),
            post("yes", "A2", "1", 2),
            post("yes", "A2", "1", 2),
            post("deaf", "B1", "2", 2),
        ),
        leads=(lead("A", "a", "sold", DOLLAR), lead("B", "b", "unsold")),
        awards=(
            award("A1", "A", "no", 3, "refused"),
            award("A2", "A", "yes", 2, "accepted"),
            award("B1", "B", "deaf", 2, "void"),
        ),
        transfers=(
            Transfer(
                sale_id="A2", debit="buyer/yes", credit="seller/s", amount=DOLLAR, currency="USD"
            ),
            Transfer(
                sale_id="A2", debit="buyer/yes", credit="margin/c", amount=DOLLAR, currency="USD"
            ),
            Transfer(sale_id=None, debit="cash", credit="buyer/yes", amount=9, currency="USD"),
        ),
        events=(
            Event("A", "refused", "A1"),
            Event("A", "in_doubt", "A2"),
            Event("B", "in_doubt", "B1"),
        ),
        standings={
            "yes": Standing(
                {"offer/yes|leads|total|0": 1, "buyer/yes|spend|total|0": 2 * DOLLAR},
                {"offer/yes|leads|total|0": 0},
            )
        },
        messages=("A",),
        caps=(Cap("yes", "leads", 1), Cap("yes", "spend", 2 * DOLLAR)),
        forgetful=frozenset({"deaf"}),
    )


def post(buyer, sale_id, phone, dollars, belief="accepted", digest="same"):
    return Post(
        at=0.0,
        buyer=buyer,
        sale_id=sale_id,
        phone=phone,
        price=dollars * DOLLAR,
        digest=digest,
        belief=belief,
        answered=True,
    )


def lead(lead_id, ref, status, price=None):
    return Lead(lead_id=lead_id, ref=ref, status=status, price=price)


def award(sale_id, lead_id, buyer, dollars, state, most=1):
    return Award(
        sale_id=sale_id,
        lead_id=lead_id,
        number=2,
        offer=buyer,
        buyer=buyer,
        price=dollars * DOLLAR,
        payout=DOLLAR,
        state=state,
        buyers_max=most,
    )


def with_changes(books, **changes):
    """The books, with these things added to a book, or put in place of one by a function."""
    made = {
        name: change(getattr(books, name)) if callable(change) else (*getattr(books, name), change)
        for name, change in changes.items()
    }
    return msgspec.structs.replace(books, **made)


def order(ref, *told, key="k", refused=None):
    return Order(ref=ref, phone="9", key=key, told=list(told), refused=refused)


def sale(buyer, sale_id, lead_id, dollars=1):
    """What an accepted sale leaves in the ledger."""
    paid = {"amount": dollars * DOLLAR, "currency": "USD"}
    return {
        "awards": award(sale_id, lead_id, buyer, dollars, "accepted"),
        "transfers": Transfer(sale_id=sale_id, debit=f"buyer/{buyer}", credit="seller/s", **paid),
    }


def without(sale_id):
    return lambda rows: tuple(row for row in rows if row.sale_id != sale_id)


def held(**standing):
    return {"standings": lambda _: {"yes": Standing({}, **{"held": {}, **standing})}}


PLANTED = {
    "a lead told and never written": (
        "told_and_not_written",
        {"orders": order("x", Told("X", "sold", 1))},
    ),
    "sold told, unsold written": (
        "told_otherwise",
        {"orders": order("b", Told("B", "sold", DOLLAR))},
    ),
    "another price told": ("told_otherwise", {"orders": order("a", Told("A", "sold", 7))}),
    "an end that changed": (
        "told_otherwise",
        {"orders": order("a", Told("A", "unsold"), Told("A", "sold", DOLLAR))},
    ),
    "a repetition that became a second lead": (
        "told_of_two_leads",
        {"leads": lead("A'", "a", "unsold")},
    ),
    "one key, two answers": (
        "told_of_two_leads",
        {"orders": order("x", Told("A", "pending"), Told("B", "unsold"))},
    ),
    "a lead whose seller never hears": ("never_told", {"orders": order("x", Told("A", "pending"))}),
    "a pending lead of whose end nobody tells": (
        "left_waiting",
        {"orders": order("y", Told("B", "pending"), Told("B", "unsold"), key=None)},
    ),
    "an end told twice": ("left_waiting", {"messages": "A"}),
    "a quote said to be used up, and sold": (
        "never_told",
        {"orders": order("q", refused="409"), "leads": lead("B", "q", "sold", DOLLAR)},
    ),
    "one lead charged to two buyers": ("charged_twice", sale("also", "A3", "A")),
    "one person charged twice": (
        "charged_twice",
        {**sale("also", "D1", "D"), "posts": post("also", "D1", "1", 1)},
    ),
    "posted on without a refusal": ("posted_on", {"events": without("A1")}),
    "posted to one buyer as two sales": (
        "posted_on",
        {
            "awards": award("A0", "A", "no", 1, "refused"),
            "posts": lambda rows: (post("no", "A0", "1", 1, belief="refused"), *rows),
            "events": Event("A", "refused", "A0"),
        },
    ),
    "posted before the award was durable": (
        "posted_without_award",
        {"posts": post("yes", "Z1", "8", 1)},
    ),
    "repeated in other bytes": (
        "repeated_otherwise",
        {"posts": post("yes", "A2", "1", 2, digest="other")},
    ),
    "repeated to a buyer that does not know it": (
        "repeated_otherwise",
        {"posts": post("deaf", "B1", "2", 2)},
    ),
    "charged without a post": ("charged_without_consent", {"posts": without("A2")}),
    "charged at another price": (
        "charged_without_consent",
        {"posts": lambda rows: (*without("A2")(rows), post("yes", "A2", "1", 1))},
    ),
    "called refused, and taken": (
        "refused_and_taken",
        {"posts": lambda rows: (post("no", "A1", "1", 3), *without("A1")(rows))},
    ),
    "past a cap of leads": ("past_cap", {"caps": Cap("yes", "leads", 0)}),
    "past a budget": ("past_cap", {"caps": Cap("yes", "spend", 2 * DOLLAR - 1)}),
    "a counter that says otherwise": (
        "counted_otherwise",
        {"standings": lambda _: {"yes": Standing({"offer/yes|leads|total|0": 2}, {})}},
    ),
    "an accepted sale that nobody booked": ("unbalanced", {"transfers": without("A2")}),
    "a void sale that was booked": (
        "unbalanced",
        {"transfers": sale("deaf", "B1", "B")["transfers"]},
    ),
    "a payout that is not the seller's": (
        "unbalanced",
        {"transfers": lambda rows: tuple(one for one in rows if one.credit != "seller/s")},
    ),
    "a hold after quiet": ("held_after_quiet", held(holds=("A2",))),
    "a counter held after quiet": (
        "held_after_quiet",
        held(held={"offer/yes|concurrent|now|0": 1}),
    ),
    "a lead without an end": ("without_end", {"leads": lead("N", None, None)}),
    "an end with an open sale": (
        "without_end",
        {"awards": award("B2", "B", "yes", 1, None)},
    ),
    "sold to nobody": ("without_end", {"leads": lead("N", None, "sold", DOLLAR)}),
}


def test_sound_books_have_no_violation():
    """Refusals, repetitions, void sales and money paid in are no violations; doubts are counted."""
    assert violations(sound()) == []
    assert in_doubt_resolved(sound()) == 2


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found(name):
    """It is named by its kind, whatever else it breaks."""
    kind, changes = PLANTED[name]
    assert kind in {found.kind for found in violations(with_changes(sound(), **changes))}


def shared(*limits):
    """The sound books, and a lead that as many share as there are limits; all of them have it."""
    books = sound()
    names = [f"S{number}" for number in range(len(limits))]
    return with_changes(
        books,
        orders=lambda rows: (
            *rows,
            Order(
                ref="s", phone="7", key="s",
                told=[Told("S", "sold", DOLLAR), Told("S", "sold", len(limits) * DOLLAR)],
            ),
        ),
        leads=lead("S", "s", "sold", len(limits) * DOLLAR),
        posts=lambda rows: (*rows, *(post(f"b{name}", name, "7", 1) for name in names)),
        awards=lambda rows: (
            *rows,
            *(
                award(name, "S", f"b{name}", 1, "accepted", most)
                for name, most in zip(names, limits, strict=True)
            ),
        ),
        transfers=lambda rows: (
            *rows,
            *(
                Transfer(
                    sale_id=name, debit=f"buyer/b{name}", credit="seller/s", amount=DOLLAR,
                    currency="USD",
                )
                for name in names
            ),
        ),
    )  # fmt: skip


def test_a_lead_is_shared_within_what_each_was_promised():
    """Three under limits of three and four are right; a third beside a limit of two is not."""
    assert violations(shared(3, 4, 3)) == []
    kinds = {found.kind for found in violations(shared(2, 3, 3))}
    assert kinds == {"charged_twice", "posted_on"}
    assert "charged_twice" in {found.kind for found in violations(shared(3, 1))}


def test_of_a_shared_lead_the_seller_hears_sums_of_its_sales():
    """Nothing else: not a price that no buyers make together."""
    other = order("s", Told("S", "sold", 2 * DOLLAR + 1))
    assert "told_otherwise" in {
        found.kind for found in violations(with_changes(shared(3, 4, 3), orders=other))
    }


def test_every_check_has_a_violation_planted():
    """A check that nothing is planted for might be blind."""
    assert {check.__name__ for check in CHECKS} == {kind for kind, _ in PLANTED.values()}


def test_a_lead_in_doubt_is_no_violation():
    """No end, and a sale that waits for its buyer's word."""
    waiting = with_changes(
        sound(),
        leads=lead("N", None, None),
        awards=award("N1", "N", "yes", 1, None),
        posts=post("yes", "N1", "5", 1),
    )
    assert violations(waiting) == []
