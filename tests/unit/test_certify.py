"""The pure parts of the conformance kit: its table, requests, symptoms, texts and pages."""

import time
from decimal import Decimal
from pathlib import Path

import pytest

from bidders.certify.certificate import Certificate, Exhibit, Result, message
from bidders.certify.check import Check, Level, Verdict
from bidders.certify.checks import CHECKS, markdown
from bidders.certify.found import Amiss, Doubtful, Fine, Untried
from bidders.certify.page import page
from bidders.certify.requests import (
    parts_of,
    pieces_of,
    resigned,
    rewritten,
    tampered,
    unsigned,
)
from bidders.certify.seen import DETAILS, Half, Symptom, is_no_number, of_status
from bidders.certify.target import TargetError, Wanted, pairs_of, target_of
from bidders.certify.telling import line, plain, text
from bidders.signature import Signatures, decoded
from exchange.auction.bids import NotABid, read_bid
from exchange.domain.bid import Contender
from exchange.wire.endpoint import compile_endpoint
from exchange.wire.signature import signature_headers
from tests.acceptance.faulty_sales import FAULTS

ROOT = Path(__file__).parents[2]
SECRET = "whsec_" + "c2VjcmV0IGZvciB0ZXN0cw=="
URL = "http://127.0.0.1:9000"


# The table


def test_the_page_shows_the_checks_that_are_made():
    """docs/certify.md says of every check what the code says."""
    assert markdown() in (ROOT / "docs" / "certify.md").read_text(), markdown()


def test_every_check_is_there_once_and_says_what_to_mend():
    """With a reason, in sentences that fit a table."""
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    for check in CHECKS:
        assert check.why.endswith("."), check.id
        assert check.mend.endswith("."), check.id
        assert "|" not in check.title + check.why + check.mend, check.id


ELSEWHERE = {"reach.connect", "reach.encrypted", "reach.certificate"}
"""Seen to by tests of their own: no buyer has them, but its address."""


def test_for_every_check_a_fault_is_planted():
    """No check is believed that never found anything."""
    planted = {name for buyer in FAULTS for name in buyer.failed | buyer.warned}
    assert planted | ELSEWHERE == {check.id for check in CHECKS}


@pytest.mark.parametrize(
    ("level", "found", "verdict"),
    [
        (Level.MUST, Fine(), Verdict.PASSED),
        (Level.MUST, Amiss("so"), Verdict.FAILED),
        (Level.SHOULD, Amiss("so"), Verdict.WARNED),
        (Level.MUST, Doubtful("so"), Verdict.WARNED),
        (Level.MUST, Untried("so"), Verdict.NOT_TRIED),
    ],
)
def test_only_a_must_fails(level, found, verdict):
    """What should be is warned of; what holds but poorly, too, whatever its level."""
    check = Check(id="x", level=level, title="", why="", mend="", run=None)
    assert check.verdict(found) is verdict


# Requests


def request(body=b'{"a":1}', secret=SECRET):
    """Signed at this moment: one of minutes ago would be refused for its age."""
    now_s = int(time.time())
    headers = b"" if secret is None else signature_headers(decoded(secret), "p-1", now_s, body)
    return compile_endpoint(f"{URL}/ping").request(body, headers=headers)


def accepted(raw):
    """Whether a buyer with the secret lets a request in."""
    parts = parts_of(raw)
    pairs = (one.decode().partition(": ") for one in parts.headers)
    return Signatures([SECRET]).accept({name: value for name, _, value in pairs}, parts.body)


def test_a_request_is_put_together_again():
    """Byte for byte."""
    raw = request()
    assert parts_of(raw).joined() == raw


def test_another_body_is_signed_rightly():
    """With its own length; the ids stay."""
    changed = rewritten(lambda _: b'{"b":22}', decoded(SECRET))(request())
    assert accepted(changed)
    assert b"Content-Length: 8\r\n" in changed
    assert changed.endswith(b'\r\n\r\n{"b":22}')


