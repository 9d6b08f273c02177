"""What the container's files say agrees with the settings, and with each other."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "config" / "compose.yaml").read_text(encoding="utf-8")
TOLD = [(ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "docs/operators.md")]
SETTINGS = tomllib.loads((ROOT / "config" / "exchange.toml").read_text(encoding="utf-8"))
STORES_STOP_S = 10


def test_whoever_stops_it_waits_for_the_leads_and_the_stores():
    """Everywhere as long, and longer than leads under way may take."""
    [compose] = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    docker = [re.findall(r"--stop-timeout (\d+)", text) for text in TOLD]
    assert docker == [[compose], [compose]]
    assert int(compose) >= SETTINGS["shutdown_grace_s"] + STORES_STOP_S


def test_it_may_open_as_many_files_everywhere():
    """Enough for many hosts of buyers at the settings as they come."""
    [compose] = re.findall(r"nofile: (\d+)", COMPOSE)
    assert [re.findall(r"--ulimit nofile=(\d+)", text) for text in TOLD] == [[compose], [compose]]
    assert int(compose) > 400 * SETTINGS["connections_per_host_max"]


def test_every_folder_of_the_configuration_is_in_the_image():
    """What a guide applies in a checkout can be applied in a container."""
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    folders = [one.name for one in (ROOT / "config").iterdir() if one.is_dir()]
    assert {f"!config/{name}" for name in folders} <= set(kept)
