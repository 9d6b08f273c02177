"""What can be switched on is tried in markets that differ in nothing else."""

import pytest

from bench.serving import VERTICAL
from bench.switches import OFF, ON, SWITCHES, market
from exchange.configuration.reading import read_market


@pytest.mark.parametrize("name", SWITCHES)
def test_a_feature_is_on_in_one_campaign_only(name, tmp_path):
    """The market file can be applied, and its author need know nothing about it."""
    path = tmp_path / "market.toml"
    path.write_text(market(SWITCHES[name], "http://127.0.0.1:9300", 10))
    reading = read_market([VERTICAL, path])
    said = [one.message for one in reading.warnings]
    assert all("only where EXCHANGE_ALLOW_NETWORKS allows it" in one for one in said)
    assert [one.id for one in reading.market.campaign] == [OFF, ON]
    sides = path.read_text().split("[[seller]]")[1:]
    off, on = (text.replace(f'"{side}', '"').replace(f"/{side}-", "/") for side, text in
               zip((OFF, ON), sides, strict=True))  # fmt: skip
    assert off != on
