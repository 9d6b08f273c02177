"""What a buyer reads of its limits: whose each is, what it counts, and in which window."""

import pytest
from msgspec.structs import replace

from exchange.domain.offer import Cap, CapKind, Per
from exchange.web.specs.offer_terms import cap_text
from tests.making import DOLLAR, a_buyer, an_offer

OFFER = replace(an_offer(), id="acme-tx", buyer=a_buyer(id="acme"), account="dallas")


@pytest.mark.parametrize(
    ("cap", "said"),
    [
        (
            Cap("offer/acme-tx", CapKind.LEADS, 5, Per.DAY),
            "This offer: at most 5 leads per day (UTC).",
        ),
        (
            Cap("account/acme:dallas", CapKind.LEADS, 1, Per.HOUR),
            'Your offers of the account "dallas" together: at most 1 lead per hour (UTC).',
        ),
        (
            Cap("buyer/acme", CapKind.SPEND, 50 * DOLLAR, Per.TOTAL),
            "All your offers together: at most 50.00 USD in all.",
        ),
        (
            Cap("offer-pilot/acme-tx", CapKind.LEADS, 20, Per.TOTAL),
            "This offer: at most 20 leads in all, on trial: then it is paused.",
        ),
        (
            Cap("pilot/acme", CapKind.SPEND, 500 * DOLLAR, Per.TOTAL),
            "All your offers together: at most 500.00 USD in all, on trial: then they are paused.",
        ),
    ],
)
def test_a_limit_is_told_with_whose_it_is(cap, said):
    """Of the offer, of its account, of the buyer; and what the end of a pilot means."""
    assert cap_text(cap, OFFER) == said
