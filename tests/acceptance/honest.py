"""A buyer's endpoint by hand, right in every point, to plant one fault in it."""

# ruff: noqa: ARG002 - a buyer need not look at all that it is told

import asyncio
import json
from contextlib import asynccontextmanager

from bidders.signature import Signatures

SECRET = "whsec_" + "c2VjcmV0IGZvciB0ZXN0cw=="
JSON = "application/json"
PRICE = 12.5
READ_MAX = 65_536
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request:
    """One request as it came."""

    def __init__(self, head, body):
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, self.version = line.split(" ")
        pairs = (one.partition(":") for one in lines)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.body = body

    @property
    def key(self):
        return self.headers.get("idempotency-key")


class Honest:
    """Bids 12.50 for every lead of auto_insurance, takes each sale once, checks signatures."""

    kind = JSON
    version = "HTTP/1.1"
    methods = ("POST",)

    def __init__(self):
        self.signatures = Signatures([SECRET])
        self.sales = {}
        self.pings = 0
        self.answers = 0
        self.said = {}

    async def serve(self, reader, writer):
        """Answer request after request."""
        try:
            while request := await self.read(reader, writer):
                self.answers += 1
                answer = await self.answer(request)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if self.closes(request):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def read(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        request = Request(head[:-4], b"")
        if "expect" in request.headers:
            writer.write(CONTINUE)
        request.body = await reader.readexactly(int(request.headers.get("content-length", 0)))
        return request

    def closes(self, request):
        return request.version == "HTTP/1.0"

    async def answer(self, request):
        """The whole answer, None for silence."""
        if request.method == "GET" and request.path.startswith("/status/"):
            known = self.genuine(request)
            return self.status(request.path[8:]) if known else self.message(401, {})
        if request.method not in self.methods:
            return self.message(405, {})
        if not self.genuine(request):
            return self.message(401, {})
        try:
            told = json.loads(request.body)
        except ValueError:
            return self.message(400, {})
        if request.path == "/ping":
            self.pings += 1
            return await self.ping(request, told)
        answer = self.said[request.key] = await self.post(request, told)
        return answer

    def status(self, sale_id):
        return self.said.get(sale_id) or self.message(404, {})

    def genuine(self, request):
        return self.signatures.accept(request.headers, request.body)

    async def ping(self, request, told):
        return self.bid(told) if told["vertical"] == "auto_insurance" else self.no_bid()

    def no_bid(self):
        return self.message(204, None)

    def bid(self, told):
        return self.message(200, {"bid": PRICE, "bid_id": told["ping_id"]})

    async def post(self, request, told):
        if request.key not in self.sales:
            self.sales[request.key] = await self.take(told)
        return self.message(200, self.sales[request.key])

    async def take(self, told):
        return {"accepted": True, "reference": f"crm-{told['sale_id']}"}

    def message(self, status, value, **headers):
        body = b"" if value is None else json.dumps(value).encode()
        return self.raw(status, body, **headers)

    def raw(self, status, body, **headers):
        lines = [f"{self.version} {status} Said", f"content-type: {self.kind}"]
        if status != 204:
            lines.append(f"content-length: {len(body)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def served(buyer, **how):
    """Lend the address of a buyer."""
    serving = {}

    async def serve(reader, writer):
        serving[asyncio.current_task()] = writer
        await buyer.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **how)
    scheme = "https" if how.get("ssl") else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in serving.values():
            writer.transport.abort()
        await asyncio.gather(*serving)
        await server.wait_closed()
