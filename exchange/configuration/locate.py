"""Where each key of a TOML text stands, which Python's own parser does not tell.

Only for text that the parser has accepted: the scan trusts its shape.
"""

import re
import tomllib

Path = tuple[str | int, ...]
"""The way to a value: `("buyer", 0, "offer", 2, "where")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|(?P<quoted>"(?:[^"\\]|\\.)*"|'[^']*'))""")
_DOT = re.compile(r"[ \t]*\.")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


def locate(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table, key and element of an array in a valid TOML text."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Return the line of a path, or of what is nearest above it: a missing key has no line."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._position = 0
        self._line = 1
        self._counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._blank()
        while self._position < len(self._text):
            if self._text.startswith("[", self._position):
                table = self._header()
            else:
                self._pair(table)
            self._blank()

    def _header(self) -> Path:
        line = self._line
        is_array = self._text.startswith("[[", self._position)
        self._move(2 if is_array else 1)
        *parents, last = self._keys()
        self._move(2 if is_array else 1)
        path: Path = ()
        for name in parents:
            path = self._inside((*path, name))
            # Nobody may have written a head for it: its first line is where it is first named.
            self._mark(path, line)
        path = (*path, last)
        if is_array:
            self._mark(path, line)
            index = self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, index)
        self._mark(path, line)
        return path

    def _inside(self, path: Path) -> Path:
        # A header below an array of tables means the array's latest table.
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, table: Path) -> None:
        line = self._line
        path = table
        for name in self._keys():
            path = (*path, name)
            self._mark(path, line)
        self._move_over("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._blank()
        self.lines.setdefault(path, self._line)
        opening = self._text[self._position]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            pattern = _STRING if opening in "\"'" else _SCALAR
            found = pattern.match(self._text, self._position)
            assert found is not None, "a value stands after every ="
            self._move(found.end() - self._position)

    def _array(self, path: Path) -> None:
        self._move(1)
        index = 0
        while not self._at("]"):
            self._value((*path, index))
            index += 1
            self._skip_comma()
        self._move(1)

    def _inline_table(self, path: Path) -> None:
        self._move(1)
        while not self._at("}"):
            self._pair(path)
            self._skip_comma()
        self._move(1)

    def _skip_comma(self) -> None:
        if self._at(","):
            self._move(1)

    def _keys(self) -> list[str]:
        names = []
        while True:
            self._blank()
            found = _KEY.match(self._text, self._position)
            assert found is not None, "a key stands before every ="
            quoted = found["quoted"]
            names.append(next(iter(tomllib.loads(f"{quoted}=0"))) if quoted else found["bare"])
            self._move(found.end() - self._position)
            dot = _DOT.match(self._text, self._position)
            if dot is None:
                self._blank()
                return names
            self._move(dot.end() - self._position)

    def _at(self, character: str) -> bool:
        self._blank()
        return self._text.startswith(character, self._position)

    def _move_over(self, character: str) -> None:
        assert self._at(character), "the parser has accepted this text"
        self._move(1)

    def _blank(self) -> None:
        found = _BLANK.match(self._text, self._position)
        assert found is not None, "an empty match always succeeds"
        self._move(found.end() - self._position)

    def _move(self, length: int) -> None:
        end = self._position + length
        self._line += self._text.count("\n", self._position, end)
        self._position = end

    def _mark(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)
