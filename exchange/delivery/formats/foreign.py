"""Foreign dialects: what their words for a post's outcome come to."""

from collections.abc import Mapping

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused, says_duplicate
from exchange.domain.dialect import PostSaid, PostWord

KEY = "idempotency-key"


def outcome(said: PostSaid, *, repeated: bool) -> PostResult:
    """Return what an answer means; to a repetition a duplicate is what the first post made."""
    match said.word:
        case PostWord.ACCEPTED:
            return _accepted(said)
        case PostWord.DUPLICATE if repeated:
            return _accepted(said)
        case PostWord.DUPLICATE:
            return Refused(said.detail or "duplicate", duplicate=True)
        case PostWord.REFUSED:
            return Refused(said.detail, says_duplicate(said.detail))
        case PostWord.PENDING:
            return InDoubt(
                "the buyer will tell", said=said.detail, told=True, reference=said.reference
            )
        case PostWord.UNCLEAR:
            return InDoubt("not understood", said=said.detail)


def _accepted(said: PostSaid) -> Accepted:
    return Accepted(reference=said.reference, redirect_url=said.redirect_url, price=said.price)


def names_key(constant: Mapping[str, str], lines: bytes) -> bool:
    """Tell whether a dialect's own headers carry an idempotency key already."""
    if any(name.lower() == KEY for name in constant):
        return True
    return any(line.lower().startswith(f"{KEY}:".encode()) for line in lines.split(b"\r\n"))
