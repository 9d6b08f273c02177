"""Secrets are taken out of what people are shown, in every spelling that a message gives them."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

from exchange.dialect.escaping import in_cdata, in_xml_attribute, in_xml_text
from exchange.dialect.words import encode, whole

MASK = b"***"

Redact = Callable[[bytes], bytes]


def redaction(secrets: Iterable[str]) -> Redact:
    """Return what takes these secrets out of a request, or an answer."""
    spelled = {spelling for secret in secrets if secret for spelling in spellings(secret)}
    if not spelled:
        return lambda raw: raw
    longest_first = sorted(spelled, key=lambda spelling: (-len(spelling), spelling))
    pattern = re.compile(b"|".join(map(re.escape, longest_first)))
    return lambda raw: pattern.sub(MASK, raw)


def spellings(secret: str) -> Iterator[bytes]:
    """Yield a secret as forms, URLs, XML, JSON, headers and base64 spell it.

    Also XML and JSON inside a form's field, or behind a URL.
    """
    secret = whole(secret)
    for text in {secret, secret.strip()} - {""}:
        raw = text.encode()
        yield from (raw, text.encode("latin-1", "replace"))
        yield from (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
        yield text.encode("ascii", "backslashreplace")
        for written in {text, *_within(text)}:
            yield written.encode()
            yield from _quoted(written)


def _within(text: str) -> Iterator[str]:
    """Yield a text as JSON and XML hold it."""
    json = encode(text)[1:-1].decode()
    yield from (json, json.replace("/", "\\/"))
    yield from (in_xml_text(text), in_xml_attribute(text), in_cdata(text))
    yield from (escape(text), escape(text, quote=False))


def _quoted(text: str) -> Iterator[bytes]:
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield quoted.encode()
        yield re.sub("%..", lambda found: found.group().lower(), quoted).encode()
