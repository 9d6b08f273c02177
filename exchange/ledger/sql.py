"""SQL lives in .sql files beside its one user, each statement under a `-- name --` head."""

import re
from pathlib import Path

HEAD = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)


def read(name: str) -> dict[str, str]:
    """Return the statements of this package's file by their heads, in the file's order."""
    return beside(__file__, name)


def beside(module: str, name: str) -> dict[str, str]:
    """Return the statements of a file beside this module, which gives its `__file__`."""
    return parse(Path(module).with_name(name).read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, str]:
    """Return the statements of a text by their heads; a head that stands twice is an error."""
    _, *pieces = HEAD.split(text)
    names, bodies = pieces[::2], pieces[1::2]
    assert len(set(names)) == len(names), f"a head stands twice among {names}"
    return {name: body.strip().removesuffix(";") for name, body in zip(names, bodies, strict=True)}
