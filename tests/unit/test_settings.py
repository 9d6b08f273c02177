"""Settings come from the shipped file, another file and the environment; errors say where."""

import base64
import re
import stat
import subprocess
import sys
import tomllib
from itertools import pairwise

import msgspec
import pytest

from exchange.master_key import master_key
from exchange.settings import SHIPPED, Settings, SettingsError, load_settings

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


def test_the_shipped_file_says_every_setting_with_its_reason():
    """Each setting stands in config/exchange.toml, below a comment of its own."""
    text = SHIPPED.read_text()
    assert list(tomllib.loads(text)) == list(Settings.__struct_fields__)
    told_with_the_one_before = {"port", "market_url", "market_timeout_ms", "breaker_pause_max_s"}
    lines = re.findall(r"^(#|\w+(?= =))", text, re.MULTILINE)
    bare = {line for above, line in pairwise(lines) if line != "#" and above != "#"}
    assert bare == told_with_the_one_before


def test_the_environment_goes_over_a_file_and_a_file_over_what_is_shipped(file):
    """Each layer changes only what it names."""
    path = file("port = 9001\nworkers = 3\n")
    settings = load_settings(path, {"EXCHANGE_PORT": "9002", "PORT": "1"})
    assert (settings.port, settings.workers) == (9002, 3)
    assert settings.body_max_bytes == 1_048_576


def test_without_urls_the_stores_are_embedded():
    """An empty URL, in a file or a variable, is no URL."""
    settings = load_settings(None, {"EXCHANGE_DATABASE_URL": "", "EXCHANGE_MARKET_URL": ""})
    assert settings.embedded
    assert settings.database_url is None


def test_values_of_variables_are_read_in_their_types(tmp_path):
    """Numbers, lists and folders are values, not texts."""
    settings = load_settings(
        None,
        {
            "EXCHANGE_DATABASE_URL": "postgresql://db/x",
            "EXCHANGE_MARKET_URL": "redis://market/0",
            "EXCHANGE_ALLOW_NETWORKS": "127.0.0.0/8, fd00::/8",
            "EXCHANGE_DATA_DIR": str(tmp_path),
            "EXCHANGE_LOOP_LAG_MAX_MS": "50",
        },
    )
    assert not settings.embedded
    assert [str(network) for network in settings.networks] == ["127.0.0.0/8", "fd00::/8"]
    assert settings.data_dir == tmp_path
    assert settings.loop_lag_max_ms == 50.0
    assert load_settings(None, {"EXCHANGE_ALLOW_NETWORKS": ""}).networks == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\nprot = 1\n", r"mine\.toml:2: prot: unknown; did you mean port\?"),
        ('host = "x"\nport = "8080"\n', r"mine\.toml:2: port: Expected `int`, got `str`"),
        ("port = 70000\n", r"mine\.toml:1: port: Expected `int` <= 65535"),
        ("workers = -1\n", r"mine\.toml:1: workers: Expected `int` >= 0"),
        ("late_grace_ms = inf\n", r"mine\.toml:1: late_grace_ms: "),
        ("late_grace_ms = nan\n", r"mine\.toml:1: late_grace_ms: "),
        ('log_level = "loud"\n', r"mine\.toml:1: log_level: "),
        ('data_dir = ""\n', r"mine\.toml:1: data_dir: must be the path of a folder"),
        ('allow_networks = ["10.0.0.1/8"]\n', r"mine\.toml:1: allow_networks: "),
        ("[stores]\nport = 1\n", r"mine\.toml:1: stores: unknown"),
        ("port = \n", r"mine\.toml: .*line 1"),
        ('database_url = "postgresql://x"\n', "set EXCHANGE_MARKET_URL too"),
        ('market_url = "redis://x"\n', "set EXCHANGE_DATABASE_URL too"),
    ],
)
def test_an_error_in_a_file_names_its_line(file, text, says):
    """What is wrong, in which file, on which line."""
    with pytest.raises(SettingsError, match=says):
        load_settings(file(text), {})


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("EXCHANGE_PORT", "tcp://10.0.0.1:80", "EXCHANGE_PORT: Expected `int`"),
        ("EXCHANGE_DATABSE_URL", "x", "did you mean EXCHANGE_DATABASE_URL"),
        ("EXCHANGE_ALLOW_NETWORKS", "localhost", "EXCHANGE_ALLOW_NETWORKS: "),
    ],
)
def test_an_error_in_the_environment_names_the_variable(variable, value, says):
    """A misspelled variable must not start embedded stores where real ones were meant."""
    with pytest.raises(SettingsError, match=says):
        load_settings(None, {variable: value})


