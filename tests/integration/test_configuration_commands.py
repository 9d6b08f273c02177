"""The commands of the market as people and scripts use them: what they print, and where."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.commands.serve import bound
from exchange.configuration.reading import read_market
from exchange.demo.market import secrets_of
from exchange.demo.played import shipped

ROOT = Path(__file__).parents[2]
SHIPPED = [*shipped(), ROOT / "config/demo/market.toml"]
NO_DATABASE = {"EXCHANGE_DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/x"}


@pytest.fixture
def exchange(database_url, market_url, tmp_path):
    """Runs `exchange …` on this test's own stores."""
    environment = {name: value for name, value in os.environ.items() if "EXCHANGE_" not in name}
    environment |= {
        "EXCHANGE_DATABASE_URL": database_url,
        "EXCHANGE_MARKET_URL": market_url,
        "EXCHANGE_DATA_DIR": str(tmp_path / "data"),
    }

    def run(*arguments, said=None, **more):
        return subprocess.run(
            [sys.executable, "-m", "exchange.cli", *map(str, arguments)],
            env=environment | more,
            cwd=tmp_path,
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_shipped_market_is_planned_applied_and_exported(exchange, tmp_path):
    """From nothing to a market; what is exported plans to nothing and is the same."""
    secrets = secrets_of(read_market(SHIPPED).market)
    refused = exchange("plan", *SHIPPED)
    assert [f"exchange secrets set {name}" in refused.stderr for name in secrets] == [True] * 4
    for name in secrets:
        assert exchange("secrets", "set", name, said="s3cret").returncode == 0
    planned = exchange("plan", *SHIPPED)
    assert planned.returncode == 0
    assert "+ offer lone-star-auto" in planned.stdout
    applied = exchange("apply", *SHIPPED)
    assert (applied.returncode, applied.stdout) == (0, planned.stdout)
    assert "Applied as version 5." in applied.stderr
    exported = tmp_path / "exported.toml"
    exported.write_text(exchange("export").stdout)
    assert read_market([exported]).market == read_market(SHIPPED).market
    for command in (planned, applied):
        assert "No worker is running: the market holds at the next start." in command.stderr
        assert "New stores" not in command.stderr
    again = exchange("plan", "--json", exported)
    assert json.loads(again.stdout)["change"] == {"since": 5, "changes": [], "reordered": []}


def test_a_mistake_is_one_line_and_changes_nothing(exchange, tmp_path):
    """File, line, key and sentence on standard error; exit status 1; no traceback."""
    market = tmp_path / "market.toml"
    market.write_text('[[seller]]\nid = "fast"\nnmae = "Fast"\n\n[[seller]]\nid = "fast"\n')
    refused = exchange("apply", market)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        f'{market}:3: seller[0].nmae: unknown key; did you mean "name"?',
        f'{market}:6: seller[1].id: there is another seller "fast" at {market}:2',
        "exchange: nothing was changed: 2 mistakes",
    ]
    assert exchange("export").stdout == ""


def test_a_new_data_folder_is_named(exchange, tmp_path):
    """Whoever typed in another folder than he thought sees it; the second time it is not new."""
    market = tmp_path / "market.toml"
    market.write_text('[[seller]]\nid = "fast"\n')
    embedded = {"EXCHANGE_DATABASE_URL": "", "EXCHANGE_MARKET_URL": ""}
    made = exchange("plan", market, **embedded)
    assert f"New stores were made in {tmp_path / 'data'} (" in made.stderr
    assert "New stores" not in exchange("plan", market, **embedded).stderr


@pytest.mark.parametrize("text", ["", "# nothing but a remark\n"])
def test_a_file_without_any_object_retires_nothing_by_mistake(exchange, tmp_path, text):
    """A whole market goes only where somebody says so."""
    market = tmp_path / "market.toml"
    market.write_text('[[seller]]\nid = "fast"\n')
    assert exchange("apply", market).returncode == 0
    market.write_text(text)
    for command in ("plan", "apply"):
        refused = exchange(command, market)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"exchange: there is no object in {market}: to retire the whole market, say --empty\n"
        )
    assert "fast" in exchange("export").stdout
    assert exchange("apply", "--empty", market).returncode == 0
    assert exchange("export").stdout == ""


def test_a_conflict_with_the_present_market_has_its_line_too(exchange, tmp_path):
    """What only the stored market knows is told like any other mistake."""
    market = tmp_path / "market.toml"
    market.write_text('[[buyer]]\nid = "acme"\n')
    assert exchange("apply", market).returncode == 0
    market.write_text('[[buyer]]\nid = "acme"\ncurrency = "CAD"\n')
    refused = exchange("plan", market)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{market}:3: buyer[0].currency: accounts are kept in USD")


