"""What it costs to read the nastiest 64 KiB that a buyer could answer, in CPU of this process.

    python -m bench.answer_cost [--rounds 7] [MAPPING.toml ...]

Every body is read by every half of every mapping, the presets where none is named, and by some
that ask for as much as one may; of each the worst body and its time are printed, best of so many
rounds. `tests/unit/test_dialect_answers_fuzz.py` asserts the bound.
"""

import argparse
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from exchange.contract.mapping import MappingPart
from exchange.dialect.faults import Place
from exchange.dialect.hearing import ping_ear, post_ear
from exchange.domain.dialect import Heard

SHELF = Path(__file__).parents[1] / "config/mappings"
MS = 1000.0
HEAD = b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 3_000

Reader = Callable[[Heard], object]

KIB = 1024
NASTY = {
    "lists": b"[" * 64 * KIB,
    "tables": b'{"a":' * 13_000,
    "values": b"[" + b"1.5," * 4_990 + b"1]",
    "too many": b"[" + b"1," * 32_000 + b"1]",
    "keys": b"{" + b",".join(b'"%d":1.5' % i for i in range(4_900)) + b"}",
    "digits": b'{"ok":' + b"9" * 65_000 + b"}",
    "fraction": b'{"ok":0.' + b"9" * 65_000 + b"}",
    "quotes": b'{"' + b'\\"' * 32_000,
    "braces in a text": b'["' + b"{,[" * 21_000 + b'"]',
    "texts": b'{"ok":["' + b'","'.join("é".encode() for _ in range(4_990)) + b'"]}',
    "sharp": b'{"ok":"' + "ß".encode() * 32_000 + b'"}',
    "blanks": b" " * (64 * KIB - 2) + b"{}",
    "wide": "\ufeff[1]".encode("utf-16-le") + b" \0" * 32_000,
    "elements": b"<r>" + b"<a/>" * 1_900 + b"</r>",
    "names": b"<r>" + b"".join(b"<f%d/>" % i for i in range(1_900)) + b"</r>",
    "too many elements": b"<r>" + b"<a/>" * 16_000,
    "deep": b"<a>" * 60 + b"<b/>" * 1_800 + b"</a>" * 60,
    "deeper": b"<a>" * 21_000,
    "references": b"<a>" + b"&amp;" * 13_000 + b"</a>",
    "lines": b"<a>" + b"\n" * 19_990 + b"</a>",
    "comments": b"<a>" + b"<!---->" * 9_000 + b"</a>",
    "an open comment": b"<!--" + b"-" * 65_000,
    "sections": b"<a>" + b"<![CDATA[]]>" * 5_000 + b"</a>",
    "brackets": b"<a><![CDATA[" + b"]" * 65_000 + b"]]></a>",
    "instructions": b"<a>" + b"<?a?>" * 13_000 + b"</a>",
    "attributes": b"<a " + b" ".join(b'a%d=""' % i for i in range(1_990)) + b"/>",
    "namespaces": b'<a xmlns="' + b"x" * 119 + b'">' + b"<b/>" * 1_900 + b"</a>",
    "tails": b"<ok>" + b"<a/>x" * 1_900 + b"</ok>",
    "types": b"<a>" + b"<!DOCTYPE" * 7_000,
    "less": b"<" * 64 * KIB,
    "a page": b"<!doctype html>" + b"success " * 8_000,
    "a page at last": b"<!---->" * 9_300 + b"<html>",
    "pairs": b"a=1" + b"&b=%41%42+" * 5_900,
    "escapes": b"a=" + b"%41" * 21_000,
    "some escapes": b"a=" + ("é" * 5 + "%e9").encode() * 4_900,
    "pluses": b"a=" + b"+" * 65_000,
    "form lines": b"a=1\n" * 16_000,
    "one name": b"a" * 65_000 + b"=",
    "letters": b"a" * 64 * KIB,
    "latin": b"\xe9" * 64 * KIB,
    "signs": "€".encode() * 21_845,
    "nuls": b"\0" * 64 * KIB,
    "breaks": b"\r\n" * 32_000,
    "wide blanks": "\u2003".encode() * 21_000,
    "halves": b"\xff\xfe" + b"\x00\xd8" * 32_000,
    "a success that does not come": b"refused " + b"succes " * 9_000,
}


