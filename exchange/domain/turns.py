"""Whose turn it is: what is asked of market state, and what is done where that says nothing."""

import hashlib
from math import log

import msgspec

from exchange.domain.ids import LeadId

LOOK = 0
"""The step of a turn that nobody gets: a quote only looks."""


class Candidate(msgspec.Struct, frozen=True):
    """Who could have a turn, and how often against the others."""

    offer_id: str
    weight: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of one lead in a stage."""

    scope: str
    """`campaign:auto-us`, with `:test` for test leads: whose turns they are."""
    stage: int
    lead_id: LeadId
    step: int
    """1 for the first turn of this lead, 2 where that came to nothing …, or LOOK."""
    candidates: tuple[Candidate, ...]
    """In the order that decides among equals; none: a refusal is taken note of, and no more."""
    follows_acceptance: bool = False
    refused: str = ""
    """Whose turn before ended with a refusal."""
    chosen: str = ""
    """Who has this turn in any case: a quote promised it."""


def turns_scope(campaign_id: str, *, test: bool) -> str:
    """Return whose turns those of this campaign's leads are."""
    return f"campaign:{campaign_id}:test" if test else f"campaign:{campaign_id}"


def by_lot(turn: Turn) -> tuple[str, ...]:
    """Return an order that is fair on average, without any memory; the same for the same lead.

    Weighted sampling without replacement (Efraimidis and Spirakis 2006): the least of
    `-log(u) / weight` comes first, `u` from a digest of the lead and the offer.
    """

    def lot(one: Candidate) -> tuple[bool, float]:
        digest = hashlib.sha256(f"{turn.lead_id}{one.offer_id}".encode()).digest()
        u = (int.from_bytes(digest[:6]) + 1) / 2**48
        return one.offer_id != turn.chosen, -log(u) / one.weight

    return tuple(one.offer_id for one in sorted(turn.candidates, key=lot))
