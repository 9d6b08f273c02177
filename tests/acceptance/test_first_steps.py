"""The README's three steps are followed as they stand there, from empty files to a won lead."""

import asyncio
import json
import os
import re
import shlex
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from exchange.commands.serve import bound
from tests.acceptance.house import clean_environment, environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = PAGE[PAGE.index("## Sell a lead") : PAGE.index("## How it works")]
WON = re.compile(r"`(won [^`]+)`")


def shown(language, holding):
    """The block of the steps in this language that holds these words."""
    blocks = re.findall(rf"```{language}\n(.*?)```", STEPS, re.DOTALL)
    [block] = [block for block in blocks if holding in block]
    return block


def curl(holding):
    """What a curl line of the steps sends: path, headers, body."""
    text = shown("sh", holding)
    words = shlex.split(text[text.index("curl ") :])
    url = next(word for word in words if word.startswith("http://127.0.0.1:8080"))
    headers = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
    bodies = [words[i + 1] for i, word in enumerate(words) if word == "-d"]
    return url.removeprefix("http://127.0.0.1:8080"), headers, "".join(bodies)


def free_port():
    with bound("127.0.0.1", 0) as one:
        return one.getsockname()[1]


@asynccontextmanager
async def running_bidder(folder, port):
    """The page's bidder, saved under the page's name and run; it says when it is there."""
    (folder / "bidder.py").write_text(shown("python", "web.run_app").replace("9000", str(port)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "bidder.py", cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()


async def told(lines, words):
    """Return the first line that begins with these words."""
    async with asyncio.timeout(30):
        async for line in lines:
            if line.decode().startswith(words):
                return line.decode().strip()
    raise AssertionError(f"it never said {words!r}")


@pytest.fixture
def shell(house, tmp_path):
    """Run lines of the page where its files were saved; return what they print."""
    program = tmp_path / "bin" / "exchange"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exchange.cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "config").symlink_to(ROOT / "config")
    variables = {**clean_environment(), **environment(house)}
    variables["PATH"] = f"{program.parent}:{variables['PATH']}"

    async def run(lines):
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-ec", lines, cwd=tmp_path, env=variables,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    return run


async def ask(base, sent, **variables):
    """Send what a curl line sends, its variables filled in; return what is answered."""
    path, headers, body = sent
    for name, value in variables.items():
        path = path.replace(name, value)
        headers = {key: text.replace(f"${name}", value) for key, text in headers.items()}
    async with (
        aiohttp.ClientSession(base) as session,
        session.request("POST" if body else "GET", path, headers=headers, data=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_the_three_steps_sell_a_lead(house, shell, tmp_path):
    """A buyer of ten lines is added to an empty market, wins, and is told of as the page says."""
    port = free_port()
    async with running_bidder(tmp_path, port) as lines:
        await told(lines, "======== Running")
        market = shown("toml", "[[campaign]]").replace(":9000/", f":{port}/")
        (tmp_path / "market.toml").write_text(market)
        base = (await house.start()).base
        assert "+ offer acme-tx" in await shell(shown("sh", "exchange apply"))

        make_key = shown("sh", "--role seller").splitlines()[0].removeprefix("KEY=")
        key = (await shell(f'echo "{make_key}"')).strip()
        answer = await ask(base, curl("/v1/leads "), KEY=key)
        promised = json.loads(shown("json", '"status"'))
        assert answer.keys() == promised.keys()
        assert [answer[name] for name in ("status", "price", "currency", "reason")] == [
            promised[name] for name in ("status", "price", "currency", "reason")
        ]
        [words] = WON.findall(STEPS)
        assert await told(lines, "won") == words

        make_key = shown("sh", "--role operator").splitlines()[0].removeprefix("OPERATOR=")
        operator = (await shell(f'echo "{make_key}"')).strip()
        sent = curl("/v1/admin/leads/LEAD_ID")
        view = await ask(base, sent, OPERATOR=operator, LEAD_ID=answer["lead_id"])
        assert [event["event"] for event in view["timeline"]][-1] == "sold"
