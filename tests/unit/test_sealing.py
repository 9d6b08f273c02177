"""The pure part of the sealed record: what a head covers, and what a difference is called."""

import msgspec
import pytest

from exchange.domain.sealing import (
    NO_HEAD,
    Entry,
    Seal,
    Verdict,
    differences,
    fields,
    head,
    is_erased,
    seal_mac,
)

KEY = b"k" * 32


def part(letter: bytes, what: bytes) -> bytes:
    return letter + what.ljust(16, b".")


SEALED = Entry(
    lead_id="lead", number=2, parts=part(b"m", b"moment") + part(b"a", b"award"), keys=b"key",
    capture=b"c" * 16 + b"k" * 16, capture_until_us=100,
)  # fmt: skip
SEAL = Seal(
    number=1, at_us=2, first=3, last=4, entries=5, root=b"r", versions=6, paid_in=7, market=b"m",
    mac=b"",
)  # fmt: skip


@pytest.mark.parametrize("name", Entry.__struct_fields__)
def test_a_head_covers_every_field_of_an_entry(name):
    """Another value of any of them, or another head before it, or key: another head."""
    value = getattr(SEALED, name)
    other = value + 1 if isinstance(value, int) else value + type(value)(value[:1])
    made = head(KEY, NO_HEAD, SEALED)
    assert head(KEY, NO_HEAD, msgspec.structs.replace(SEALED, **{name: other})) != made
    assert head(KEY, b"x" * 32, SEALED) != made
    assert head(b"other" * 6, NO_HEAD, SEALED) != made


@pytest.mark.parametrize("name", [name for name in Seal.__struct_fields__ if name != "mac"])
def test_a_seal_covers_every_field_and_the_seal_before_it(name):
    """None of them can be changed without the key."""
    value = getattr(SEAL, name)
    other = value + 1 if isinstance(value, int) else value + b"x"
    made = seal_mac(KEY, NO_HEAD, SEAL)
    assert seal_mac(KEY, NO_HEAD, msgspec.structs.replace(SEAL, **{name: other})) != made
    assert seal_mac(KEY, b"x" * 32, SEAL) != made


def test_no_two_lists_of_values_make_the_same_bytes():
    """A byte that moves from one value to its neighbour is seen."""
    assert fields(b"ab", b"c") != fields(b"a", b"bc")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"parts": part(b"m", b"moment")}, [("removed", "award")]),
        ({"parts": SEALED.parts + part(b"t", b"more")}, [("inserted", "transfer")]),
        ({"parts": part(b"m", b"moment") + part(b"a", b"other")}, [("changed", "award")]),
        ({"parts": b"", "keys": None, "capture": None},
         [("removed", "moment"), ("removed", "award"), ("removed", "capture")]),
        ({"keys": b"other"}, [("changed", "key")]),
        ({"keys": None, "capture": b"c" * 16}, []),
        ({"capture": None}, [("removed", "capture")]),
        ({"capture": b"d" * 16}, [("changed", "capture")]),
        ({"capture": b"c" * 16 + b"l" * 16}, [("changed", "capture")]),
    ],
)  # fmt: skip
def test_every_difference_has_its_name(changes, told):
    """By the table; what was erased, or has ended, is none."""
    now = msgspec.structs.replace(SEALED, **changes)
    assert [(v.value, what) for v, what in differences(SEALED, now, 99)] == told


def test_captures_end_and_persons_are_erased_without_a_fault():
    """After its time a capture is gone; without its keys an entry is erased."""
    ended = msgspec.structs.replace(SEALED, capture=None)
    assert list(differences(SEALED, ended, 100)) == []
    erased = msgspec.structs.replace(SEALED, keys=None)
    assert is_erased(SEALED, erased)
    assert not is_erased(SEALED, SEALED)
    came = msgspec.structs.replace(SEALED, capture=None, capture_until_us=None)
    assert list(differences(came, SEALED, 0)) == [(Verdict.INSERTED, "capture")]
