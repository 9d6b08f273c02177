"""The Lua functions as source: each says what it promises, and keeps to what any Lua 5.1 has."""

import re
from pathlib import Path

import pytest

import exchange.market
from exchange.market.function import FUNCTIONS

FOLDER = Path(exchange.market.__file__).parent
FILES = sorted(FOLDER.glob("*.lua"))

COMMANDS = {
    *("GET", "SET", "MGET", "DEL", "PEXPIRE", "PUBLISH"),
    *("HGET", "HMGET", "HSET", "HDEL", "HEXISTS", "HGETALL"),
    *("ZADD", "ZREM", "ZCARD", "ZSCORE", "ZRANGEBYSCORE", "ZREMRANGEBYSCORE", "ZREVRANGE"),
    *("SADD", "SMEMBERS"),
    *("LINDEX", "LPUSH", "LTRIM"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_function_opens_with_its_promise_keys_arguments_and_result(path):
    """Whoever reads the first lines can call it."""
    head = path.read_text().partition("\n\n")[0].splitlines()
    assert head[0].startswith("-- ")
    assert head[0].endswith(".")
    assert all(line.startswith("--") for line in head)
    starts = [line.split()[1] for line in head if re.match(r"-- [A-Z]\w+ {2,}", line)]
    assert starts == ["KEYS", "ARGV", "Returns"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_function_uses_few_commands_and_no_time_or_chance_of_its_own(path):
    """What a simulation has to offer; time comes in as an argument."""
    source = path.read_text()
    called = set(re.findall(r"redis\.call\('([A-Z]+)'", source))
    assert called <= COMMANDS
    assert len(re.findall(r"redis\.", source)) == len(re.findall(r"redis\.call\('", source))
    assert not re.search(r"\b(os|io|math\.random|cjson|cmsgpack|loadstring)\b\.?", source)


def test_every_file_is_a_function_and_every_function_has_its_file():
    """None is forgotten when the server is taught."""
    assert sorted(function.name for function in FUNCTIONS) == [path.stem for path in FILES]
