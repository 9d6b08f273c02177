"""An id is a UUIDv7: its moment, and all the chance that there is room for."""

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.ids import ENTROPY_BYTES, uuid7, uuid7_at_us


@given(
    st.integers(0, 2**48 * 1000 - 1),
    st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES),
)
def test_an_id_holds_its_moment_and_its_chance(at_us, entropy):
    """RFC 9562: 48 bits of milliseconds, version, 12 bits, variant, 62 bits."""
    text = uuid7(at_us, entropy)
    made = UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, RFC_4122)
    assert uuid7_at_us(text) == at_us // 1000 * 1000
    assert made.int >> 64 & 0xFFF == int.from_bytes(entropy[:2]) & 0xFFF
    assert made.int & (2**62 - 1) == int.from_bytes(entropy[2:]) & (2**62 - 1)
