"""The statements of configuration.sql, by their heads."""

import re
from pathlib import Path

_HEAD = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)

_, *_PIECES = _HEAD.split((Path(__file__).parent / "configuration.sql").read_text(encoding="utf-8"))

SQL = {
    name: body.strip().removesuffix(";")
    for name, body in zip(_PIECES[::2], _PIECES[1::2], strict=True)
}
