"""A prepared key gives the same digests as the standard library."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.keyed import hmac_sha256


@given(key=st.binary(min_size=1, max_size=200), messages=st.lists(st.binary(max_size=500)))
def test_digests_are_those_of_rfc_2104(key, messages):
    """However often a key is used, whatever was digested under it before."""
    for message in [*messages, *messages]:
        assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")