def test_variables_of_others_are_let_be():
    """A client's EXCHANGE_URL is no setting and no error."""
    assert load_settings(None, {"EXCHANGE_URL": "http://x", "EXCHANGE_API_KEY": "k"}).port == 8080


def test_a_file_that_is_not_there_is_named(tmp_path):
    """So is one that cannot be read as text."""
    with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml", {})
    (tmp_path / "latin.toml").write_bytes(b'host = "\xff"')
    with pytest.raises(SettingsError, match=r"latin\.toml: "):
        load_settings(tmp_path / "latin.toml", {})


@pytest.mark.parametrize("key", ["c2hvcnQ=", "not base64 at all", KEY + "="])
def test_a_wrong_master_key_is_refused_and_not_repeated(key):
    """The error names the variable, never the key."""
    with pytest.raises(SettingsError, match="EXCHANGE_MASTER_KEY: must be 32 bytes") as raised:
        load_settings(None, {"EXCHANGE_MASTER_KEY": key})
    assert key not in str(raised.value)


def test_secrets_are_masked_where_settings_are_shown():
    """Neither a key nor a password in a URL stands in a log."""
    environ = {
        "EXCHANGE_MASTER_KEY": KEY,
        "EXCHANGE_DATABASE_URL": "postgresql://u:hunter2@db/x",
        "EXCHANGE_MARKET_URL": "redis://:hunter2@market/0",
    }
    shown = repr(load_settings(None, environ))
    assert "hunter2" not in shown
    assert KEY not in shown
    assert "master_key='…'" in shown


def test_a_given_master_key_is_used():
    """No file is made for it."""
    settings = load_settings(None, {"EXCHANGE_MASTER_KEY": KEY, "EXCHANGE_DATA_DIR": "/nowhere"})
    assert master_key(settings) == bytes(range(32))


def test_a_master_key_is_made_once_for_its_owner_only(tmp_path):
    """The second call reads what the first one made; nothing else lies beside it."""
    settings = in_folder(tmp_path / "data")
    first = master_key(settings)
    assert len(first) == 32
    assert master_key(settings) == first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]
    assert stat.S_IMODE((tmp_path / "data" / "master.key").stat().st_mode) == 0o600
    assert master_key(in_folder(tmp_path / "other")) != first


def test_processes_that_start_at_once_agree_on_one_key(tmp_path):
    """Whoever is faster, all read the same."""
    code = (
        "import sys; from pathlib import Path\n"
        "from exchange.settings import load_settings; from exchange.master_key import master_key\n"
        "settings = load_settings(None, {'EXCHANGE_DATA_DIR': sys.argv[1]})\n"
        "sys.stdin.read(1); print(master_key(settings).hex())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    keys = {racer.communicate()[0] for racer in racers}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    """As ssh does: such a key is no secret any more."""
    master_key(in_folder(tmp_path))
    (tmp_path / "master.key").chmod(0o644)
    with pytest.raises(SettingsError, match=r"master\.key: others may read it"):
        master_key(in_folder(tmp_path))


def test_a_damaged_key_file_is_named(tmp_path):
    """It is never replaced: with it go all leads."""
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    with pytest.raises(SettingsError, match=r"master\.key: must be 32 bytes"):
        master_key(in_folder(tmp_path))
    assert path.read_bytes() == b""


def test_a_data_folder_that_cannot_be_is_named(tmp_path):
    """The error says which settings help."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="EXCHANGE_DATA_DIR"):
        master_key(in_folder(tmp_path / "file" / "data"))


def in_folder(path) -> Settings:
    return msgspec.structs.replace(load_settings(None, {}), data_dir=path)
