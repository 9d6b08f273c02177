"""Buyers that never heard of our format: small servers, each with its own way to be asked.

`Foreign` keeps every request byte by byte and answers by what a test puts on its desk.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    """With the query, still escaped."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """What stands in an urlencoded body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def header(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def whole(self) -> bytes:
        """All of it, to be searched."""
        head = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.path}\n{head}\n".encode() + self.body


@dataclass(frozen=True)
class Says:
    """What a desk answers."""

    body: str
    status: int = 200
    content_type: str = "text/html"
    """They lie, as they do outside."""


Answers = Callable[[Seen], Says]


@dataclass
class Foreign:
    """A server with desks by path."""

    base_url: str = ""
    desks: dict[str, Says | list[Says] | Answers] = field(default_factory=dict)
    """Always this; these in turn, the last one for ever; or as the request deserves."""
    seen: defaultdict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))

    async def handle(self, request: web.Request) -> web.Response:
        """Keep the request and answer it."""
        one = Seen(
            request.method,
            request.raw_path,
            tuple(request.headers.items()),
            await request.read(),
        )
        self.seen[request.path].append(one)
        said: Any = self.desks[request.path]
        if callable(said):
            said = said(one)
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        return web.Response(text=said.body, status=said.status, content_type=said.content_type)


@asynccontextmanager
async def foreign(**desks: Says | list[Says] | Answers) -> AsyncIterator[Foreign]:
    """Run a server; `form_ping=…` is the desk at `/form/ping`."""
    server = Foreign(desks={f"/{name.replace('_', '/')}": said for name, said in desks.items()})
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", server.handle)
    async with TestServer(application) as running:
        server.base_url = str(running.make_url("")).rstrip("/")
        yield server


def offer(
    server: Foreign,
    mapping: str,
    *,
    name: str | None = None,
    ping: bool = True,
    post: str = 'on_no_answer = "wait"',
    more: str = "",
) -> str:
    """Return a buyer with one offer in this dialect; its own name is the mapping's."""
    name = name or mapping
    url = f"{server.base_url}/{name}"
    asked = f'ping = {{ url = "{url}/ping", timeout_ms = 900 }}\n' if ping else ""
    return f"""
[[buyer]]
id = "{name}"
name = "{name.title()}"
[[buyer.offer]]
id = "{name}"
vertical = "auto_insurance"
format = "{mapping}"
{asked}post = {{ url = "{url}/post", timeout_ms = 400, {post} }}
{more}
"""


FORM = """
[[mapping]]
id = "form"
params = { api_id = "77" }
maps = { tiers = { excellent = "A", "*" = "C" } }
[mapping.value.segment]
cases = [ { when = "currently_insured", then = "kept" } ]
else = "new"
[mapping.ping]
[mapping.ping.body.form]
apiId = "{param.api_id}"
zip = "{lead.zip}"
band = "{lead.age_band}"
insured = "{lead.currently_insured|yes_no}"
credit = "{lead.credit|map(tiers)}"
segment = "{value.segment}"
tel = "{lead.phone_hash}"
ref = "{ping.id}"
tmax = "{auction.tmax_ms}"
src = "{source.id}"
[mapping.ping.yes]
path = "status"
equals = ["continue"]
[mapping.ping.no]
path = "status"
equals = ["reject"]
reason = { path = "why" }
[mapping.ping.price]
path = "price"
[mapping.ping.token]
path = "promise"
[mapping.post.body.form]
apiId = "{param.api_id}"
promise = "{bid.token}"
firstName = "{lead.first_name}"
phone = "{lead.phone|national}"
email = "{lead.email}"
price = "{sale.price|money}"
[mapping.post.accepted]
path = "status"
equals = [1]
[mapping.post.refused]
path = "status"
equals = [2, 5]
reason = { path = "text" }
[mapping.post.duplicate]
path = "text"
equals = ["duplicate"]
[mapping.post.pending]
path = "status"
equals = [3]
[mapping.post.reference]
path = "lead_id"
[mapping.post.redirect]
path = "redirect_url"
[mapping.post.price]
path = "paid"
"""
"""A form out, JSON that calls itself HTML back; not idempotent."""

XML = """
[[mapping]]
id = "xml"
idempotent = true
[mapping.ping]
headers = { X-Dialect = "{lead.state}" }
body.xml = '''<?xml version="1.0"?><ping ref="{ping.id}"><zip>{lead.zip}</zip></ping>'''
yes = { path = "result.code", equals = ["0"] }
no = { path = "result.code", equals = ["9"] }
price = { path = "result.bid.@amount" }
token = { path = "result.session" }
[mapping.post]
body.xml = '''<lead session="{bid.token}"><name>{lead.first_name} {lead.last_name}</name></lead>'''
accepted = { path = "code", equals = ["0"] }
refused = { status = true, equals = [400] }
duplicate = { path = "code", equals = ["7"] }
reference = { path = "code.@id" }
"""
"""XML both ways; knows a repetition again."""

DIRECT = """
[[mapping]]
id = "direct"
[mapping.post]
method = "GET"
body.query = { fn = "{lead.first_name}", ph = "{lead.phone|dashes}", dob = "{lead.birth_date|date(MM/DD/YYYY)}" }
accepted = { text = true, contains = "success" }
refused = { regex = "error: (.*)", present = true }
"""  # noqa: E501 - one query as it stands
"""A direct post in the address, a word back."""

CRM = """
[[mapping]]
id = "crm"
auth = { bearer = "{secret:crm_key}" }
[mapping.post]
method = "PUT"
headers = { X-Tenant = "{secret:tenant}" }
body.json = { person = { phones = ["{lead.phone}"], age = "{lead.age}" }, key = "{secret:tenant}" }
accepted = { status = true, equals = [201] }
refused = { status = true, equals = [409, 422], reason = { path = "errors[0].message" } }
reference = { path = "id" }
"""
"""A CRM's REST interface: JSON, a bearer key, statuses."""
