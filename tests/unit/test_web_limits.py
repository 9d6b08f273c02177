"""The edge's limits are the settings of the same names."""

import msgspec

from exchange.settings import load_settings
from exchange.web.limits import Limits


def test_limits_are_what_the_settings_say():
    """Every limit has its setting, but for the contract's own longest wait."""
    settings = load_settings(None, {"EXCHANGE_BODY_MAX_BYTES": "4096"})
    limits = msgspec.structs.asdict(Limits.of(settings))
    assert limits.pop("wait_max_s") == 30
    assert limits["body_max_bytes"] == 4096
    assert limits == {name: getattr(settings, name) for name in limits}
