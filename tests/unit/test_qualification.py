"""A lead is rejected for the first reason in the contract's order, with a rule but no value."""

import msgspec
import pytest

from exchange.domain.campaign import LocationCheck
from exchange.domain.offer import Condition
from exchange.domain.qualification import judge
from exchange.domain.reason import Reason
from exchange.domain.seller import UndeclaredSources
from tests.making import a_campaign
from tests.making_intake import PERSON, REST, SELLER, a_body, accepted

ADULT = ("age >= 18", Condition("age >= 18", lambda f: f["age"] >= 18, lambda _: "age >= 18"))
OLD = ("age >= 65", Condition("age >= 65", lambda f: f["age"] >= 65, lambda _: "age >= 65"))
ANN = ("named", Condition("first_name == 'Ann'", lambda f: f["first_name"] == "Ann", lambda _: ""))

STRICT = msgspec.structs.replace(SELLER, undeclared_sources=UndeclaredSources.REFUSE)
PAUSED_SELLER = msgspec.structs.replace(SELLER, paused=True)
PAUSED_SOURCE = msgspec.structs.replace(
    SELLER,
    sources={"search": msgspec.structs.replace(SELLER.sources["search"], paused=True)},
)
ELSEWHERE = {**PERSON, **REST, "state": "NY"}
THROWN_AWAY = {**PERSON, **REST, "email": "a@mailinator.com"}


@pytest.mark.parametrize(
    ("body", "campaign", "seller", "verdict"),
    [
        (a_body(), {}, SELLER, None),
        (a_body(), {"qualify": (ADULT,)}, SELLER, None),
        (a_body(source="new"), {}, SELLER, None),
        (a_body(source="new"), {}, STRICT, Reason.UNKNOWN_SOURCE),
        (a_body(source=""), {}, STRICT, Reason.UNKNOWN_SOURCE),
        (a_body(), {}, PAUSED_SOURCE, Reason.PAUSED_SOURCE),
        (a_body(), {}, PAUSED_SELLER, Reason.PAUSED_SOURCE),
        (a_body(), {"paused": True}, SELLER, Reason.PAUSED_SOURCE),
        (a_body(ELSEWHERE), {}, SELLER, Reason.LOCATION_MISMATCH),
        (a_body(ELSEWHERE), {"location": LocationCheck.WARN}, SELLER, None),
        (a_body(THROWN_AWAY), {}, SELLER, None),
        (a_body(THROWN_AWAY), {"reject_disposable_email": True}, SELLER, Reason.INVALID_FIELD),
        (a_body(), {"qualify": (ADULT, OLD)}, SELLER, Reason.NOT_QUALIFIED),
    ],
)
def test_each_reason_to_reject_a_well_formed_lead(body, campaign, seller, verdict):
    judged = judge(accepted(body), a_campaign(**campaign), seller)
    assert (None if judged is None else judged[0]) is verdict


def test_the_first_rule_that_does_not_hold_is_named():
    campaign = a_campaign(qualify=(ADULT, OLD, ANN))
    assert judge(accepted(a_body()), campaign, SELLER) == (Reason.NOT_QUALIFIED, "age >= 65")


def test_a_rule_sees_the_person_and_its_verdict_does_not_show_it():
    judged = judge(accepted(a_body()), a_campaign(qualify=(ANN,)), SELLER)
    assert judged == (Reason.NOT_QUALIFIED, "named")


def test_the_order_is_source_then_place_then_rules():
    everything = a_campaign(qualify=(OLD,), reject_disposable_email=True)
    wrong = accepted(a_body({**ELSEWHERE, "email": "a@mailinator.com"}, source="new"))
    assert judge(wrong, everything, STRICT)[0] is Reason.UNKNOWN_SOURCE
    assert judge(wrong, everything, SELLER)[0] is Reason.LOCATION_MISMATCH
    warned = a_campaign(qualify=(OLD,), location=LocationCheck.WARN)
    assert judge(wrong, warned, SELLER)[0] is Reason.NOT_QUALIFIED
