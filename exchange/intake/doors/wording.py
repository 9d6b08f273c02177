"""What a field must be, in the words that a sender's own map has for it."""

from collections.abc import Mapping

from exchange.dialect.words import alike
from exchange.intake.readers import A_BOOL

ONE_OF = "must be one of "
BOOLS = ("true", "false")
WORDS_MAX = 30


def in_own_words(message: str, table: Mapping[str, object], value: object) -> str:
    """Return what is wrong with a value that is none of a map's words: which ones there are.

    Our own words stand behind them as far as the map gives none for them, for they are understood
    as well. A message that is about something else stays as it is.
    """
    meant = {alike(told) for told in table.values()}
    ours = options_of(message)
    if not ours or alike(value) in meant:
        return message
    words = [*table, *(word for word in ours if alike(word) not in meant)]
    more = ", …" if len(words) > WORDS_MAX else ""
    return f"{ONE_OF}{', '.join(words[:WORDS_MAX])}{more}"


def options_of(message: str) -> tuple[str, ...]:
    """Return the words of ours between which a message lets its reader choose."""
    if message.startswith(ONE_OF):
        return tuple(message.removeprefix(ONE_OF).split(", "))
    return BOOLS if message == A_BOOL.message else ()
