"""A consent as its seller states it, cleaned; and the part of it that a ping may show."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from exchange.domain.lead import ConsentMarks
from exchange.domain.person import Consent
from exchange.intake.dates import normalize_moment
from exchange.intake.errors import Bad, Errors, bad_value, wrong_type
from exchange.intake.readers import absent, boolean, clean, ip, line, lines, scalar_text, url

TEXT_LENGTH_MAX = 5_000
ID_LENGTH_MAX = 100
NAMES_MAX = 200
TOO_LONG = bad_value(f"must have at most {TEXT_LENGTH_MAX} characters")
ID_TOO_LONG = bad_value(f"must have at most {ID_LENGTH_MAX} characters")
PING_HOST = "ping.trustedform.com"


class ConsentRead(msgspec.Struct, frozen=True):
    """A consent in whole, and its marks."""

    consent: Consent = Consent()
    marks: ConsentMarks = ConsentMarks()


def read_consent(raw: object, errors: Errors) -> ConsentRead:
    """Return the consent; what is wrong with it goes to `errors`.

    TrustedForm gives out two addresses: the certificate, which shows a whole visit and so is
    for the winner alone, and a ping URL, by which a buyer may look up facts before. Only the
    second is a mark.
    """
    if raw is None:
        return ConsentRead()
    if not isinstance(raw, dict):
        errors.keep("consent", wrong_type("an object"))
        return ConsentRead()
    values: dict[str, Any] = {
        name: errors.keep(path, read(raw[name]))
        for name, path, read in TOLD
        if name in raw and raw[name] is not None and not absent(raw[name])
    }
    ping_url = values.pop("trustedform_ping_url", None)
    certificate = values.get("trustedform_url")
    if (
        certificate is not None
        and PING_HOST in certificate.lower()
        and urlsplit(certificate).hostname == PING_HOST
    ):
        ping_url = ping_url or certificate
    if values.get("named_buyers", ()) is None:
        del values["named_buyers"]
    consent = Consent(**values)
    return ConsentRead(consent, ConsentMarks(consent.tcpa, consent.jornaya_id, ping_url))


def a_wording(raw: object) -> str | Bad:
    """Read the sentence that the person agreed to."""
    if isinstance(raw, str) and len(raw) > 2 * TEXT_LENGTH_MAX:
        return TOO_LONG
    text = lines(raw)
    return TOO_LONG if isinstance(text, str) and len(text) > TEXT_LENGTH_MAX else text


def an_id(raw: object) -> str | Bad:
    """Read a certificate's id."""
    if isinstance(raw, str) and len(raw) > 2 * TEXT_LENGTH_MAX:
        return ID_TOO_LONG
    text = line(raw)
    return ID_TOO_LONG if isinstance(text, str) and len(text) > ID_LENGTH_MAX else text


def a_moment(raw: object) -> str | Bad:
    """Read when the person agreed."""
    text = scalar_text(raw)
    if text is None or isinstance(raw, bool):
        return wrong_type("a text")
    return normalize_moment(text) or bad_value("must be a moment as in RFC 3339")


def some_names(raw: object) -> tuple[str, ...] | Bad:
    """Read the companies to whom the person agreed."""
    listed = [raw] if isinstance(raw, str) else raw
    if not isinstance(listed, list) or len(listed) > NAMES_MAX:
        return wrong_type(f"a list of at most {NAMES_MAX} texts")
    names = tuple(clean(name) for name in listed if isinstance(name, str))
    return names if len(names) == len(listed) else wrong_type("a list of texts")


READERS: Mapping[str, Callable[[object], object]] = {
    "tcpa": boolean,
    "text": a_wording,
    "url": url,
    "ip": ip,
    "at": a_moment,
    "trustedform_url": url,
    "trustedform_ping_url": url,
    "jornaya_id": an_id,
    "named_buyers": some_names,
}
TOLD = tuple((name, f"consent.{name}", read) for name, read in READERS.items())
"""With the path under which what is wrong is told."""
