"""What must always hold, asked of the ledger itself: what breaks it, if anything does."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from exchange.domain.offer import Cap, CapKind
from exchange.ledger import sql
from exchange.ledger.connections import Connections
from exchange.ledger.stored import Violation

STATEMENTS = sql.read("check.sql")
TIMEOUT_S = 120.0


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger is checked against, beside what holds everywhere."""

    ended_before_us: int
    """Leads that came before this have an end, or a sale in doubt."""
    decided_before_us: int
    """Sales that were held before this are in doubt no more."""
    caps: Sequence[tuple[Cap, ZoneInfo]] = ()
    """Limits that held all the time, each in its buyer's zone; what is concurrent is not seen."""
    members: Mapping[str, Sequence[str]] = {}
    """By an account's scope: the offers that belong to it, and did all the time."""


async def violations(connections: Connections, rules: Rules) -> list[Violation]:
    """Return everything that must not be, as of one moment; raise LedgerUnavailable."""
    caps = [(cap, zone) for cap, zone in rules.caps if cap.kind is not CapKind.CONCURRENT]
    members = [(offer, scope) for scope, offers in rules.members.items() for offer in offers]
    arguments: dict[str, tuple[object, ...]] = {
        "unfinished": (rules.ended_before_us,),
        "in_doubt_too_long": (rules.decided_before_us,),
        "over_cap": (
            [cap.scope for cap, _ in caps],
            [cap.kind for cap, _ in caps],
            [cap.per or "total" for cap, _ in caps],
            [zone.key for _, zone in caps],
            [cap.limit for cap, _ in caps],
            [offer for offer, _ in members],
            [scope for _, scope in members],
        ),
    }
    found = []
    async with (
        connections.use(TIMEOUT_S) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for name, statement in STATEMENTS.items():
            rows = await connection.fetch(statement, *arguments.get(name, ()))
            found += [Violation(name, subject, detail) for subject, detail in rows]
    return found
