"""A lead's score depends on the quality of its input alone, and better input never costs."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.lead import ConsentMarks, Fingerprint, Source
from exchange.domain.person import Consent, Person
from exchange.domain.reason import Reason
from exchange.domain.scoring import BASE, MODEL, SCORE_MAX, WEIGHTS, score, scored, too_low
from tests.making import a_campaign, a_lead, a_submission
from tests.making_intake import CONSENT, a_body, accepted


def test_the_best_lead_scores_a_hundred_and_the_parts_are_the_sum():
    best = score(accepted(a_body(consent=CONSENT)))
    assert (best.value, best.model) == (SCORE_MAX, MODEL)
    assert sum(best.parts.values()) == best.value
    assert set(best.parts) == {"base", "fields", *WEIGHTS}


def test_a_lead_of_nothing_scores_the_base():
    bare = a_submission(
        lead=a_lead(fields={}, derived={}, source=Source("x", declared=False)),
        person=Person(),
        fingerprint=Fingerprint(),
    )
    assert score(bare).value == BASE


PHONE, EMAIL = {"phone": "a" * 64}, {"email": "b" * 64}


def improved(part):
    """A poor submission, and the same with one thing better."""
    poor = a_submission(
        lead=a_lead(fields={}, derived={"state": "TX"}, source=Source("x", declared=False)),
        person=Person(),
        fingerprint=Fingerprint(EMAIL),
        flags=("disposable_email", "location_mismatch"),
    )
    lead, replace = poor.lead, msgspec.structs.replace
    better = {
        "fields": lambda: replace(poor, lead=replace(lead, fields={"zip": "78701"})),
        "phone_known": lambda: replace(poor, fingerprint=Fingerprint({**EMAIL, **PHONE})),
        "phone_local": lambda: replace(
            poor, lead=replace(lead, derived={**lead.derived, "phone_local": True})
        ),
        "email_lasting": lambda: replace(poor, flags=("location_mismatch",)),
        "certificate": lambda: replace(poor, person=Person(consent=Consent(trustedform_url="u"))),
        "consent": lambda: replace(poor, lead=replace(lead, consent=ConsentMarks(tcpa=True))),
        "location_agrees": lambda: replace(poor, flags=("disposable_email",)),
        "source_declared": lambda: replace(poor, lead=replace(lead, source=Source("x"))),
        "insured": lambda: replace(poor, lead=replace(lead, fields={"currently_insured": True})),
    }[part]()
    return poor, better


@pytest.mark.parametrize("part", ["fields", *sorted(WEIGHTS.keys() - {"email_known"})])
def test_each_improvement_raises_the_score(part):
    poor, better = improved(part)
    assert score(better).value > score(poor).value
    assert score(better).parts[part] > score(poor).parts.get(part, 0)


FLAGS = st.sets(st.sampled_from(["disposable_email", "location_mismatch", "undeclared_source"]))
MARKS = st.builds(ConsentMarks, tcpa=st.none() | st.booleans(), jornaya_id=st.none() | st.just("J"))


@given(
    fields=st.dictionaries(st.sampled_from("abcdefghijklmno"), st.booleans()),
    more=st.dictionaries(st.sampled_from("abcdefghijklmno"), st.booleans()),
    flags=FLAGS,
    marks=MARKS,
    known=st.sets(st.sampled_from(["phone", "email"])),
)
def test_a_score_lies_between_0_and_100_and_never_falls_with_more_fields_or_fewer_flags(
    fields, more, flags, marks, known
):
    def given_score(fields, flags):
        lead = a_lead(fields=fields, consent=marks)
        digests = Fingerprint(dict.fromkeys(known, "d"))
        return score(a_submission(lead=lead, fingerprint=digests, flags=tuple(flags))).value

    base = given_score(fields, flags)
    assert 0 <= base <= SCORE_MAX
    assert given_score({**fields, **more}, flags) >= base
    assert given_score(fields, set()) >= base


def test_a_score_stands_among_the_facts_once_it_is_given():
    got = accepted(a_body())
    assert scored(got, score(got)).facts()["score"] == score(got).value
    assert "score" not in got.lead.derived


def test_a_campaign_takes_its_least_score_and_refuses_the_one_below():
    given_score = msgspec.structs.replace(score(a_submission()), value=40)
    assert too_low(given_score, a_campaign(min_score=40)) is None
    assert too_low(given_score, a_campaign(min_score=41)) == (Reason.LOW_SCORE, "min_score 41")


def test_scoring_takes_far_less_than_a_millisecond():
    got = accepted(a_body(consent=CONSENT))
    score(got)
    start = time.process_time()
    for _ in range(100):
        score(got)
    assert (time.process_time() - start) / 100 < 0.001
