"""Where in an XML text a placeholder stands: what it must be escaped as, or why it cannot be."""

import re
from enum import Enum, auto

from exchange.dialect.faults import TemplateError
from exchange.dialect.placeholders import near


class Spot(Enum):
    """A place in an XML document."""

    BEFORE = auto()
    """Outside of the root element."""
    TEXT = auto()
    CDATA = auto()
    TAG = auto()
    """Inside of a tag, but in no attribute's value."""
    DOUBLE = auto()
    """In an attribute's value, in double quotes."""
    SINGLE = auto()
    COMMENT = auto()
    INSTRUCTION = auto()
    DECLARATION = auto()


ATTRIBUTES = frozenset({Spot.DOUBLE, Spot.SINGLE})
FILLABLE = frozenset({Spot.TEXT, Spot.CDATA}) | ATTRIBUTES

_ENDS = {
    Spot.CDATA: "]]>",
    Spot.COMMENT: "-->",
    Spot.INSTRUCTION: "?>",
    Spot.DECLARATION: ">",
    Spot.DOUBLE: '"',
    Spot.SINGLE: "'",
}
_OPENINGS = (
    ("<![CDATA[", Spot.CDATA),
    ("<!--", Spot.COMMENT),
    ("<?", Spot.INSTRUCTION),
    ("<!", Spot.DECLARATION),
    ("<", Spot.TAG),
)
_IN_TAG = re.compile(r"[\"'>]")


class Scanner:
    """Follows the constant texts of an XML template, one behind the other."""

    def __init__(self) -> None:
        self.spot = Spot.BEFORE
        self.depth = 0
        """How many elements are open."""
        self._tag = ""

    def feed(self, text: str) -> None:
        """Go on over a constant text."""
        position = 0
        while position < len(text):
            position = self._step(text, position)

    def at_placeholder(self, following: str) -> Spot:
        """Return where a placeholder stands; raise TemplateError where none may."""
        if self.spot not in FILLABLE:
            raise TemplateError(
                "may have placeholders in texts and in the values of attributes only;"
                f" one stands before{near(following, 0)[5:]}"
            )
        return self.spot

    def _step(self, text: str, position: int) -> int:
        if self.spot in {Spot.BEFORE, Spot.TEXT}:
            return self._outside(text, position)
        if self.spot is Spot.TAG:
            return self._inside_tag(text, position)
        end = _ENDS[self.spot]
        found = text.find(end, position)
        if found < 0:
            return len(text)
        self.spot = Spot.TAG if self.spot in ATTRIBUTES else self._between()
        return found + len(end)

    def _between(self) -> Spot:
        return Spot.TEXT if self.depth else Spot.BEFORE

    def _outside(self, text: str, position: int) -> int:
        opening = text.find("<", position)
        if opening < 0:
            return len(text)
        mark, self.spot = next(
            (mark, spot) for mark, spot in _OPENINGS if text.startswith(mark, opening)
        )
        self._tag = ""
        return opening + len(mark)

    def _inside_tag(self, text: str, position: int) -> int:
        found = _IN_TAG.search(text, position)
        self._tag += text[position : found.start() if found else len(text)]
        if found is None:
            return len(text)
        if found.group() == ">":
            if self._tag.startswith("/"):
                self.depth -= 1
            elif not self._tag.endswith("/"):
                self.depth += 1
            self.spot = self._between()
        else:
            self.spot = Spot.DOUBLE if found.group() == '"' else Spot.SINGLE
        return found.end()
