"""How each kind of value is read: any scalar, of a form or of JSON, to one spelling or a reason."""

import re
import unicodedata
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import urlsplit

from exchange.intake.dates import YEAR_MAX, YEAR_MIN, normalize_date
from exchange.intake.email import normalize_email
from exchange.intake.errors import Bad, bad_value, wrong_type
from exchange.intake.numbers import normalize_exact, normalize_whole
from exchange.intake.phone import normalize_phone
from exchange.intake.spellings import BOOLS, state_code

URL_LENGTH_MAX = 2048
IP_LENGTH_MAX = 64
COMPOSED_LENGTH_MAX = 256

A_TEXT = wrong_type("a text")
A_SCALAR = wrong_type("a text, a number or a boolean")

ADDRESSED = re.compile(r"https?://[^/?#]{1,300}(?:[/?#]|\Z)", re.IGNORECASE)
"""What a URL begins with; a longer host is no host, and takes long to be found wrong."""
HOST = re.compile(r"[^\s/?#@\[\]\\]+|\[[0-9A-Fa-f:.]+\]")
PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.-]{1,300}(?:[/?#][!-~]*)?\Z")
"""What nearly every URL looks like, without a port; whatever looks otherwise takes the long way."""
OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
PLAIN_IP = re.compile(rf"{OCTET}(?:\.{OCTET}){{3}}")
"""An IPv4 address in its one spelling."""
WHOLE_LIMIT = 10**15
"""Whole numbers with more digits are read as texts are: none of them is taken."""

# Controls, and marks that are seen by no one but turn the reading direction or break a match.
INVISIBLE = dict.fromkeys(
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x200B,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    ]
)


def absent(raw: object) -> bool:
    """Tell whether a value says nothing: null, or a text of blanks."""
    return raw is None or (isinstance(raw, str) and (not raw or raw.isspace()))


def scalar_text(raw: object) -> str | None:
    """Return how a form would spell this value, or None for lists, objects, absurd numbers."""
    if isinstance(raw, str):
        return raw.strip()
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, Decimal):
        return format(raw, "f")
    return None


def clean(text: str) -> str:
    """Return the text in one line: blanks collapsed, without invisible characters, composed.

    Composing takes time that grows with the square of a run of accents, so that long texts are
    left as they came.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = " ".join(text.split())
    if not text.isprintable():
        text = " ".join(text.translate(INVISIBLE).split())
    if len(text) > COMPOSED_LENGTH_MAX or text.isascii():
        return text
    return unicodedata.normalize("NFC", text)


NO_LETTER = bad_value("must contain a letter")


def name(raw: object) -> str | Bad:
    """Read a person's or a city's name in any script."""
    if not isinstance(raw, str):
        return A_TEXT
    text = clean(raw)
    return text if text.isalpha() or any(map(str.isalpha, text)) else NO_LETTER


EMPTY = bad_value("must contain a visible character")


def line(raw: object) -> str | Bad:
    """Read a text of one line; a number is taken as its digits."""
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return A_TEXT
    return clean(text) or EMPTY


def lines(raw: object) -> str | Bad:
    """Read a text that may have several lines."""
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return A_TEXT
    if "\n" not in text and "\r" not in text:
        return clean(text) or EMPTY
    return "\n".join(clean(part) for part in text.splitlines()).strip() or EMPTY


def phone(raw: object) -> str | Bad:
    """Read a telephone number as E.164."""
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        return A_TEXT
    return normalize_phone(str(raw).strip())


def email(raw: object) -> str | Bad:
    """Read an e-mail address."""
    return normalize_email(raw.strip()) if isinstance(raw, str) else A_TEXT


A_URL = bad_value("must be an http or https URL")


def url(raw: object) -> str | Bad:
    """Read an absolute URL of the web."""
    if not isinstance(raw, str):
        return A_TEXT
    text = raw.strip()
    if len(text) <= URL_LENGTH_MAX and PLAIN_URL.match(text):
        return text
    return any_url(text)


def any_url(text: str) -> str | Bad:
    """Return what is an absolute URL of the web, however it looks: the long way."""
    if len(text) > URL_LENGTH_MAX or not text.isprintable() or " " in text:
        return A_URL
    if not ADDRESSED.match(text):
        return A_URL
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - a port that is no number raises here and nowhere earlier
    except ValueError:
        return A_URL
    host = parts.netloc.rpartition("@")[2]
    return text if parts.scheme in {"http", "https"} and HOST.match(host) else A_URL


AN_IP = bad_value("must be an IPv4 or IPv6 address")


def ip(raw: object) -> str | Bad:
    """Read an IP address in its shortest spelling, without a zone."""
    if not isinstance(raw, str):
        return A_TEXT
    text = raw.strip()
    if PLAIN_IP.fullmatch(text):
        return text
    if len(text) > IP_LENGTH_MAX or "%" in text:
        return AN_IP
    try:
        return ip_address(text).compressed
    except ValueError:
        return AN_IP


A_STATE = bad_value("must be a state of the United States, by name or two-letter code")


def us_state(raw: object) -> str | Bad:
    """Read a state as its two-letter code."""
    return state_code(raw.strip()) or A_STATE if isinstance(raw, str) else A_TEXT


A_DATE = bad_value(
    f"must be a day as YYYY-MM-DD, M/D/YYYY or YYYYMMDD, from {YEAR_MIN} to {YEAR_MAX}"
)


def day(raw: object) -> str | Bad:
    """Read a day as ISO 8601."""
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return A_TEXT
    return normalize_date(text) or A_DATE


A_BOOL = bad_value("must be yes or no, true or false, 1 or 0")


def boolean(raw: object) -> bool | Bad:
    """Read yes or no in the many ways in which forms say it."""
    if isinstance(raw, bool):
        return raw
    text = scalar_text(raw)
    if text is None:
        return A_SCALAR
    value = BOOLS.get(text.casefold())
    return A_BOOL if value is None else value


A_WHOLE = bad_value("must be a whole number")


def whole(raw: object) -> int | Bad:
    """Read a whole number."""
    if type(raw) is int and -WHOLE_LIMIT < raw < WHOLE_LIMIT:
        return raw
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return wrong_type("a whole number")
    value = normalize_whole(text)
    return A_WHOLE if value is None else value


AN_EXACT = bad_value("must be a number with at most ten decimals")


def exact(raw: object) -> Decimal | Bad:
    """Read an exact number."""
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return wrong_type("a number")
    value = normalize_exact(text)
    return AN_EXACT if value is None else value
