"""The two halves of a dialect, and its question about a sale, compiled for one offer."""

from collections.abc import Callable, Mapping

import msgspec

from exchange.contract.mapping import (
    BodyPart,
    MappedPingPart,
    MappedPostPart,
    MappedStatusPart,
    MappingPart,
    MessagePart,
    Method,
)
from exchange.dialect.bodies import EMPTY_BODY, Body, place_body, with_query
from exchange.dialect.faults import Place
from exchange.dialect.headers import compile_headers
from exchange.dialect.hearing import ping_ear, post_ear, status_ear
from exchange.dialect.proving import Prove, compile_proof
from exchange.dialect.redaction import Redact, redaction
from exchange.dialect.scope import Scope
from exchange.domain.dialect import (
    Heard,
    Message,
    Miss,
    PingSaid,
    PingView,
    PostSaid,
    PostView,
    StatusView,
)

SOAP_CONTENT_TYPE = "text/xml; charset=utf-8"
CONTENT_TYPE_MAX = 200


View = PingView | PostView | StatusView


class Speaking(msgspec.Struct, frozen=True):
    """How one message is made, sent and shown."""

    method: str
    headers: Mapping[str, str]
    render: Callable[[View], Message]
    proof: Prove
    redacted: Redact

    def __repr__(self) -> str:
        """Say the method; the rest may hold a secret."""
        return f"{type(self).__name__}({self.method})"


class Ping(Speaking, frozen=True):
    """One offer's pings, as `exchange.domain.dialect.PingDialect` promises."""

    read: Callable[[Heard], PingSaid]
    missed: Callable[[Heard], tuple[Miss, ...]]


class Status(Speaking, frozen=True):
    """One offer's questions, as `exchange.domain.dialect.StatusDialect` promises."""

    read: Callable[[Heard], PostSaid]
    missed: Callable[[Heard], tuple[Miss, ...]]


class Post(Status, frozen=True):
    """One offer's posts, as `exchange.domain.dialect.PostDialect` promises."""

    idempotent: bool

    def shown_by(self, mapping: MappingPart, part: MappedPostPart, masked: Scope) -> "Post":
        """Return the posts that are also rendered as people may see them later."""
        shown = speaking(mapping, part, masked, Place()).render
        sent = self.render

        def render(view: View) -> Message:
            message = sent(view)
            seen = shown(view)
            return message if seen == message else msgspec.structs.replace(message, shown=seen)

        return msgspec.structs.replace(self, render=render)


def ping_of(mapping: MappingPart, part: MappedPingPart, scope: Scope, place: Place) -> Ping:
    """Return the pings; what is wrong with them is kept at its place."""
    how = speaking(mapping, part, scope, place)
    ear = ping_ear(part, place)
    return Ping(**msgspec.structs.asdict(how), read=ear.read, missed=ear.missed)


def post_of(mapping: MappingPart, part: MappedPostPart, scope: Scope, place: Place) -> Post:
    """Return the posts; what is wrong with them is kept at its place."""
    how = speaking(mapping, part, scope, place)
    ear = post_ear(part, place)
    return Post(
        **msgspec.structs.asdict(how),
        read=ear.read,
        missed=ear.missed,
        idempotent=mapping.idempotent,
    )


def status_of(mapping: MappingPart, part: MappedStatusPart, scope: Scope, place: Place) -> Status:
    """Return the questions; what is wrong with them is kept at its place."""
    how = speaking(mapping, part, scope, place)
    ear = status_ear(part, place)
    return Status(**msgspec.structs.asdict(how), read=ear.read, missed=ear.missed)


def speaking(mapping: MappingPart, part: MessagePart, scope: Scope, place: Place) -> Speaking:
    """Return how a message is made; what is wrong with it is kept at its place."""
    body = _body(mapping, part, scope, place)
    headers = compile_headers(part.headers, scope, mapping.empty, place.at("headers"))
    own = place.at("auth") if part.auth is not None else Place(place.faults, ("auth",))
    proof = compile_proof(part.auth or mapping.auth, part.method, scope, own)
    fixed = {**_described(part, body, place), **headers.fixed}
    proving, prove = headers.proving, proof.prove
    render_body, render_headers = body.render, headers.render

    def render(view: object) -> Message:
        query, content = render_body(view)
        return Message(query, render_headers(view), content)

    def proven(url: str, message: Message, at_us: int) -> bytes:
        return proving + prove(url, message, at_us)

    return Speaking(
        method=part.method.value,
        headers=fixed,
        render=render,
        proof=proven if proving else prove,
        redacted=redaction((*body.secrets, *headers.secrets, *proof.secrets)),
    )


def _body(mapping: MappingPart, part: MessagePart, scope: Scope, place: Place) -> Body:
    body = EMPTY_BODY
    if part.body is not None:
        body = place_body(part.body, scope, mapping.empty, place.at("body"))
        if part.method is Method.GET and body.content_type is not None:
            place.at("body").fault("a GET carries none; write it as query")
    if part.query:
        if part.body is not None and part.body.query is not None:
            place.at("query").fault("stands in the body already; write it once")
        body = with_query(body, part.query, scope, mapping.empty, place.at("query"))
    return body


def _described(part: MessagePart, body: Body, place: Place) -> dict[str, str]:
    """Return the headers that tell what the body is."""
    content_type = body.content_type
    described = {}
    if part.soap_action is not None:
        if _kind_is_xml(part.body):
            content_type = SOAP_CONTENT_TYPE
        else:
            place.at("soap_action").fault("is for XML bodies")
        _check_line(part.soap_action, place.at("soap_action"))
        described["SOAPAction"] = f'"{part.soap_action.strip(chr(34))}"'
    if part.content_type is not None:
        _check_line(part.content_type, place.at("content_type"))
        content_type = part.content_type
    if content_type is not None:
        described["Content-Type"] = content_type
    return described


def _kind_is_xml(part: BodyPart | None) -> bool:
    return part is not None and part.xml is not None


def _check_line(text: str, place: Place) -> None:
    if len(text) > CONTENT_TYPE_MAX or not text.isascii() or not text.isprintable():
        place.fault(f"is one line of at most {CONTENT_TYPE_MAX} ASCII characters")
