"""Market files of tests: read, changed at one place, and refused."""

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of


def read(text, name="market.toml"):
    """Return what is read of one file; the market is its `market`."""
    return read_sheets([sheet_of(name, text)])


def refused(text):
    """Return all that is wrong with a file."""
    with pytest.raises(MarketFileError) as caught:
        read(text)
    return caught.value.findings


def changed(text, old, new):
    """Return the file with one place changed."""
    assert text.count(old) == 1, f"{old!r} stands in the file once"
    return text.replace(old, new)


def assert_told_once(text, old, new, key, says):
    """Assert that a changed place is told once, at its line, under its key, in these words."""
    every = refused(changed(text, old, new))
    found = [finding for finding in every if finding.key.endswith(key)]
    assert len(found) == 1, every
    assert says in found[0].message
    first = text[: text.index(old)].count("\n") + 1
    assert first <= found[0].line <= first + new.count("\n")
