"""What a ping may show of a lead: an allow-list by the vertical's `show`, and keyed hashes.

A field that is not named by its vertical never leaves, an identity field at most as a hash that
its buyer alone can compare, and what is shown coarsely is made coarse here.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

from exchange.domain.age import age_band, age_on, local_day
from exchange.domain.keyed import hmac_sha256
from exchange.domain.lead import Fingerprint, Lead, Value
from exchange.domain.offer import HashKind, Offer
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical

BIRTH_DATES = frozenset({"birth_date", "date_of_birth", "dob"})
HASHED_TYPES = frozenset({FieldType.PHONE, FieldType.EMAIL})
SCORE = "score"
ZIP3_LENGTH = 3
ALIAS_BYTES = 12
ALIASES_MAX = 32_768
"""So many are remembered: every ping says one, and it is always the same."""

Coarsen = Callable[[str, Lead], Value]


def shown(lead: Lead, vertical: Vertical, hidden: frozenset[str]) -> dict[str, Value]:
    """Return what a ping shows of this lead, by name; `hidden` are fields that one offer is denied.

    Where the lead was scored, its score is shown like an attribute.
    """
    ping: dict[str, Value] = {}
    for name, field in vertical.fields.items():
        if name in lead.fields and name not in hidden:
            shown_as = shown_name(field)
            if shown_as is not None and shown_as not in hidden:
                ping[shown_as] = shown_value(field, lead.fields[name], lead)
    if SCORE in lead.derived and SCORE not in hidden:
        ping[SCORE] = lead.derived[SCORE]
    return ping


def shown_name(field: Field) -> str | None:
    """Return under which name a ping shows this field's value, or None where it never does.

    `birth_date` becomes `age_band`, `age` or `birth_year`, `zip` becomes `zip3`; any other
    field of the kind keeps its own name before that.
    """
    if field.privacy is Privacy.IDENTITY or field.show in {Show.HIDDEN, Show.HASH}:
        return None
    if field.show is Show.AS_IS:
        return field.name
    if field.show is Show.ZIP3:
        return f"{field.name}3"
    if field.name in BIRTH_DATES:
        return "birth_year" if field.show is Show.YEAR else field.show.value
    return f"{field.name}_{field.show.value}"


def shown_names(vertical: Vertical, hidden: frozenset[str]) -> frozenset[str]:
    """Return the names under which a ping would show these fields: all that must be taken out.

    Of an offer that may not see `birth_date` this is `birth_date` and `age_band`.
    """
    names = {
        shown_as
        for name in hidden
        if name in vertical.fields and (shown_as := shown_name(vertical.fields[name])) is not None
    }
    return hidden | names


def ping_names(vertical: Vertical, hidden: frozenset[str]) -> frozenset[str]:
    """Return every name under which a ping can show something of a lead to an offer.

    `hidden` as in `shown`; hashes that are denied as in `person_hash` are left out.
    """
    named = {
        shown_as
        for field in vertical.fields.values()
        if field.name not in hidden and (shown_as := shown_name(field)) is not None
    }
    hashes = {f"{name}_hash" for name in hashed_fields(vertical) if name not in hidden}
    return frozenset((named | hashes | {SCORE}) - hidden)


def shown_value(field: Field, value: Value, lead: Lead) -> Value:
    """Return a value as coarse as its field's `show` demands."""
    if field.show is Show.AS_IS:
        return value
    return COARSEN[field.show](str(value), lead)


def zip3(value: str, _: Lead) -> Value:
    """Return the part of a ZIP code that some hundred thousand people share."""
    return value[:ZIP3_LENGTH]


def year(value: str, _: Lead) -> Value:
    """Return the year of a date."""
    return int(value[:4])


def age(value: str, lead: Lead) -> int:
    """Return the age at the moment when the lead came, by the calendar where the lead lives."""
    zone_name = lead.derived.get("time_zone")
    zone = ZoneInfo(zone_name) if isinstance(zone_name, str) else None
    return age_on(local_day(lead.received_at_us, zone), value)


def band(value: str, lead: Lead) -> Value:
    """Return the band of five years that the age lies in."""
    return age_band(age(value, lead))


COARSEN: Mapping[Show, Coarsen] = {
    Show.ZIP3: zip3,
    Show.YEAR: year,
    Show.AGE: age,
    Show.AGE_BAND: band,
}


def hashed_fields(vertical: Vertical) -> tuple[str, ...]:
    """Return the fields that a ping shows as a hash, under their own name and `_hash`."""
    return tuple(
        field.name
        for field in vertical.fields.values()
        if field.show is Show.HASH and field.type in HASHED_TYPES
    )


def person_hash(fingerprint: Fingerprint, field: str, offer: Offer) -> str | None:
    """Return the hash by which this offer's buyer recognizes a person, or None where unknown.

    Keyed: hex HMAC-SHA-256 of the hex SHA-256, with the buyer's own key, so that no two buyers
    can compare what they were shown. A ping that brought only an MD5 has no keyed hash.
    """
    if offer.hidden and (field in offer.hidden or f"{field}_hash" in offer.hidden):
        return None
    if offer.hash_kind is HashKind.MD5:
        return fingerprint.md5.get(field)
    digest = fingerprint.sha256.get(field)
    if digest is None or offer.hash_kind is HashKind.SHA256:
        return digest
    if not offer.hash_key:
        return None  # under no key, trying all telephone numbers would find this one
    return hmac_sha256(offer.hash_key, digest.encode()).hex()


def source_alias(seller_id: str, source_id: str, offer: Offer) -> str:
    """Return a source's name for one buyer: always the same, and telling nothing of the seller."""
    assert offer.hash_key, "a keyed alias has a key"
    return _alias(offer.hash_key, seller_id, source_id)


@lru_cache(maxsize=ALIASES_MAX)
def _alias(key: bytes, seller_id: str, source_id: str) -> str:
    named = f"source\0{seller_id}\0{source_id}".encode()
    return hmac_sha256(key, named)[:ALIAS_BYTES].hex()
