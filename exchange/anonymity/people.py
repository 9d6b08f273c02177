"""Reads whom leads were about, page by page, without keeping any of it."""

from typing import Any, NamedTuple

from exchange.domain.ids import LeadId
from exchange.domain.submission import Submission
from exchange.ledger import sql
from exchange.ledger.rows import place
from exchange.ledger.vault import Sealed, Vault
from exchange.story.record import submission

STATEMENTS = sql.beside(__file__, "reading.sql")
NO_LEAD = "00000000-0000-0000-0000-000000000000"


class Page(NamedTuple):
    """Some sealed records, and after which lead the next page begins."""

    rows: list[Any]
    after: tuple[int, str]

    def opened(self, vault: Vault) -> list[Submission]:
        """Return what was submitted, in clear."""
        return [
            submission(
                vault.open(
                    Sealed(row["sealed"], row["wrapped_key"]),
                    place("record", LeadId(str(row["lead_id"]))),
                )
            )
            for row in self.rows
        ]


def before(since_us: int) -> tuple[int, str]:
    """Return after which the leads begin that came since then."""
    return since_us - 1, NO_LEAD


async def page_after(
    connection: Any, vertical_id: str, after: tuple[int, str], size: int
) -> Page | None:
    """Return the next records of a vertical that were not erased; None where there are none."""
    rows = await connection.fetch(STATEMENTS["page"], vertical_id, *after, size)
    return Page(rows, (rows[-1]["received_at"], str(rows[-1]["lead_id"]))) if rows else None
