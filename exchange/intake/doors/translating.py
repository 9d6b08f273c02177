"""From a sender's words to the contract's: every rule takes its value, what is left is `extra`."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from exchange.dialect.words import alike
from exchange.domain.door import Does, Format, Opening, Sent, Translated
from exchange.intake.doors.paths import Reading
from exchange.intake.doors.taking import Taker, text_taken
from exchange.intake.forms import LISTS, control
from exchange.intake.numbers import normalize_exact
from exchange.intake.readers import scalar_text

LEAD = "lead"
TEXTS = frozenset({"campaign", "source", "seller_ref", "ping_id"})
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
NO_WORD = re.compile(r"[^a-z0-9]+")
LOWERED = bytes(range(256)).lower()
NO_WORD_BYTES = bytes(code for code in range(128) if not chr(code).isalnum())

Takers = Mapping[str, Taker]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All that one call reads, compiled."""

    does: Does | Taker
    key: Taker | None
    lead_id: Taker | None
    idempotency_key: Taker | None
    choose: Taker | None
    format: Format
    controls: Takers
    """By our name: `campaign`, `source`, `min_price` …"""
    consent: Takers
    tracking: Takers
    passed_over: tuple[Taker, ...]
    fields: Mapping[str | None, Takers]
    """By vertical; None: for leads of which no vertical is known."""
    names: Mapping[str | None, frozenset[str]]
    """By vertical: fields that are also read where they stand under our own names."""
    bare_names: frozenset[bytes]
    """What these have in common with all their spellings: whatever lacks it is none of them."""

    def openers(self) -> tuple[Taker, ...]:
        """Return what is read before the lead, and is no part of it."""
        takers = (self.key, self.lead_id, self.idempotency_key, self.choose)
        found = [taker for taker in takers if taker is not None]
        return (*found, self.does) if isinstance(self.does, Taker) else tuple(found)


def opening(rules: Rules, sent: Sent) -> Opening:
    """Return who sends, what is wanted, and how it is to be answered."""
    reading = Reading(sent)

    def text(taker: Taker | None) -> str | None:
        return None if taker is None else text_taken(taker.take(reading))

    return Opening(
        key=text(rules.key),
        does=wanted(rules.does, reading),
        format=format_of(text(rules.choose), rules.format),
        ping_id=text(rules.controls.get("ping_id")),
        lead_id=text(rules.lead_id),
        idempotency_key=text(rules.idempotency_key),
    )


def wanted(does: Does | Taker, reading: Reading) -> Does:
    """Return what a request wants to be done; a post where it says no word that is known."""
    if isinstance(does, Does):
        return does
    word = alike(text_taken(does.take(reading)))
    return Does(word) if word in WORDS else Does.POST


WORDS = frozenset(word.value for word in Does)


def format_of(text: str | None, usual: Format) -> Format:
    """Return the format that a text names, however: `XML`, `application/json`."""
    lowered = (text or "").lower()
    places = {lowered.find(name.value): name for name in Format if name.value in lowered}
    return places[min(places)] if places else usual


def campaign(rules: Rules, sent: Sent) -> str | None:
    """Return the campaign that a request names."""
    taker = rules.controls.get("campaign")
    return None if taker is None else text_taken(taker.take(Reading(sent)))


def translated(
    rules: Rules, sent: Sent, campaign_id: str | None, vertical_id: str | None
) -> Translated:
    """Return the request in our words, as a lead of this campaign and vertical."""
    vertical = vertical_id if vertical_id in rules.fields else None
    work = Work(sent)
    for taker in (*rules.openers(), *rules.passed_over):
        taker.take(work.reading)
    fields = work.take(rules.controls, "", typed)
    if campaign_id is not None:
        fields["campaign"] = campaign_id
    lead = work.take(rules.fields[vertical], f"{LEAD}.")
    work.take_same_names(lead, rules.names[vertical], rules.bare_names)
    fields[LEAD] = lead
    fields["consent"] = work.take(rules.consent, "consent.")
    fields["tracking"] = work.take(rules.tracking, "tracking.")
    return work.done(fields, (*rules.openers(), *rules.passed_over))


class Work:
    """One request while it is translated."""

    def __init__(self, sent: Sent) -> None:
        self.reading = Reading(sent)
        self.read: dict[str, tuple[str, ...]] = {}

    def take(
        self,
        takers: Takers,
        group: str,
        change: Callable[[str, object], object] = lambda _, value: value,
    ) -> dict[str, object]:
        """Return the values that are there, by our names."""
        found: dict[str, object] = {}
        for name, taker in takers.items():
            taken = taker.take(self.reading)
            if taken is not None:
                found[name] = change(name, taken.value)
                self.read[group + name] = taken.places
        return found

    def take_same_names(
        self, lead: dict[str, object], names: frozenset[str], bare: frozenset[bytes]
    ) -> None:
        """Add what stands at the top under one of our own names and was not read by a rule."""
        if not names:
            return
        for place, value in self.reading.tops():
            told = str(place[1])
            if told not in names and bare_name(told) not in bare:
                continue
            name = told if told in names else plain_name(told)
            if name in names and name not in lead and not isinstance(value, dict):
                self.reading.read.add(place)
                lead[name] = value
                self.read[f"{LEAD}.{name}"] = (told,)

    def done(self, fields: dict[str, object], openers: tuple[Taker, ...]) -> Translated:
        """Return all that was read, and what was not."""
        over = [taker.name for taker in openers if taker.name is not None]
        return Translated(
            fields=fields,
            extra=self.reading.rest(),
            read=self.read,
            passed_over=tuple(dict.fromkeys(over)),
        )


def bare_name(told: str) -> bytes:
    """Return what a name and its plain form have in common: most of a request is told by it."""
    return told[:100].encode("ascii", "ignore").translate(LOWERED, NO_WORD_BYTES)


def plain_name(told: str) -> str:
    """Return a name as ours are written: `Vehicle Year`, `vehicleYear` as `vehicle_year`."""
    return NO_WORD.sub("_", HUMP.sub("_", told[:100]).lower()).strip("_")


def typed(name: str, value: object) -> object:
    """Return a control field with the type that the contract wants; what it cannot be stays."""
    if name in LISTS:
        return listed(value)
    text = scalar_text(value)
    if text is None:
        return value
    if name in TEXTS:
        return text
    if name == "min_price" and not isinstance(value, int | Decimal):
        amount = normalize_exact(text)
        return text if amount is None else amount
    return control(name, text)


def listed(value: object) -> object:
    """Return a list of texts, from a list or from a text with commas."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]
