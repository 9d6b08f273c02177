"""The benchmarks' page lists every option that there is, and none that there is not."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from bench.__main__ import NAMES, parser_of
from bench.target import add_target_arguments

PAGE = (Path(__file__).parents[2] / "bench" / "README.md").read_text(encoding="utf-8")
OPTION = re.compile(r"`(--[a-z-]+)`")


def options(parser):
    return {one for action in parser._actions for one in action.option_strings} - {"-h", "--help"}


def row(first):
    [line] = [
        line
        for line in PAGE.splitlines()
        if line.startswith(f"| {first} | ") and OPTION.search(line)
    ]
    return set(OPTION.findall(line))


def of_whole_exchanges():
    parser = argparse.ArgumentParser()
    add_target_arguments(parser)
    return options(parser)


def common():
    """What stands in the command at the page's beginning."""
    [line] = re.findall(r"python -m bench NAME (.*)", PAGE)
    return set(re.findall(r"--[a-z-]+", line))


def test_options_of_whole_exchanges_are_listed():
    """Whom they ask, and against whose."""
    assert row("those of whole exchanges, but `lead_cost`") == of_whole_exchanges()


@pytest.mark.parametrize("name", NAMES)
def test_options_of_a_benchmark_are_listed(name):
    """Its own in its row, the others once for all."""
    parser = parser_of(name, importlib.import_module(f"bench.{name}"), quick=False)
    own = options(parser) - common()
    if own >= of_whole_exchanges():
        own -= of_whole_exchanges()
    assert row(f"`{name}`") == own
