"""All checks, in the order in which they are made and told."""

from bidders.certify.asked import STATUS
from bidders.certify.basics import ANSWERS, PINGS, POSTS, REACH
from bidders.certify.check import Check
from bidders.certify.edges import PING_EDGES, POST_EDGES
from bidders.certify.selling import SALES
from bidders.certify.signing import SIGNATURES
from bidders.certify.transport import LINES, POST_LINES

CHECKS: tuple[Check, ...] = (
    *REACH,
    *ANSWERS,
    *SIGNATURES,
    *PINGS,
    *PING_EDGES,
    *LINES,
    *POSTS,
    *POST_EDGES,
    *SALES,
    *STATUS,
    *POST_LINES,
)

HEAD = ("check", "", "what it wants", "why", "what to mend")


def markdown() -> str:
    """Return the table as docs/certify.md shows it."""
    rows = [(f"`{c.id}`", c.level.value, c.title, c.why, c.mend) for c in CHECKS]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
