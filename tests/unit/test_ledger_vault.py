"""What is sealed opens under its own key, in its own place, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.ledger import vault as module
from exchange.ledger.errors import MasterKeyError, SealBrokenError
from exchange.ledger.vault import Sealed, Vault

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_what_is_sealed_opens_again(text, place):
    """Any text, in any place, by any process that has the master key."""
    sealed = Vault(KEY).seal(text, place)

    assert Vault(KEY).open(sealed, place) == text
    assert len(sealed.sealed) == len(text) + 28


@given(st.data(), st.binary(min_size=1, max_size=200))
def test_a_changed_bit_is_noticed(data, text):
    """In the text or in the wrapped key, wherever it is."""
    vault = Vault(KEY)
    sealed = vault.seal(text, b"place")
    part = data.draw(st.sampled_from(["sealed", "wrapped_key"]))
    changed = bytearray(getattr(sealed, part))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises((SealBrokenError, MasterKeyError)):
        vault.open(sealed._replace(**{part: bytes(changed)}), b"place")


def test_cut_texts_and_keys_are_noticed():
    """Half of it is none of it."""
    vault = Vault(KEY)
    sealed = vault.seal(b"text", b"place")

    for length in range(len(sealed.sealed)):
        with pytest.raises(SealBrokenError):
            vault.open(sealed._replace(sealed=sealed.sealed[:length]), b"place")
    for length in range(4, len(sealed.wrapped_key)):
        with pytest.raises(SealBrokenError):
            vault.open(sealed._replace(wrapped_key=sealed.wrapped_key[:length]), b"place")


def test_it_opens_in_its_own_place_only():
    """A record that was moved to another lead stays shut."""
    vault = Vault(KEY)
    with pytest.raises(SealBrokenError):
        vault.open(vault.seal(b"text", b"record/1"), b"record/2")


def test_a_key_does_not_open_another_text():
    """Every text has a data key of its own, so forgetting one erases one."""
    vault = Vault(KEY)
    one, other = vault.seal(b"text", b"place"), vault.seal(b"text", b"place")

    assert one.sealed[12:] != other.sealed[12:]
    with pytest.raises(SealBrokenError):
        vault.open(Sealed(one.sealed, other.wrapped_key), b"place")


def test_another_master_key_is_told_apart_from_a_broken_seal():
    """The error names both keys by their ids and says what to set."""
    sealed = Vault(KEY).seal(b"text", b"place")

    with pytest.raises(MasterKeyError) as caught:
        Vault(OTHER_KEY).open(sealed, b"place")

    assert "EXCHANGE_MASTER_KEY" in str(caught.value)
    assert module.key_id(KEY).hex() in str(caught.value)
    assert module.key_id(OTHER_KEY).hex() in str(caught.value)
    assert KEY.hex() not in str(caught.value)


def test_former_master_keys_open_but_do_not_seal():
    """Rotation: what is old stays readable while everything new goes under the new key."""
    old = Vault(KEY).seal(b"old", b"place")
    rotated = Vault(OTHER_KEY, KEY)

    assert rotated.open(old, b"place") == b"old"
    assert Vault(OTHER_KEY).open(rotated.seal(b"new", b"place"), b"place") == b"new"


def test_the_wrapping_key_changes_before_its_nonces_could_meet(monkeypatch):
    """After so many texts another salt is drawn; all of them still open."""
    monkeypatch.setattr(module, "WRAPS_PER_SALT", 3)
    vault = Vault(KEY)

    sealed = [vault.seal(b"text", b"place") for _ in range(7)]

    assert len({one.wrapped_key[4:20] for one in sealed}) == 3
    assert all(vault.open(one, b"place") == b"text" for one in sealed)


def test_derived_secrets_depend_on_key_and_name_alone():
    """The same in every process, and unlike each other."""
    assert Vault(KEY).derive("claims") == Vault(KEY).derive("claims")
    secrets = {Vault(key).derive(name) for key in (KEY, OTHER_KEY) for name in ("claims", "quotes")}
    assert len(secrets) == 4
    assert {len(secret) for secret in secrets} == {32}


def test_a_short_master_key_is_refused():
    """Not padded, not hashed: refused."""
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")
