"""Buyers with one planted fault each, and the checks of the conformance kit that must see it."""

# ruff: noqa: ARG002 - a buyer need not look at all that it is told

import asyncio
import gzip
import json

from bidders.certify.requests import Parts, signed
from bidders.signature import decoded
from tests.acceptance.honest import PRICE, READ_MAX, SECRET, Honest, Request

FAULTS = []
TORN = Request(b"POST /torn HTTP/1.1", b"")


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


@fault("edge.vertical")
class FailsAtUnknownVerticals(Honest):
    def no_bid(self):
        return self.message(500, {})


@fault(warned=["edge.vertical"])
class BidsForAnything(Honest):
    def no_bid(self):
        return self.message(200, {"bid": PRICE})


# The connection


@fault("line.slow", "post.slow", warned=["line.expect"])
class ReadsOnce(Honest):
    async def read(self, reader, writer):
        raw = await reader.read(READ_MAX)
        head, gap, body = raw.partition(b"\r\n\r\n")
        whole = gap and head.startswith((b"POST ", b"GET "))
        return (Request(head, body) if whole else TORN) if raw else None


@fault("line.kept")
class HangsUp(Honest):
    def closes(self, request):
        return True


@fault(warned=["line.kept"])
class SaysThatItCloses(Honest):
    def raw(self, status, body, **headers):
        return super().raw(status, body, connection="close", **headers)

    def closes(self, request):
        return True


@fault("line.together", "line.burst")
class AnswersOneAtATime(Honest):
    busy = False

    async def ping(self, request, told):
        if self.busy:
            return self.message(500, {})
        self.busy = True
        await asyncio.sleep(0.01)
        self.busy = False
        return await super().ping(request, told)


@fault("line.together")
class MixesAnswersUp(Honest):
    waiting = 0
    first = None

    async def ping(self, request, told):
        self.waiting += 1
        if self.waiting == 1:
            self.first = told
        await asyncio.sleep(0.01)
        answer = await super().ping(request, {**told, "ping_id": self.first["ping_id"]})
        self.waiting -= 1
        return answer


@fault("line.garbage", "post.garbage")
class FailsAtGarbage(Honest):
    async def answer(self, request):
        try:
            json.loads(request.body or b"{}")
        except ValueError:
            return self.message(500, {})
        return await super().answer(request)


@fault("line.garbage")
class BidsForGarbage(Honest):
    async def answer(self, request):
        if request.path == "/ping" and request.body == b'{"ping_id":':
            return self.message(200, {"bid": PRICE})
        return await super().answer(request)


@fault(warned=["line.method"])
class BidsForGet(Honest):
    methods = ("POST", "GET")


@fault(warned=["line.expect"])
class KnowsNoExpect(Honest):
    async def answer(self, request):
        if "expect" in request.headers:
            return self.message(500, {})
        return await super().answer(request)


@fault(warned=["line.old"])
class KnowsNoOldHttp(Honest):
    async def answer(self, request):
        if request.version == "HTTP/1.0":
            return self.message(505, {})
        return await super().answer(request)


@fault("line.burst")
class RunsDry(Honest):
    """A connection to its database is lost whenever two pings meet."""

    under_way = 0
    left = 20

    async def ping(self, request, told):
        self.left -= self.under_way > 0
        self.under_way += 1
        await asyncio.sleep(0)
        self.under_way -= 1
        return await super().ping(request, told) if self.left > 0 else self.message(500, {})


# Posts


@fault("post.time")
class NeverAnswersPosts(Honest):
    async def post(self, request, told):
        return None


@fault("post.readable")
class SaysOk(Honest):
    async def post(self, request, told):
        return self.raw(200, b"OK")


@fault("post.readable")
class SaysSuccess(Honest):
    async def post(self, request, told):
        return self.message(200, {"status": "success"})


@fault(warned=["post.refusal", "post.accepts"])
class RefusesByStatus(Honest):
    async def post(self, request, told):
        return self.message(422, {})


@fault(warned=["post.accepts"])
class RefusesAll(Honest):
    async def take(self, told):
        return {"accepted": False, "reason": "not today"}


