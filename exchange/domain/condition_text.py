"""A first look at a condition's text, before Python's parser sees it.

Only the characters of the language pass, in bounded numbers: so the parser never meets a prefix
string, an escape, a comment, a nesting that exhausts its stack, or a list whose comma is missing.
"""

import re

TEXT_MAX = 100_000
"""Characters of one condition: room for some ten thousand ZIP codes."""
TOKENS_MAX = 1_000
"""Names, operators and brackets; the members of a list are not counted."""
DEPTH_MAX = 20

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<text>"(?:[^"\\\n]|\\["'\\])*"|'(?:[^'\\\n]|\\["'\\])*')
      | (?P<number>\d[\d_]*(?:\.\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>==|!=|<=|>=|<|>|\+|-|\*(?!\*)|\.)
      | (?P<open>[(\[])
      | (?P<close>[)\]])
      | (?P<comma>,)""",
    re.VERBOSE | re.ASCII,
)

_HINTS = {
    "=": "write == to compare",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or != to compare",
    "#": "comments stand outside of conditions",
    "/": "multiply instead of dividing: `a <= 0.8 * b`",
}


class ConditionError(ValueError):
    """What is wrong with a condition, in a sentence for whoever wrote it."""


def screen(text: str) -> None:
    """Return only for a text made of the language's own characters, within its limits.

    Raises ConditionError otherwise.
    """
    if len(text) > TEXT_MAX:
        raise ConditionError(f"longer than {TEXT_MAX} characters")
    position = tokens = depth = 0
    previous: str | None = None
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ConditionError(_unexpected(text, position))
        kind = found.lastgroup
        position = found.end()
        if kind == "space":
            continue
        depth += (kind == "open") - (kind == "close")
        tokens += kind not in {"text", "number", "comma"}
        if depth > DEPTH_MAX or tokens > TOKENS_MAX:
            raise ConditionError("nested too deeply, or too long; split it in two")
        if previous in {"text", "number"} and kind in {"text", "number"}:
            raise ConditionError(f"a comma is missing before {found.group()[:40]}")
        previous = kind
    if previous is None:
        raise ConditionError("is empty")


def _unexpected(text: str, position: int) -> str:
    character = text[position]
    if character in "\"'":
        return f"a text begins at character {position + 1} and does not end, or holds an escape"
    hint = _HINTS.get(character)
    words = f"unexpected {character!r} at character {position + 1}"
    return f"{words}: {hint}" if hint else words
