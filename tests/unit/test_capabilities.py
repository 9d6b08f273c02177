"""docs/capabilities.md is kept true: every test named there exists, every promised row stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/capabilities.md").read_text()
NAMED = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)(?:::(test_\w+))?`", PAGE)
ROWS = {
    *(
        1,
        2,
        3,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        19,
        20,
        21,
        22,
        23,
        28,
        31,
        32,
        33,
        34,
        35,
        36,
        37,
        39,
        40,
        41,
    ),
    *(47, 50, 51, 53, 54, 56, 57, 58, 59, 60, 61, 62, 64),
}


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)))
def test_what_the_page_names_exists(file, test):
    """A file without a folder lies among the acceptance tests."""
    path = ROOT / (file if "/" in file else f"tests/acceptance/{file}")
    assert path.exists()
    assert not test or f"def {test}(" in path.read_text()


def test_every_promised_row_is_shown():
    """Rows may be added, none may go."""
    rows = {int(row) for row in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert rows >= ROWS