def test_a_key_is_printed_alone(exchange, tmp_path):
    """Nothing else is on standard output, so that a script can take it."""
    market = tmp_path / "market.toml"
    market.write_text('[[seller]]\nid = "fast"\n[[buyer]]\nid = "acme"\n')
    assert exchange("apply", market).returncode == 0
    made = exchange("keys", "create", "--role", "seller", "--account", "fast")
    assert re.fullmatch(r"pk_seller_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert (made.returncode, made.stderr) == (0, "")
    secret = exchange("keys", "create", "--role", "signing", "--account", "acme")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", secret.stdout)
    unknown = exchange("keys", "create", "--role", "seller", "--account", "fasd")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == (
        'exchange: there is no seller "fasd" in the market; did you mean "fast"?\n'
    )


def test_check_tells_what_is_there_and_what_is_amiss(exchange):
    """Settings, both stores, versions; the exit status says whether all is well."""
    checked = exchange("check", "--json")
    assert checked.returncode == 0
    seen = {line["name"]: line for line in json.loads(checked.stdout)["checks"]}
    assert all(line["ok"] for line in seen.values())
    assert re.search(r"18\.\d+, tables \d+ of \d+, configuration 0", seen["postgresql"]["says"])
    assert "append-only file on" in seen["valkey"]["says"]
    down = exchange(
        "check",
        EXCHANGE_MARKET_URL="valkey://127.0.0.1:1",
        **NO_DATABASE,
    )
    assert down.returncode == 1
    assert "hidden" not in down.stdout + down.stderr
    assert re.search(r"^amiss +postgresql +PostgreSQL at 127.0.0.1/x", down.stdout, re.MULTILINE)
    assert re.search(r"^amiss +valkey", down.stdout, re.MULTILINE)


def test_a_port_that_another_process_has_is_told_before_anything_starts(exchange):
    """It says which port and why; the stores are not even asked."""
    with bound("127.0.0.1", 0) as one:
        port = one.getsockname()[1]
        refused = exchange("serve", "--port", port, **NO_DATABASE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"exchange: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )


def test_a_lost_or_wrong_master_key_is_told_and_none_is_made(exchange, tmp_path):
    """Whatever would seal or open says which key is wanted, and leaves no new one behind."""
    made = ("keys", "create", "--role", "operator", "--account", "me")
    assert "none yet" in exchange("check").stdout
    assert exchange(*made).returncode == 0
    file = tmp_path / "data" / "master.key"
    assert "the ledger is sealed under it" in exchange("check").stdout
    away = file.rename(tmp_path / "master.key")
    other = base64.b64encode(bytes(range(32))).decode()
    for given in ({}, {"EXCHANGE_MASTER_KEY": other}):
        for command in (("serve", "--port", "0"), made, ("check",)):
            ended = exchange(*command, **given)
            assert ended.returncode == 1
            told = ended.stdout if command == ("check",) else ended.stderr
            assert "This ledger was sealed under the master key with the id" in told
            assert "EXCHANGE_MASTER_KEY" in told
            assert "Traceback" not in ended.stderr
            assert not file.exists()
    away.rename(file)
    assert exchange(*made).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "says"),
    [
        (["export", "--version", "7"], {}, 1, "There is no version 7"),
        (["export"], {"EXCHANGE_PORT": "many"}, 1, "EXCHANGE_PORT: "),
        (["export", "--config", "none.toml"], {}, 1, "none.toml: No such file"),
        (["--config", "none.toml", "export"], {}, 1, "none.toml: No such file"),
        (["plan"], {}, 2, "FILES"),
        (["keys", "create", "--role", "king", "--account", "a"], {}, 2, "king"),
        (["plam"], {}, 2, "plan"),
        (
            ["serve", "--port", "0"],
            {"EXCHANGE_MARKET_URL": "http://x"},
            1,
            "A market URL is redis:",
        ),
        (["serve", "--port", "70000"], {}, 1, "--port: Expected `int` <= 65535"),
        (["serve", "--host", "a..b"], {}, 1, "cannot listen on a..b:8080: "),
        (["serve", "--workers", "65"], {}, 1, "--workers: Expected `int` <= 64"),
        (
            ["serve", "--port", "8123"],
            {"EXCHANGE_METRICS_PORT": "8123"},
            1,
            "port and metrics_port are both 8123",
        ),
        (
            ["export"],
            {"EXCHANGE_DATABASE_URL": "postgresql:///nothing?host=/nowhere"},
            1,
            "PostgreSQL at its socket, database nothing, cannot be used: ",
        ),
        (
            ["export"],
            {"EXCHANGE_DATABASE_URL": "postgresql://[::1"},
            1,
            "PostgreSQL at an address that is none cannot be used: ",
        ),
        (["serve", "--port", "0"], NO_DATABASE, 1, "PostgreSQL at 127.0.0.1/x cannot be used"),
    ],
)
def test_every_wrong_call_ends_in_a_sentence(exchange, arguments, environment, status, says):
    """Never a traceback, never anything on standard output."""
    ended = exchange(*arguments, **environment)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