@fault("post.twice", "post.together")
class MakesTwoSalesOfOne(Honest):
    async def post(self, request, told):
        self.sales[len(self.sales)] = told["sale_id"]
        return self.message(200, {"accepted": True, "reference": str(len(self.sales))})


@fault("post.twice", "post.together")
class CallsRepetitionsDuplicates(Honest):
    async def post(self, request, told):
        if request.key in self.sales:
            return self.message(200, {"accepted": False, "reason": "duplicate"})
        return await super().post(request, told)


@fault("post.together")
class ChecksBeforeItInserts(Honest):
    async def take(self, told):
        await asyncio.sleep(0.02)
        self.numbers = getattr(self, "numbers", 0) + 1
        return {"accepted": True, "reference": str(self.numbers)}

    async def post(self, request, told):
        if request.key in self.sales:
            return self.message(200, self.sales[request.key])
        self.sales[request.key] = taken = await self.take(told)
        return self.message(200, taken)


@fault("post.two")
class HasOneReference(Honest):
    async def take(self, told):
        return {"accepted": True, "reference": "accepted"}


@fault("post.unpinged")
class MissesThePing(Honest):
    async def ping(self, request, told):
        self.sales[told["ping_id"]] = True
        return await super().ping(request, told)

    async def post(self, request, told):
        if told["ping_id"] is not None and told["ping_id"] not in self.sales:
            return self.message(500, {})
        return await super().post(request, told)


@fault(warned=["post.reference"])
class GivesNoReference(Honest):
    async def take(self, told):
        return {"accepted": True}


@fault(warned=["post.price"])
class PaysLess(Honest):
    async def take(self, told):
        return {**await super().take(told), "price": 1}


@fault(warned=["post.cheaper"])
class InsistsOnItsBid(Honest):
    async def take(self, told):
        if told["price"] != PRICE:
            return {"accepted": False, "reason": "not my price"}
        return await super().take(told)


@fault(warned=["post.echo"])
class RepeatsThePerson(Honest):
    async def take(self, told):
        return {**await super().take(told), "for": told["lead"]["email"]}


@fault("post.little")
class NeedsAnAddress(Honest):
    async def post(self, request, told):
        if "address" not in told["lead"]:
            return self.message(500, {})
        return await super().post(request, told)


@fault("post.more")
class KnowsAllOfAPost(Honest):
    async def post(self, request, told):
        return (
            self.message(500, {}) if "certify_text" in told else await super().post(request, told)
        )


@fault("post.names")
class KnowsAsciiNames(Honest):
    async def post(self, request, told):
        if not told["lead"]["first_name"].isascii():
            return self.message(500, {})
        return await super().post(request, told)


@fault("post.garbage")
class TakesGarbage(Honest):
    async def answer(self, request):
        if request.path == "/post" and request.body == b'{"ping_id":':
            return self.message(200, {"accepted": True})
        return await super().answer(request)


# Those who are called by a mapping


class Foreign(Honest):
    """Speaks as the platform of phonexa-like does; knows no signatures."""

    yes = "continue"
    taken = 1
    price = 12.5

    async def answer(self, request):
        if request.method != "POST":
            return self.message(405, {})
        if not request.body.startswith(b"apiId="):
            return self.message(400, {"status": "error"})
        return await (self.ping if request.path == "/ping" else self.post)(request, None)

    async def ping(self, request, told):
        self.pings += 1
        return self.message(
            200, {"status": self.yes, "price": self.price, "promise": f"P{self.pings}"}
        )

    async def post(self, request, told):
        if request.key not in self.sales:
            number = len(self.sales) + 1
            self.sales[request.key] = {"status": self.taken, "lead_id": f"L{number}"}
        return self.message(200, self.sales[request.key])


class SaysMaybe(Foreign):
    yes = "maybe"


class SaysSeven(Foreign):
    taken = 7


class NamesNoPrice(Foreign):
    price = None


class ForgetsSales(Foreign):
    async def post(self, request, told):
        self.sales[len(self.sales)] = None
        return self.message(200, {"status": 1, "lead_id": f"L{len(self.sales)}"})
