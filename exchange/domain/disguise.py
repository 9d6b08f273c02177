"""The spellings that a value takes in other people's formats: what must be masked with it."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, quote_plus

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII)
HTML_APOSTROPHE = "&#x27;"
XML_APOSTROPHES = ("&#39;", "&apos;")
"""Ours in an attribute, and what most other programs write."""
HASHES = ("md5", "sha1", "sha256")
NATIONAL_DIGITS = 10


def spellings(value: str) -> Iterator[str]:
    """Yield a value as forms, URLs, XML, hashes and base64 write it, and dates as people do."""
    for text in dict.fromkeys((value, value.lower(), value.upper(), value.title())):
        yield from (quote(text), quote(text, safe=""), quote_plus(text))
        yield from (escape(text, quote=False), escape(text))
        yield from (escape(text).replace(HTML_APOSTROPHE, one) for one in XML_APOSTROPHES)
        yield base64.b64encode(text.encode()).decode().rstrip("=")
        yield from _hashes(text)
    digits = "".join(filter(str.isdigit, value))
    if len(digits) >= NATIONAL_DIGITS:
        for number in (digits, digits[-NATIONAL_DIGITS:]):
            yield from _hashes(number)
    date = _DATE.match(value)
    if date is not None:
        yield from _dates(*date.groups())


def _hashes(text: str) -> Iterator[str]:
    for name in HASHES:
        yield hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _dates(year: str, month: str, day: str) -> Iterator[str]:
    short = year[2:], month.lstrip("0"), day.lstrip("0")
    for y, m, d in ((year, month, day), short, (year, *short[1:]), (short[0], month, day)):
        for joint in ("/", "-", ".", "%2F", ""):
            yield from (joint.join(one) for one in ((m, d, y), (d, m, y), (y, m, d)))
