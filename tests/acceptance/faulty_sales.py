"""Buyers whose fault lies in the connection or in posts, and those called by a mapping."""

# ruff: noqa: ARG002 - a buyer need not look at all that it is told
import asyncio
import json

from tests.acceptance.faulty import FAULTS, fault
from tests.acceptance.honest import PRICE, READ_MAX, Honest, Request

__all__ = ["FAULTS"]
TORN = Request(b"POST /torn HTTP/1.1", b"")


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


# Questions about a sale


@fault("status.told")
class ForgetsWhatItTook(Honest):
    def status(self, sale_id):
        return self.message(404, {})


@fault("status.told")
class GivesASaleAnotherNumber(Honest):
    def status(self, sale_id):
        if sale_id not in self.said:
            return self.message(404, {})
        return self.message(200, {"accepted": True, "reference": "another"})


@fault("status.unknown")
class RefusesWhatItDoesNotKnow(Honest):
    def status(self, sale_id):
        return self.said.get(sale_id) or self.message(404, {"accepted": False})


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
