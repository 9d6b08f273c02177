"""Buyers with one planted fault each, and the checks of the conformance kit that must see it."""

# ruff: noqa: ARG002 - a buyer need not look at all that it is told

import gzip
import json

from bidders.certify.requests import Parts, signed
from bidders.signature import decoded
from tests.acceptance.honest import PRICE, SECRET, Honest

FAULTS = []


def fault(*checks, warned=()):
    """Register a buyer whose fault exactly these checks see: failed, or only warned."""

    def register(buyer):
        buyer.failed, buyer.warned = frozenset(checks), frozenset(warned)
        FAULTS.append(buyer)
        return buyer

    return register


# How answers come


@fault("answer.http")
class CutsPingsShort(Honest):
    def bid(self, told):
        return super().bid(told)[:-4]

    def closes(self, request):
        return request.path == "/ping" or super().closes(request)


@fault("answer.http")
class SpeaksAnotherProtocol(Honest):
    async def ping(self, request, told):
        return b"220 bids.example ESMTP ready\r\n\r\n"


@fault("answer.size")
class TalksTooMuch(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": PRICE, "note": "x" * 66_000})


@fault("answer.redirect")
class RedirectsPings(Honest):
    async def ping(self, request, told):
        return self.message(302, {}, location="/elsewhere")


@fault("answer.redirect")
class RedirectsPosts(Honest):
    async def post(self, request, told):
        return self.message(308, {}, location="/elsewhere")


@fault("answer.status")
class FailsAlways(Honest):
    async def ping(self, request, told):
        return self.message(500, {"error": "the database is down"})


@fault("answer.status")
class DoesNotFind(Honest):
    async def ping(self, request, told):
        return self.message(404, {})


@fault("answer.status")
class FailsPosts(Honest):
    async def post(self, request, told):
        return self.message(500, {})


@fault("answer.encoding")
class Compresses(Honest):
    async def ping(self, request, told):
        body = gzip.compress(json.dumps({"bid": PRICE}).encode())
        return self.raw(200, body, content_encoding="gzip")


@fault(warned=["answer.type"])
class CallsItText(Honest):
    kind = "text/html"


@fault(warned=["answer.version"])
class SpeaksOldHttp(Honest):
    version = "HTTP/1.0"

    def closes(self, request):
        return True


# Signatures


@fault("signature.right")
class RefusesRightSignatures(Honest):
    def genuine(self, request):
        return False


@fault("signature.wrong", "signature.missing", "signature.body", "signature.old", "signature.post")
class ChecksNothing(Honest):
    def genuine(self, request):
        return True


@fault("signature.missing")
class TakesUnsigned(Honest):
    def genuine(self, request):
        return "webhook-signature" not in request.headers or super().genuine(request)


@fault("signature.post")
class ChecksOnlyPings(Honest):
    def genuine(self, request):
        return request.path == "/post" or super().genuine(request)


@fault("signature.body")
class ChecksWhatItWouldHaveWritten(Honest):
    def genuine(self, request):
        return self.signatures.accept(request.headers, request.body.rstrip())


@fault("signature.old")
class ForgetsTheTime(Honest):
    def genuine(self, request):
        given = request.headers.get("webhook-signature", "").encode()
        lines = tuple(f"{name}: {value}".encode() for name, value in request.headers.items())
        if not given:
            return False
        again = signed(Parts(b"", lines, request.body), decoded(SECRET))
        return again.header(b"webhook-signature") == given


# What pings are answered


@fault("ping.time")
class NeverAnswers(Honest):
    async def ping(self, request, told):
        return None


@fault("ping.readable")
class AnswersHtml(Honest):
    async def ping(self, request, told):
        return self.raw(200, b"<html>it works</html>")


@fault("ping.price")
class QuotesThePrice(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": "12.50"})


@fault("ping.price")
class BidsNotANumber(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": float("nan")})


@fault("ping.price")
class BidsLessThanNothing(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": -1})


@fault("ping.price")
class BidsTooMuch(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": 1250})


@fault("ping.currency")
class BidsInEuros(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": PRICE, "currency": "EUR"})


@fault("ping.terms")
class CountsMilliseconds(Honest):
    async def ping(self, request, told):
        return self.message(200, {"bid": PRICE, "ttl_s": 300_000})


@fault(warned=["ping.bids"])
class NeverBids(Honest):
    async def ping(self, request, told):
        return self.no_bid()


@fault("ping.identity", "answer.status")
class WantsATelephone(Honest):
    async def ping(self, request, told):
        if "phone" in told["lead"]:
            return self.bid(told)
        return self.message(422, {"error": "phone is required"})


@fault(warned=["ping.echo"])
class RepeatsTheLead(Honest):
    def bid(self, told):
        return self.message(200, {"bid": PRICE, "lead": told["lead"]})


@fault(warned=["ping.test", "ping.bids"])
class IgnoresTests(Honest):
    async def ping(self, request, told):
        return self.no_bid() if told["test"] else await super().ping(request, told)


# Odd leads


@fault("edge.little")
class NeedsAnAge(Honest):
    def bid(self, told):
        return super().bid(told) if "age_band" in told["lead"] else self.message(500, {})


@fault("edge.more")
class KnowsAllFields(Honest):
    def bid(self, told):
        return self.message(400, {}) if "certify_text" in told else super().bid(told)


@fault("edge.words")
class ReadsAscii(Honest):
    def bid(self, told):
        try:
            told["lead"]["vehicle_make"].encode("ascii")
        except UnicodeEncodeError:
            return self.message(500, {})
        except KeyError:
            pass
        return super().bid(told)


@fault("edge.words")
class HasNarrowColumns(Honest):
    def bid(self, told):
        wide = len(told["lead"].get("vehicle_model", "")) > 40
        return self.message(500, {}) if wide else super().bid(told)


@fault("edge.place")
class KnowsFiftyStates(Honest):
    def bid(self, told):
        state = told["lead"].get("state", "TX")
        return self.message(500, {}) if state in {"GU", "PR"} else super().bid(told)


@fault("edge.values")
class DividesByAccidents(Honest):
    def bid(self, told):
        return self.message(500, {}) if told["lead"].get("accidents") == 0 else super().bid(told)


@fault(warned=["edge.vertical"])
class FailsAtUnknownVerticals(Honest):
    def no_bid(self):
        return self.message(500, {})


@fault(warned=["edge.vertical"])
class BidsForAnything(Honest):
    def no_bid(self):
        return self.message(200, {"bid": PRICE})
