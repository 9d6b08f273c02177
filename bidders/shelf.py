"""This project's own verticals and mappings, by their ids, in a checkout of it."""

from pathlib import Path

from exchange.domain.nearest import hint

SHELF = Path(__file__).parents[1] / "config"


class NotOnShelfError(ValueError):
    """There is no such file; the message says which names would do."""


def file_of(name: str, kind: str) -> Path:
    """Return a file by its path, or one of this project's `kind`s by its id; else raise."""
    path, folder = Path(name), SHELF / kind
    if path.is_file():
        return path
    own = folder / f"{name}.toml"
    if own.is_file():
        return own
    ids = sorted(file.stem for file in folder.glob("*.toml"))
    rest = f", nor one of {', '.join(ids)}{hint(name, ids)}" if ids else ""
    raise NotOnShelfError(f"{name} is no file{rest}")
