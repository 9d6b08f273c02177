"""docs/mapping-guide.md is followed as it stands there, and says what really comes."""

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager

import pytest

from tests.acceptance.house import clean_environment, environment, free_port
from tests.guide import ADDED, ROOT, steps

BUYERS = 9300
EXCHANGE = 8080
ENDED = "=== ended with "
DOUBTFUL = "try-offer sunpeak-tx"
"""Its try ends in doubt, with the exit status that says so."""


def script(folder, base, buyers):
    """The whole page as one script of the shell, which says where each of its blocks ends."""

    def here(text):
        return text.replace(f":{EXCHANGE}", f":{base}").replace(f":{BUYERS}", f":{buyers}")

    lines = ["exec 2>&1"]
    for number, step in enumerate(steps()):
        if step.file is None:
            lines += [here(step.lines), f'echo "{ENDED}$?"']
            continue
        kept = folder / f"{number}-{step.file}"
        kept.write_text(here(step.lines), encoding="utf-8")
        sign = ">>" if step.lines.startswith(ADDED) else ">"
        lines.append(f'cat "{kept}" {sign} {step.file}')
    return "\n".join(lines)


def matches(shown, came):
    """Whether this came: `…` stands for any part of a line, or alone for any number of lines."""
    lines = [
        r"(?:[^\n]*\n)*" if line == "…" else re.escape(line).replace("…", r"[^\n]*") + "\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), came)


@pytest.fixture
def program(house, tmp_path):
    """A folder of the reader's with the commands in its path; the variables that it needs."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "exchange").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exchange.cli "$@"\n')
    (commands / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for command in commands.iterdir():
        command.chmod(0o755)
    (tmp_path / "config").symlink_to(ROOT / "config")
    variables = {**clean_environment(), **environment(house), "PYTHONUNBUFFERED": "1"}
    return tmp_path, variables | {"PATH": f"{commands}:{variables['PATH']}"}


@asynccontextmanager
async def the_buyers(folder, port):
    """The page's three buyers, once they listen."""
    [text] = [step.lines for step in steps() if step.file == "buyers.py"]
    (folder / "buyers.py").write_text(text.replace(str(BUYERS), str(port)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "buyers.py", cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            assert b"Running" in await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.communicate()


async def typed(text, folder, variables):
    """What the shell says to these lines, block by block, each with its exit status."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", text, cwd=folder, env=variables, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    *parts, last = re.split(rf"^{ENDED}(\d+)\n", out.decode(), flags=re.MULTILINE)
    assert last == "", last
    return list(zip(parts[::2], map(int, parts[1::2]), strict=True))


def expected(step):
    """The exit status that a step ends with."""
    is_refused = step.shown is not None and "nothing was changed" in step.shown
    return 1 if is_refused or DOUBTFUL in step.lines else 0


async def test_the_guide_is_followed_from_each_pdf_to_a_won_lead(house, program):
    """Every file is saved, every command typed, and what the page shows is what comes."""
    folder, variables = program
    buyers = free_port()
    async with the_buyers(folder, buyers):
        process = await house.start()
        base = process.base.rpartition(":")[2]
        del variables["EXCHANGE_ALLOW_NETWORKS"]  # set for the second terminal alone
        came = await typed(script(folder, base, buyers), folder, variables)
    commands = [step for step in steps() if step.file is None]
    assert len(came) == len(commands)
    wrong = []
    for step, (told, status) in zip(commands, came, strict=True):
        theirs = told.replace(f":{base}", f":{EXCHANGE}").replace(f":{buyers}", f":{BUYERS}")
        is_shown = step.shown is None or matches(step.shown, theirs)
        if not is_shown or status != expected(step):
            wrong.append(f"$ {step.lines}{theirs}(exit status {status})")
    assert not wrong, "\n".join(wrong)


def test_the_guide_shows_what_it_says():
    """Three dialects, each with a plan, a try, and a lead that is sold."""
    text = "\n".join(f"{step.lines}{step.shown}" for step in steps() if step.file is None)
    for offer in ("northgate-auto", "halden-mva", "sunpeak-tx"):
        assert f"exchange try-offer {offer}" in text
        assert f"\nawarded {offer}" in text
    assert len(re.findall(r"^sold \d", text, re.MULTILINE)) == 3
