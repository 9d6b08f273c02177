"""A store that goes away is a warning, and each change is told once."""

from structlog.testing import capture_logs

from exchange.readiness import Readiness


def test_a_store_that_is_down_is_a_warning_and_its_return_a_remark():
    """Whoever reads warnings alone learns of the outage; asking again tells nothing new."""
    up = True
    readiness = Readiness({"market": lambda: up}, lambda: 1_790_000_000_000_000)
    with capture_logs() as logs:
        readiness.checks()
        up = False
        readiness.checks()
        readiness.checks()
        up = True
        [check] = readiness.checks()
    assert check.up
    assert [(line["log_level"], line["event"], line["store"]) for line in logs] == [
        ("info", "store is up", "market"),
        ("warning", "store is down", "market"),
        ("info", "store is up", "market"),
    ]