@pytest.mark.parametrize(
    "forge",
    [unsigned, tampered, resigned(b"another"), resigned(decoded(SECRET), -3600)],
    ids=["unsigned", "tampered", "another secret", "an hour old"],
)
def test_a_forgery_is_one(forge):
    """The standard's own library refuses each, and takes the original."""
    raw = request()
    assert accepted(raw)
    assert not accepted(forge(raw))


def test_pieces_are_the_whole():
    """And more than one of them lies in the head."""
    raw = request()
    pieces = pieces_of(raw, 12)
    assert b"".join(pieces) == raw
    assert len(pieces) >= 12
    assert b"\r\n\r\n" not in pieces[0] + pieces[1]


# Symptoms


@pytest.mark.parametrize(
    ("body", "symptom"),
    [
        (b'{"bid":"12.5"}', Symptom.PRICE),
        (b'{"bid":-1}', Symptom.PRICE),
        (b'{"bid":1e9}', Symptom.PRICE),
        (b"{}", Symptom.PRICE),
        (b'{"bid":1,"currency":"EUR"}', Symptom.CURRENCY),
        (b'{"bid":1,"ttl_s":0}', Symptom.TERMS),
        (b"<html>", Symptom.UNREADABLE),
    ],
)
def test_what_the_auction_says_is_a_symptom(body, symptom):
    """Its words are those of the table; what is not in it is unreadable."""
    offer = target_of(Wanted(url=URL)).offer
    said = read_bid(200, body, Contender(offer, ping_id="p-1"))
    assert isinstance(said, NotABid)
    assert DETAILS.get(said.detail, Symptom.UNREADABLE) is symptom


@pytest.mark.parametrize(
    ("half", "status", "explicit", "symptom"),
    [
        (Half.PING, 200, False, Symptom.NONE),
        (Half.PING, 204, False, Symptom.NONE),
        (Half.PING, 201, False, Symptom.STATUS),
        (Half.PING, 301, False, Symptom.REDIRECTED),
        (Half.PING, 403, False, Symptom.UNSIGNED),
        (Half.PING, 429, False, Symptom.BUSY),
        (Half.PING, 500, False, Symptom.STATUS),
        (Half.POST, 202, False, Symptom.NONE),
        (Half.POST, 204, False, Symptom.STATUS),
        (Half.POST, 408, False, Symptom.STATUS),
        (Half.POST, 422, False, Symptom.IMPLICIT),
        (Half.POST, 422, True, Symptom.NONE),
        (Half.POST, 401, False, Symptom.UNSIGNED),
    ],
)
def test_statuses_are_the_contracts(half, status, explicit, symptom):
    """A post may be refused by any 4xx, a ping by none."""
    assert of_status(half, status, explicit=explicit) is symptom


def test_a_nan_is_told_from_other_nonsense():
    """It is a wrong price; no JSON at all is another fault."""
    assert is_no_number(b'{"bid":NaN}')
    assert is_no_number(b'{"bid":-Infinity}')
    assert not is_no_number(b'{"bid":"NaN"}')
    assert not is_no_number(b'{"bid":NaN')
    assert not is_no_number(b"[" * 100_000)


# The target


def test_one_url_is_two():
    """Both below it, as the reference bidder has them; options go before."""
    assert target_of(Wanted(url=f"{URL}/")).urls == {"ping": f"{URL}/ping", "post": f"{URL}/post"}
    named = Wanted(url=URL, post_url="https://a.example/leads?x=1")
    assert target_of(named).urls == {"ping": f"{URL}/ping", "post": "https://a.example/leads?x=1"}
    assert target_of(Wanted(post_url=f"{URL}/p")).urls == {"post": f"{URL}/p"}


def test_a_mapping_is_compiled_with_its_secrets():
    """Parameters from the command line, secrets from the environment."""
    wanted = {
        "url": URL,
        "mapping": "phonexa-like",
        "params": {"api_id": "77", "api_password": "{secret:acme-x}", "product_id": "2"},
    }
    target = target_of(Wanted(**wanted, named={"BUYER_SECRET_ACME_X": "s3cret"}))
    assert target.offer.ping.dialect is not None
    assert not target.repeatable
    with pytest.raises(TargetError, match="set BUYER_SECRET_ACME_X"):
        target_of(Wanted(**wanted))