FORM = (
    "Mode=full&TYPE=31&SRC=pine-auto&First_Name=Zyxcanary&Last_Name=Lee&Primary_Phone=5125550123"
    "&Email=zyxcanary%40example.com&Zip=78701&Currently_Insured=yes&Date_Of_Birth=4/2/1991&Shoe=42"
)


def test_a_request_is_tried_at_a_door_of_files_that_are_not_applied(exchange, tmp_path):
    """Without any store: field by field, each mistake, each answer; nobody is named."""
    sent = tmp_path / "sent.txt"
    sent.write_text(f"?{FORM}\n")
    asked = ["try-door", sent, "--seller", "pinepost", "--door", "boberdoo"]
    market = ["--market", *SHIPPED]
    shown = exchange(*asked, "--outcome", "sold", *market, **NO_DATABASE)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(
        "post by pinepost at /doors/boberdoo/new_api/api.php into auto-us (auto_insurance)\n"
    )
    assert re.search(r"^lead\.phone +< Primary_Phone +\*\*\*$", shown.stdout, re.MULTILINE)
    assert re.search(r"^lead\.birth_date +< Date_Of_Birth +1991-04-02$", shown.stdout, re.MULTILINE)
    assert "kept as extra: Shoe\n" in shown.stdout
    assert "< <response><status>Matched</status>" in shown.stdout
    assert "It is a lead. Nothing was booked or sold." in shown.stderr
    assert "zyxcanary" not in (shown.stdout + shown.stderr).lower()
    wrong = exchange(
        *asked[:1], "-", *asked[2:], "--json", *market, said="Mode=full&Zip=1", **NO_DATABASE
    )
    assert wrong.returncode == 1
    found = json.loads(wrong.stdout)
    assert ("Zip", "lead.zip") in {(bad["field"], bad["native"]) for bad in found["errors"]}
    assert {answer["outcome"] for answer in found["answers"]} >= {"sold", "invalid", "denied"}
    assert re.search(r"It is no lead: \d+ mistakes\.", wrong.stderr)


def test_a_request_is_tried_in_the_market_that_was_applied(exchange, tmp_path):
    """With the seller's key, whose value is nowhere; and nothing of it is in the ledger."""
    for name in secrets_of(read_market(SHIPPED).market):
        exchange("secrets", "set", name, said="s3cret")
    assert exchange("apply", *SHIPPED).returncode == 0
    key = exchange("keys", "create", "--role", "seller", "--account", "pinepost").stdout.strip()
    sent = tmp_path / "sent.json"
    lead = {"first_name": "Zyxcanary", "zip": "78701", "currently_insured": "yes"}
    sent.write_text(json.dumps({"campaign": "auto-us", "api_key": key, "lead": lead}))
    asked = ["try-door", sent, "--seller", "pinepost", "--json"]
    pinged = exchange(*asked, "--call", "pings")
    assert pinged.returncode == 0, pinged.stderr
    found = json.loads(pinged.stdout)
    assert (found["does"], found["key"], found["errors"]) == ("ping", "known", [])
    assert key not in pinged.stdout + pinged.stderr
    posted = exchange(*asked)
    assert posted.returncode == 1
    assert "lead.phone" in {error["native"] for error in json.loads(posted.stdout)["errors"]}
    unknown = exchange(*asked, "--door", "boberdo")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.strip() == (
        'exchange: there is no door "boberdo" in the market; did you mean "boberdoo"?'
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.json", "--seller", "x"], "none.json: No such file or directory"),
        (["/dev/null", "--seller", "x", "--header", "Accept"], "is written as 'NAME: VALUE'"),
        (["/dev/null", "--seller", "nobody", "--market", *SHIPPED], 'there is no seller "nobody"'),
    ],
)
def test_what_cannot_be_tried_ends_in_a_sentence(exchange, arguments, says):
    ended = exchange("try-door", *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
