"""What a condition inside a message may ask of: only what that message may show."""

from collections.abc import Mapping

from exchange.domain.anonymize import SCORE, hashed_fields, ping_names, shown_name
from exchange.domain.condition import Kind, Name
from exchange.domain.condition_names import EXCHANGE_NAMES, names_of
from exchange.domain.vertical import Show, Vertical

BESIDE = ("test", "source", "channel")
"""What conditions may ask of beside the lead."""
FOLLOWS = ("age", "state", SCORE)
"""What a post shows beside the vertical's fields."""

_COARSE = {
    Show.ZIP3: Name(Kind.TEXT),
    Show.AGE_BAND: Name(Kind.TEXT),
    Show.AGE: Name(Kind.NUMBER),
    Show.YEAR: Name(Kind.NUMBER),
}


def ping_kinds(vertical: Vertical, hidden: frozenset[str]) -> Mapping[str, Name]:
    """Return what a ping's conditions may ask of: what this offer is shown, and nothing else."""
    known = names_of(vertical)
    kinds = {SCORE: known[SCORE]}
    for field in vertical.fields.values():
        shown_as = shown_name(field)
        if shown_as is not None:
            kinds[shown_as] = _COARSE.get(field.show) or known[field.name]
    kinds.update({f"{name}_hash": Name(Kind.TEXT) for name in hashed_fields(vertical)})
    shown = ping_names(vertical, hidden)
    return {name: kind for name, kind in kinds.items() if name in shown} | _beside()


def post_kinds(vertical: Vertical) -> Mapping[str, Name]:
    """Return what a post's conditions may ask of: the vertical's fields and what follows."""
    known = names_of(vertical)
    own = {name: known[name] for name in (*vertical.fields, *FOLLOWS)}
    return {**ping_kinds(vertical, frozenset()), **own}


def _beside() -> dict[str, Name]:
    return {name: EXCHANGE_NAMES[name] for name in BESIDE}