def test_a_mapping_may_stand_in_a_whole_market(tmp_path):
    """Its buyers, its other mappings and their secrets are nobody's business here."""
    whole = tmp_path / "market.toml"
    shelf = Path(__file__).parents[2] / "config"
    other = '[[mapping]]\nid = "other"\n[mapping.post]\nheaders = { X = "{secret:gone}" }\n'
    names = ("mappings/phonexa-like.toml", "verticals/auto_insurance.toml", "demo/market.toml")
    texts = [(shelf / name).read_text() for name in names]
    whole.write_text("\n".join([texts[0], other, *texts[1:]]))
    params = {"api_id": "77", "api_password": "x", "product_id": "2"}
    wanted = Wanted(url=URL, mapping=str(whole), vertical=str(whole), params=params)
    target = target_of(wanted)
    assert target.offer.id == "certify"
    assert target.mapping.id == "phonexa-like"


def test_a_direct_post_has_no_ping():
    """Its mapping says so; it pays what was agreed on."""
    params = {"key": "{secret:crm}"}
    wanted = {"url": URL, "mapping": "crm-rest", "params": params}
    target = target_of(Wanted(**wanted, named={"BUYER_SECRET_CRM": "k"}, price=Decimal(9)))
    assert target.urls == {"post": f"{URL}/post"}
    assert target.offer.static_price({}) == 9_000_000


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({}, "nothing to call"),
        ({"url": "ftp://a.example"}, "http:// or https://"),
        ({"url": URL, "vertical": "auto_insurence"}, 'mean.*"auto_insurance"|auto_insurance'),
        ({"url": URL, "mapping": "nobody"}, "no file, nor one of boberdoo-like"),
        ({"url": URL, "params": {"a": "1"}}, "--param is for an endpoint with a --mapping"),
        ({"url": URL, "lead": Path("/nonexistent/lead.json")}, "No such file"),
    ],
)
def test_what_cannot_be_certified_is_told(wanted, says):
    """In one sentence, before anything is sent."""
    with pytest.raises(TargetError, match=says):
        target_of(Wanted(**wanted))


def test_params_are_pairs():
    """A value may hold the sign."""
    assert pairs_of(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(TargetError, match="NAME=VALUE"):
        pairs_of(["a"])


# Texts and pages


def result(**changes):
    usual = {
        "id": "ping.price",
        "level": Level.MUST,
        "verdict": Verdict.FAILED,
        "title": "The price is a number",
        "said": "<b>&\x1b[2J",
        "why": "Because.",
        "mend": "Write `12.5`.",
        "exhibits": (Exhibit(request="POST /ping", answer='<script>"x"</script>', read="no"),),
    }
    return Result(**{**usual, **changes})


def a_certificate(*results):
    return Certificate(
        certified=False, at="2026-01-31T12:00:00+00:00", vertical="auto_insurance",
        format="standard", ping_url=f"{URL}/ping", post_url=None, tmax_ms=300,
        passed=0, warned=0, failed=1, not_tried=0, results=results,
    )  # fmt: skip


def test_a_page_escapes_what_an_endpoint_said():
    """It needs nothing else, and runs nothing."""
    shown = page(a_certificate(result()))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "<code>12.5</code>" in shown
    assert "http-equiv" not in shown
    assert "src=" not in shown


def test_a_terminal_is_not_steered():
    """No control character of an endpoint reaches it; a line stays one line."""
    assert plain("a\x1b[2J\x9b\x00b\n") == "a[2Jb\n"
    assert "\x1b" not in text(a_certificate(result()))
    assert "\n" not in line(result(said="a\nb"))


def test_the_text_says_what_to_mend():
    """With the calls that show it, and whether it is certified."""
    told = text(a_certificate(result(), result(id="x", verdict=Verdict.PASSED)))
    assert "mend:  Write `12.5`." in told
    assert "  < <script>" in told
    assert "FAIL x" not in told
    assert told.endswith("NOT certified: 0 passed, 0 warned, 1 failed, 0 not tried")


def test_a_long_body_is_cut():
    """At what people read."""
    shown = message("200", [("a", "b")], "x" * 3000)
    assert shown.endswith("x… (1000 characters more)")
