"""A folder of its own for every run below the data folder: stores, logs, the market's file."""

import contextlib
import shutil
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self


class DemoFolder:
    """A new folder inside the block; removed at its end unless `keep` was set by then.

    A demo never mixes with a real market, nor with another demo. Folders are numbered, so that
    a person can type their names.
    """

    def __init__(self, data_dir: Path, *, keep: bool) -> None:
        self.parent = data_dir / "demo"
        self.keep = keep
        self.path = Path()

    def __enter__(self) -> Self:
        self.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            with contextlib.suppress(FileExistsError):
                self.path = self.parent.resolve() / str(number)
                self.path.mkdir(mode=0o700)
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def log(self, name: str) -> Path:
        """Return where a child writes its log."""
        return self.path / f"{name}.log"
