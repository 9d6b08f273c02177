"""What `exchange try-offer` prints of a buyer's answer is text, whatever the buyer sent."""

from exchange.commands.try_offer import lines
from exchange.contract.trying import Tried, TriedAnswer, TriedCall, TriedReading, TriedRequest


def test_a_buyers_answer_does_not_steer_the_terminal():
    """Titles, colours, cleared screens and lines that are turned round are shown as marks."""
    steering = "\x1b]0;owned\x07 \x1b[2J \x9b31m \rfake \x08\x7f \u202eback \u2066"
    call = TriedCall(
        request=TriedRequest(method="POST", url="http://buyer.example/ping", headers=(), body="{}"),
        sent=True,
        answer=TriedAnswer(
            status=200, headers=(("X-Said", steering),), body=f"\tkönig\n{steering}"
        ),
        ms=1.0,
        read=TriedReading(outcome="invalid_bid", detail=steering),
    )
    tried = Tried(
        offer="acme-tx",
        vertical="auto_insurance",
        lead={},
        ping=call,
        post=None,
        status=None,
        note=None,
    )
    shown = lines(tried)
    assert "< \tkönig" in shown
    assert all(one.isprintable() for one in "".join(shown).replace("\t", ""))
    assert "owned" in "".join(shown)
