"""docs/mapping-guide.md, taken apart: the files that a reader saves, the lines that he types."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/mapping-guide.md").read_text(encoding="utf-8")
FOLLOWED, _, AFTER = PAGE.partition("\n## When it does not work")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDED = "# add to "
ELSEWHERE = ("# first terminal", "# second terminal")


class Step(NamedTuple):
    """What a reader does: saves a file, or types lines and sees what is shown, if anything is."""

    lines: str
    file: str | None = None
    shown: str | None = None


def steps() -> list[Step]:
    """The page's files and commands in its order, each command with the output below it."""
    found: list[Step] = []
    for match in BLOCK.finditer(FOLLOWED):
        kind, text = match.groups()
        first = text.partition("\n")[0]
        if kind == "sh" and first not in ELSEWHERE:
            found.append(Step(text))
        elif kind == "text" and FOLLOWED[: match.start()].endswith("```\n"):
            found[-1] = found[-1]._replace(shown=text)
        elif file := file_of(first, FOLLOWED[: match.start()]):
            found.append(Step(text, file))
    return found


def file_of(first: str, before: str) -> str | None:
    """The name under which a block is saved: in its first line, or just before it."""
    inside = re.fullmatch(r"# (?:add to )?([a-z]+\.(?:toml|py))", first)
    named = inside or re.search(r"`([a-z]+\.json)`:\n$", before)
    return None if named is None else named[1]


def files() -> dict[str, str]:
    """The page's files as they are at its end."""
    kept: dict[str, str] = {}
    for step in steps():
        if step.file is not None:
            before = kept.get(step.file, "") if step.lines.startswith(ADDED) else ""
            kept[step.file] = before + step.lines
    return kept


def cases() -> dict[str, str]:
    """The cases of the chapter on presets by their files, without the line that names each."""
    found = re.findall(r"^```json\n# (\S+)\n(.*?)^```$", AFTER, re.DOTALL | re.MULTILINE)
    return dict(found)