def many(key: str, count: int, rule: Callable[[int], str]) -> str:
    """Return a list of so many rules."""
    return f"{key} = [{', '.join('{' + rule(i) + '}' for i in range(count))}]\n"


BEGIN = "[mapping.ping]\nbody = { json = {} }\n"
GREEDY = {
    "regexes": f"{BEGIN}yes = {{ regex = '((a{{0,9}}){{0,15}})*$', present = true }}\n"
    "no = { regex = '((x?)(a?)(a?)(b?)(c?)(d?)(e?)(a?))*$', present = true }",
    "words": BEGIN
    + many("yes", 20, lambda i: f'text = true, contains = "{"a" * (300 + i)}b"')
    + many("no", 20, lambda i: f'path = "ok", contains = "é{i}", and = {{ text = true,'
           f' contains = "x{i}", and = {{ path = "a.@id{i}", above = {i} }} }}'),
    "paths": BEGIN
    + many("yes", 20, lambda i: f'path = "a.a[{i}].a.b", present = false,'
           f' and = {{ path = "f{i}.b", present = false }}')
    + many("no", 20, lambda i: f'path = "r.f{i}", present = false,'
           f' and = {{ path = "{".".join("a" * (i or 1))}", contains = "y{i}" }}'),
    "headers": BEGIN
    + many("yes", 20, lambda i: f'header = "x{i}", present = false,'
           f' and = {{ header = "y{i}", equals = ["x"] }}'),
    "maps": BEGIN
    + many("yes", 20, lambda i: f'path = "ok", map = {{ a = "b", "*" = "c" }}, equals = ["{i}"]'),
}  # fmt: skip
"""Mappings that ask for as much as one may."""


def took(read: Reader, body: bytes, rounds: int) -> float:
    """Return how many milliseconds of CPU reading a body takes, best of so many rounds."""
    return min(_once(read, Heard(200, HEAD, body[: 64 * KIB])) for _ in range(rounds)) * MS


def _once(read: Reader, heard: Heard) -> float:
    start = time.process_time()
    read(heard)
    return time.process_time() - start


def readers(mapping: MappingPart) -> Iterator[tuple[str, Reader]]:
    """Yield what reads the answers of each half."""
    place = Place()
    if mapping.ping is not None:
        yield f"{mapping.id} ping", ping_ear(mapping.ping, place).read
    if mapping.post is not None:
        yield f"{mapping.id} post", post_ear(mapping.post, place).read
    place.close()


def mappings(text: str) -> list[MappingPart]:
    """Return the mappings in a market file."""
    tables = tomllib.loads(text, parse_float=Decimal)["mapping"]
    return [msgspec.convert(table, MappingPart) for table in tables]


def greedy() -> list[str]:
    """Return market files whose mappings ask for as much as one may."""
    return [f'[[mapping]]\nid = "greedy-{name}"\n{text}' for name, text in GREEDY.items()]


def main() -> None:
    """Print a line for each reader."""
    parser = argparse.ArgumentParser(prog="python -m bench.answer_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("mapping", nargs="*", type=Path)
    options = parser.parse_args()
    paths = options.mapping or sorted(SHELF.glob("*.toml"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    texts += greedy()
    for mapping in (mapping for text in texts for mapping in mappings(text)):
        for name, read in readers(mapping):
            costs = {body: took(read, NASTY[body], options.rounds) for body in NASTY}
            worst = sorted(costs, key=costs.__getitem__, reverse=True)[:3]
            told = ", ".join(f"{body} {costs[body]:.2f}" for body in worst)
            sys.stdout.write(f"{name:<24} {told} ms\n")


if __name__ == "__main__":
    main()
