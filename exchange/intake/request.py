"""What a door hands on: one request with its values as they came, or why there is none."""

from typing import Final

import msgspec


class Absurd:
    """A number that no field could hold and that nobody should compute, such as 1E+999999."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say no digit of it."""
        return "ABSURD"


ABSURD: Final = Absurd()


class Request(msgspec.Struct, frozen=True):
    """A seller's request under the contract's names, values unchecked; its repr shows none.

    `campaign`, `source`, `min_price` … stand beside `lead`, `consent` and `tracking`, whatever
    the format was. Values of forms are texts, but control fields already have their JSON type
    where their text says it.
    """

    fields: dict[str, object]
    extra: dict[str, object] = {}
    """What a door in other words found beside all that it has rules for."""

    @property
    def ping_id(self) -> str | None:
        """Return the quote that this post refers to, where it names one."""
        value = self.fields.get("ping_id")
        return value if isinstance(value, str) and value else None

    def __repr__(self) -> str:
        """Show how many fields there are; names are the seller's words, too."""
        return f"Request({len(self.fields)} fields)"


class Parsed(msgspec.Struct, frozen=True):
    """A readable body: its request, and the key where it came inside the body."""

    request: Request
    api_key: str | None = None

    def __repr__(self) -> str:
        """Tell whether there is a key, never which."""
        return f"Parsed({self.request!r}, api_key={'…' if self.api_key else None})"


class Unparsable(msgspec.Struct, frozen=True):
    """An unreadable body: the HTTP status to answer with, and a sentence without its content."""

    status: int
    detail: str
