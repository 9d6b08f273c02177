"""Regexes over answers: RE2's, and all of one half of a mapping together within a bound.

RE2 is linear in the text, but not free: where it must follow every way through a pattern at once,
one character costs some ten nanoseconds for each instruction of its program. So the programs of a
half share a number of steps, and the larger they are, the less of an answer they see.
"""

import re

import re2

from exchange.dialect.answers import Answer
from exchange.dialect.faults import TemplateError

LENGTH_MAX = 500
MEMORY_MAX = 1 << 20
STEPS_MAX = 200_000
SIZE_MAX = 400
SEEN_MAX = 4_096
"""Characters of an answer that a regex sees at most."""

_UNICODE = re.compile(r"\\x\{|[^\x00-\xff]")
_BEYOND = re.compile("[^\x00-\xff]")
SUBSTITUTE = "\x1a"
"""Stands for what Latin-1 lacks, so that a character is a byte and no pattern's own."""


class Search:
    """A pattern, and how much of an answer it sees."""

    __slots__ = ("_group", "_is_unicode", "_regex", "_regexes")

    def __init__(self, regexes: "Regexes", pattern: str) -> None:
        """Take the pattern; raise TemplateError where it is none."""
        # In Latin-1 a class such as `[^<]` is one range; in UTF-8 it is a dozen.
        self._is_unicode = _UNICODE.search(pattern) is not None
        self._regexes = regexes
        self._regex = _compiled(pattern, is_unicode=self._is_unicode)
        self._group = 1 if self._regex.groups else 0

    @property
    def size(self) -> int:
        """Return how many instructions it has."""
        return int(self._regex.programsize)

    def __call__(self, answer: Answer, *, pages: bool) -> str | None:
        """Return the first group, or all that was found, in an answer's text; None: nothing."""
        text = answer.text(pages=pages)
        if text is None:
            return None
        return self._in_unicode(text) if self._is_unicode else self._in_latin(text, answer)

    # One character more than is seen is shown, so that `$` does not take the cut for the end.

    def _in_latin(self, text: str, answer: Answer) -> str | None:
        raw = answer.once("latin-1", lambda: latin(text[: SEEN_MAX + 1]))
        found = self._regex.search(raw, 0, min(self._regexes.seen, len(raw)))
        if found is None or found.start(self._group) < 0:
            return None
        return text[found.start(self._group) : found.end(self._group)]

    def _in_unicode(self, text: str) -> str | None:
        seen = self._regexes.seen
        raw = text[:seen].encode(errors="replace")
        found = self._regex.search(
            raw + text[seen : seen + 1].encode(errors="replace"), 0, len(raw)
        )
        told = None if found is None else found[self._group]
        return None if told is None else told.decode(errors="replace")


def latin(text: str) -> bytes:
    """Return a text with one byte for each of its characters."""
    return _BEYOND.sub(SUBSTITUTE, text).encode("latin-1")


class Regexes:
    """The regexes of one half of a mapping."""

    def __init__(self) -> None:
        self._searches: dict[str, Search] = {}
        self.seen = SEEN_MAX
        """How many characters of an answer each of them sees."""

    def search(self, pattern: str) -> Search:
        """Return what finds a pattern; raise TemplateError where it is none, or one too many."""
        made = self._searches.get(pattern)
        if made is None:
            made = self._searches[pattern] = Search(self, pattern)
            size = sum(search.size for search in self._searches.values())
            if size > SIZE_MAX:
                raise TemplateError(
                    "is a regex that takes too long, alone or with the others;"
                    " write fewer repetitions, or read a path"
                )
            self.seen = min(SEEN_MAX, STEPS_MAX // size)
        return made


def _compiled(pattern: str, *, is_unicode: bool) -> "re2._Regexp[bytes]":
    if len(pattern) > LENGTH_MAX:
        raise TemplateError(f"is a regex of more than {LENGTH_MAX} characters")
    options = re2.Options()
    options.max_mem = MEMORY_MAX
    options.log_errors = False
    if not is_unicode:
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(pattern if is_unicode else pattern.encode("latin-1"), options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        told = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise TemplateError(f"is no regular expression of RE2: {told}") from None
