"""How the exchange proves who it is: basic, bearer, or a signature over the message."""

import base64
import hmac
from collections.abc import Callable

import msgspec

from exchange.contract.mapping import AuthPart, BasicPart, Encoding, HmacPart
from exchange.dialect.escaping import HEADER_LENGTH_MAX
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.headers import check_name, header_line
from exchange.dialect.scope import Getter, Scope
from exchange.dialect.template import Template, compile_template
from exchange.domain.dialect import Message, with_query
from exchange.domain.nearest import hint

US_PER_S = 1_000_000
KINDS = ("basic", "bearer", "hmac")

Prove = Callable[[str, Message, int], bytes]
"""Makes ready header lines from a URL, a message and the moment."""


class Proof(msgspec.Struct, frozen=True):
    """How a message proves who sends it, compiled."""

    prove: Prove
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show nothing; it holds secrets."""
        return "Proof()"


class Signing(msgspec.Struct, frozen=True):
    """What a signature may speak of."""

    method: str
    url: str
    message: Message
    at_s: int


SIGNED: dict[str, Getter] = {
    "body": lambda view: view.message.body.decode(errors="replace"),
    "query": lambda view: view.message.query.decode(errors="replace"),
    "method": lambda view: view.method,
    "url": lambda view: view.url,
    "timestamp": lambda view: view.at_s,
}


def compile_proof(part: AuthPart | None, method: str, scope: Scope, place: Place) -> Proof:
    """Return the proof; what is wrong with it is kept at its place."""
    if part is None:
        return fixed(b"")
    named = [kind for kind in KINDS if getattr(part, kind) is not None]
    if len(named) != 1:
        place.fault(f"is exactly one of {', '.join(KINDS)}")
        return fixed(b"")
    if part.basic is not None:
        return _basic(part.basic, _constants(scope), place.at("basic"))
    if part.bearer is not None:
        return _bearer(part.bearer, _constants(scope), place.at("bearer"))
    assert part.hmac is not None, "one of the three is named"
    return _signature(part.hmac, method, scope, place.at("hmac"))


def fixed(lines: bytes, secrets: tuple[str, ...] = ()) -> Proof:
    """Return the proof that is always the same."""
    return Proof(lambda _url, _message, _at_us: lines, secrets)


def _constants(scope: Scope, names: dict[str, Getter] | None = None) -> Scope:
    """Return a scope of parameters, secrets, and nothing of the message but these."""
    return msgspec.structs.replace(scope, names=names or {}, anything_under=())


def _text(text: str, scope: Scope, place: Place) -> Template | None:
    try:
        return compile_template(text, scope)
    except TemplateError as error:
        place.fault(str(error))
        return None


def _basic(part: BasicPart, scope: Scope, place: Place) -> Proof:
    user = _text(part.user, scope, place.at("user"))
    password = _text(part.password, scope, place.at("password"))
    if user is None or password is None:
        return fixed(b"")
    name = user.text(None) or ""
    if ":" in name:
        place.at("user").fault("may hold no colon")
    pair = f"{name}:{password.text(None) or ''}".encode()
    told = base64.b64encode(pair).decode()
    return fixed(
        header_line("Authorization", f"Basic {told}"), (*user.secrets, *password.secrets, told)
    )


def _bearer(text: str, scope: Scope, place: Place) -> Proof:
    template = _text(text, scope, place)
    token = (template and template.text(None)) or ""
    if not text:  # a parameter may be empty here: each offer brings its own
        place.fault("is empty")
    if not token.isascii() or not token.isprintable() or len(token) > HEADER_LENGTH_MAX:
        place.fault("holds a character that no header may hold, or is too long")
    secrets = template.secrets if template else ()
    return fixed(header_line("Authorization", f"Bearer {token}"), secrets)


def _signature(part: HmacPart, method: str, scope: Scope, place: Place) -> Proof:
    over = _text(part.over, _constants(scope, SIGNED), place.at("over"))
    check_name(part.header, place.at("header"))
    if part.timestamp_header is not None:
        check_name(part.timestamp_header, place.at("timestamp_header"))
    if not part.prefix.isascii() or not part.prefix.isprintable():
        place.at("prefix").fault("holds a character that no header may hold")
    key = _key(part.secret, scope, place.at("secret"))
    if over is None:
        return fixed(b"")
    head = f"{part.header}: {part.prefix}".encode()
    clock = None if part.timestamp_header is None else f"{part.timestamp_header}: ".encode()
    is_hex, algorithm, text = part.encoding is Encoding.HEX, part.algorithm.value, over.text

    def prove(url: str, message: Message, at_us: int) -> bytes:
        at_s = at_us // US_PER_S
        signed = text(Signing(method, with_query(url, message.query), message, at_s)) or ""
        digest = hmac.digest(key, signed.encode(errors="replace"), algorithm)
        told = digest.hex().encode() if is_hex else base64.b64encode(digest)
        lines = head + told + b"\r\n"
        return lines if clock is None else lines + clock + b"%d\r\n" % at_s

    return Proof(prove, (*over.secrets, key.decode(errors="replace")))


def _key(name: str, scope: Scope, place: Place) -> bytes:
    if scope.secrets is None:
        return b"untold"
    key = scope.secrets.get(name)
    if not key:
        place.fault(f'names the secret "{name}", which is not kept{hint(name, scope.secrets)}')
    return key or b"missing"
