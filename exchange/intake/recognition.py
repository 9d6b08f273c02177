"""By which digests a person is recognized, from what was given in clear or as a digest."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from exchange.domain.lead import Fingerprint, Value
from exchange.domain.vertical import FieldType
from exchange.intake.errors import Errors, bad_value, wrong_type
from exchange.intake.phone import hashed_digits
from exchange.intake.readers import absent
from exchange.intake.schema import Schema

PATTERNS = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "md5": re.compile(r"[0-9a-f]{32}\Z")}

MD5_WARNING = "MD5 digests can be undone by trying all numbers; send SHA-256 instead"


class Recognition(msgspec.Struct, frozen=True):
    """A fingerprint, and whether the seller gave an MD5 for it."""

    fingerprint: Fingerprint
    gave_md5: bool = False


def recognize(
    schema: Schema, values: Mapping[str, Value], lead: Mapping[str, object], errors: Errors
) -> Recognition:
    """Return the digests of all telephone numbers and addresses of a lead.

    A digest beside the value in clear must be the value's own.
    """
    sha256: dict[str, str] = {}
    md5: dict[str, str] = {}
    gave_md5 = False
    gives_digests = not schema.digests.isdisjoint(lead)
    for name, kind in schema.recognized:
        value = values.get(name)
        if isinstance(value, str):
            clear = (hashed_digits(value) if kind is FieldType.PHONE else value.lower()).encode()
            sha256[name] = hashlib.sha256(clear).hexdigest()
            # What buyers and sellers of older systems compare by; nothing here relies on it.
            md5[name] = hashlib.md5(clear, usedforsecurity=False).hexdigest()
        if gives_digests:
            read_digest(name, "sha256", lead, sha256, errors)
            gave_md5 |= read_digest(name, "md5", lead, md5, errors)
    return Recognition(Fingerprint(sha256, md5), gave_md5)


def read_digest(
    name: str, kind: str, lead: Mapping[str, object], digests: dict[str, str], errors: Errors
) -> bool:
    """Take a digest that the seller gave for a field, and tell whether there was a good one."""
    given_as = f"{name}_{kind}"
    raw = lead.get(given_as)
    if absent(raw):
        return False
    if not isinstance(raw, str):
        errors.keep(f"lead.{given_as}", wrong_type("a text"))
        return False
    digest = raw.strip().lower()
    if not PATTERNS[kind].match(digest):
        errors.keep(f"lead.{given_as}", bad_value(f"must be a {kind} digest in lower-case hex"))
        return False
    if digests.setdefault(name, digest) != digest:
        errors.keep(f"lead.{given_as}", bad_value(f"must be the digest of {name}"))
        return False
    return True
