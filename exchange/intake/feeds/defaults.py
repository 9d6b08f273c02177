"""What a feed says once for all rows that do not say it themselves."""

from collections.abc import Mapping
from operator import itemgetter
from urllib.parse import urlencode

import msgspec

Pairs = list[tuple[str, str]]

FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
NULL = b"null"


class Defaults(msgspec.Struct, frozen=True):
    """Values for control fields that a row leaves out, such as its campaign and its source."""

    texts: Mapping[str, str] = {}
    test: bool = False
    """Every row is a test, unless it says itself that it is none."""

    def into_pairs(self, pairs: Pairs) -> bytes:
        """Return a form of these names and values; the same ones are always the same bytes."""
        said = {name for name, _ in pairs}
        whole = [*pairs, *(pair for pair in self.texts.items() if pair[0] not in said)]
        if self.test and "test" not in said:
            whole.append(("test", "true"))
        whole.sort(key=itemgetter(0))  # values of one name keep their order
        return urlencode(whole).encode()

    def into_json(self, body: bytes) -> bytes:
        """Return an object with what it lacks; what it says stays as it stands, byte by byte.

        What is no object stays what it is: whoever reads it says so.
        """
        if not self.texts and not self.test:
            return body
        try:
            fields = FIELDS.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return body
        for name, text in self.texts.items():
            if bytes(fields.get(name, NULL)) == NULL:
                fields[name] = msgspec.Raw(msgspec.json.encode(text))
        if self.test and bytes(fields.get("test", NULL)) == NULL:
            fields["test"] = msgspec.Raw(b"true")
        return msgspec.json.encode(fields)


NONE = Defaults()
