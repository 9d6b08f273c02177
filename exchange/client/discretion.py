"""An answer's words may be shown, logged and kept, unless they repeat what was sent."""

import re
from collections.abc import Iterator, Mapping

import msgspec

from exchange.contract.seller import Problem

LENGTH_MIN = 3
"""What is shorter is in every sentence."""
NUMBER_DIGITS_MIN = 7
NATIONAL_DIGITS = 10
TEXT_MAX = 500
LEFT_OUT = "(left out: it repeats what was sent)"


def discreet(problem: Problem, sent: object) -> Problem:
    """Return the problem without any text that repeats a value of what was sent."""
    secrets = Secrets(sent)
    return msgspec.structs.replace(
        problem,
        type=secrets.screened(problem.type),
        title=secrets.screened(problem.title),
        detail=None if problem.detail is None else secrets.screened(problem.detail),
        errors=tuple(
            msgspec.structs.replace(
                error,
                field=secrets.screened(error.field),
                code=secrets.screened(error.code),
                message=secrets.screened(error.message),
            )
            for error in problem.errors
        ),
    )


class Secrets:
    """All the values of a request, however a text may spell them."""

    def __init__(self, sent: object) -> None:
        texts = {text.casefold().strip() for text in values(sent)}
        words = sorted(re.escape(text) for text in texts if len(text) >= LENGTH_MIN)
        self.words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None
        numbers = {digits(text)[-NATIONAL_DIGITS:] for text in texts}
        self.numbers = {number for number in numbers if len(number) >= NUMBER_DIGITS_MIN}

    def screened(self, text: str) -> str:
        """Return the text, cut to a sane length, or a word in its place."""
        plain = text[:TEXT_MAX]
        if self.words is not None and self.words.search(plain.casefold()):
            return LEFT_OUT
        written = digits(plain)
        return LEFT_OUT if any(number in written for number in self.numbers) else plain


def values(sent: object) -> Iterator[str]:
    """Return all values in it as texts; yes and no tell nothing."""
    if isinstance(sent, Mapping):
        for inner in sent.values():
            yield from values(inner)
    elif isinstance(sent, list | tuple | set | frozenset):
        for inner in sent:
            yield from values(inner)
    elif sent is not None and not isinstance(sent, bool):
        yield str(sent)


def digits(text: str) -> str:
    """Return only the digits."""
    return "".join(filter(str.isdecimal, text))
