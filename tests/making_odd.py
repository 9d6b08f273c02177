"""Odd input for tests: the corpus, mutations of it, and how long the odd takes."""

import json
import time
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from tests.making_intake import BOUNDARY, CANARIES

CORPUS = Path(__file__).parent / "corpus"
KIB = 1024
BODY_MAX = 64 * KIB

VALUES = tuple(json.loads((CORPUS / "values.json").read_text()))
"""Texts that some reader of values once took long for, or might stumble over."""

PIECES = {
    "json": (
        *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"1e9", b"-", b"1E+999999"),
        *(rb"\u0000", rb"\ud83d", rb"\"", b'"campaign":', b'"lead":{', b'"":', b'"a.b":', b'"@a":'),
    ),
    "xml": (
        *(b"<request>", b"</request>", b"<lead>", b"</lead>", b"<a/>", b"<", b">", b"&", b";"),
        *(b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"]>", b"<![CDATA[", b"]]>", b"<!--", b"-->"),
        *(b"&#0;", b"&#x41;", b"&amp;", b"&b;", b"<?xml version='1.0'", b" encoding='x'", b"?>"),
        *(b" xmlns:a='b'", b" a='b'", b"<a:b>", b"<a><b>1</b><b>2</b></a>"),
    ),
    "form": (
        *(b"&", b"=", b"%", b"%00", b"%E9", b"%%", b"+", b"[]", b"a[]=1", b".", b"lead.", b";"),
        *(b"consent.named_buyers=", b"Mode=post", b"Format=XML", b"\r\n", b"{"),
    ),
    "multipart": (
        *(b"--", BOUNDARY.encode(), b"\r\n", b"\r\n\r\n", b'name="x"', b"; filename=x", b"\n"),
        *(b"Content-Disposition: form-data", b"Content-Type: text/plain; charset=utf-16", b"="),
    ),
}
ANY_PIECES = (b"\0", b"\xff", b"\xef\xbb\xbf", b"\xfe\xff", b"\xed\xa0\x80", b"\xc3", b" ")


@cache
def corpus(kind):
    """The kept bodies of one format, by name."""
    return {path.stem: path.read_bytes() for path in sorted((CORPUS / kind).iterdir())}


def bodies(kind, *more):
    """Bodies of a format, mutated, pieced together, or of any bytes."""
    pieces = st.sampled_from(PIECES[kind] + ANY_PIECES)
    known = [*corpus(kind).values(), *more]
    return st.one_of(
        mutations(known, pieces),
        st.lists(pieces, max_size=40).map(b"".join),
        st.binary(max_size=200),
    )


@st.composite
def mutations(draw, known, pieces):
    """A body that is known, with some of its bytes replaced, cut or doubled."""
    body = bytearray(draw(st.sampled_from(known)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 8)))
        body[start:end] = draw(
            st.one_of(pieces, st.binary(max_size=4), st.just(bytes(body[start:end]) * 2))
        )
    return bytes(body)


TEXTS = st.one_of(
    st.sampled_from(VALUES),
    st.builds(
        lambda head, piece, count, tail: head + piece * count + tail,
        st.sampled_from(["", "a@", "http://", "+1512555", "2026-", "(", "=?", "\\"]),
        st.sampled_from(
            [*'x5ß\u0301 ,.-(+@:%["\n\0\u200b\u00a0İﷺ\ud800', "a ", "1,", "é.", "xn--"]
        ),
        st.integers(0, 300),
        st.sampled_from(["", "x", "@example.com", "5", "\n"]),
    ),
    st.text(max_size=80),
)
"""Texts of any characters, lone surrogates too."""

SCALARS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**4000), 10**4000),
    st.decimals(),
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def names_nobody(*told):
    """Tell whether nothing of the person in the corpus is in what was said."""
    said = " ".join(map(repr, told)).lower()
    return not any(canary in said for canary in CANARIES)


def filled(head, piece, tail=b"", size=BODY_MAX):
    """A body of this size at most: a piece as often as there is room for it."""
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def cpu_s(function, *arguments, repetitions=7):
    """How much of the processor a call takes at best, in seconds."""
    best = float("inf")
    for _ in range(repetitions):
        start = time.process_time()
        function(*arguments)
        best = min(best, time.process_time() - start)
    return best


CPU_MAX_S = 0.025
"""What 64 KiB may take here: five times what is promised, for busy machines."""
