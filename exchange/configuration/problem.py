"""What is wrong, or worth a word, in a market: where it stands and a sentence about it."""

import msgspec

from exchange.configuration.locate import Path


class Problem(msgspec.Struct, frozen=True):
    """Something at one place of a market, whichever file it came from."""

    path: Path
    message: str
    is_warning: bool = False
    other: Path | None = None
    """Another place that it is about, told after the message."""
    below: int = 0
    """How many lines below the beginning of a text."""


class Finding(msgspec.Struct, frozen=True):
    """A problem with the place where its author finds it."""

    file: str
    line: int
    key: str
    """As it is written in the file: `buyer[0].offer[2].where`, indexes from 0."""
    message: str

    def __str__(self) -> str:
        """Say it in one line, as compilers do."""
        key = f" {self.key}:" if self.key else ""
        return f"{self.file}:{self.line}:{key} {self.message}"


class MarketFileError(Exception):
    """A market that cannot be: every problem that was found, at once."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


def key_text(path: Path) -> str:
    """Write a path as people do: `buyer[0].offer[2].where`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
