"""What a seller sends beyond the schema: kept, because a buyer may want it, and bounded."""

from collections.abc import Mapping
from decimal import Decimal

from exchange.intake.errors import Errors, wrong_type
from exchange.intake.readers import clean, scalar_text

VALUES_MAX = 400
"""How many values, nested ones counted, the unknown fields of a request have together."""
CHARACTERS_MAX = 8_000
DEPTH_MAX = 4
INT_MAX = 2**63 - 1

TRACKING_FIELDS_MAX = 50
TRACKING_LENGTH_MAX = 500


class Room:
    """How much may still be kept; `cut` once something was left away for want of it."""

    __slots__ = ("characters", "cut", "values")

    def __init__(self) -> None:
        self.values = VALUES_MAX
        self.characters = CHARACTERS_MAX
        self.cut = False

    def take(self, value: object, depth: int = 0) -> object:
        """Return a copy of the value, as much of it as there is room for.

        Exact numbers are kept as their text: they would be read back as one in any case.
        """
        if isinstance(value, dict):
            return self.take_object(value, depth)
        if isinstance(value, list):
            return self.take_list(value, depth)
        if isinstance(value, str):
            return self.take_text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) <= INT_MAX:
            return value
        return (
            self.take_text(scalar_text(value) or "") if isinstance(value, int | Decimal) else None
        )

    def take_text(self, text: str) -> str:
        """Return as much of a text as there is room for."""
        kept = text[: self.characters]
        self.characters -= len(kept)
        self.cut = self.cut or len(kept) < len(text)
        return kept

    def take_list(self, items: list[object], depth: int) -> list[object]:
        """Return as many items as there is room for."""
        kept: list[object] = []
        for item in items:
            if not self.has_one_more(depth):
                break
            kept.append(self.take(item, depth + 1))
        return kept

    def take_object(self, items: Mapping[str, object], depth: int) -> dict[str, object]:
        """Return as many entries as there is room for."""
        kept: dict[str, object] = {}
        for name, item in items.items():
            if not self.has_one_more(depth):
                break
            kept[self.take_text(name)] = self.take(item, depth + 1)
        return kept

    def has_one_more(self, depth: int) -> bool:
        """Take the place of one more value, or tell that there is none."""
        if self.values <= 0 or self.characters <= 0 or depth >= DEPTH_MAX:
            self.cut = True
            return False
        self.values -= 1
        return True


def read_extra(unknown: Mapping[str, object]) -> tuple[dict[str, object], bool]:
    """Return unknown fields within their bounds, and whether something was cut away."""
    room = Room()
    return room.take_object(unknown, 0), room.cut


def read_tracking(raw: object, errors: Errors) -> dict[str, str]:
    """Return the seller's own marks as texts; those beyond the bounds are left away."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        errors.keep("tracking", wrong_type("an object"))
        return {}
    tracking: dict[str, str] = {}
    for name, value in raw.items():
        text = scalar_text(value)
        if text and len(name) <= TRACKING_LENGTH_MAX and len(tracking) < TRACKING_FIELDS_MAX:
            tracking[clean(name)] = clean(text[:TRACKING_LENGTH_MAX])
    return tracking
