"""Whatever a seller sends to a native door: a lead, its faults, or a status; and soon.

The corpus in tests/corpus holds what some parser stumbled over once, or might.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.contract.seller import FieldError
from exchange.domain.submission import Submission
from exchange.intake.arrival import Refused
from exchange.intake.parsing import parse
from exchange.intake.request import Parsed, Request, Unparsable
from tests.making_intake import (
    BOUNDARY,
    FORM,
    JSON,
    MULTIPART,
    XML,
    a_snapshot,
    an_arrival,
    intake,
)
from tests.making_odd import (
    BODY_MAX,
    CPU_MAX_S,
    JSON_VALUES,
    TEXTS,
    bodies,
    corpus,
    cpu_s,
    filled,
    names_nobody,
)

TYPES = {"json": JSON, "xml": XML, "form": FORM, "multipart": MULTIPART}
KEPT = [(kind, name) for kind in TYPES for name in corpus(kind)]
SNAPSHOT = a_snapshot()
INTAKE = intake()


def through(body, content_type, **changes):
    """A body on its whole way through intake."""
    parsed = parse(body, content_type)
    if isinstance(parsed, Unparsable):
        return parsed
    return INTAKE.accept(parsed.request, an_arrival(**changes), SNAPSHOT)


def is_sound(result):
    """One of the three ends, and nobody is named by those that are no lead."""
    assert isinstance(result, Submission | Refused | Unparsable)
    assert names_nobody(result)


@pytest.mark.parametrize(("kind", "name"), KEPT, ids=[f"{kind} {name}" for kind, name in KEPT])
@pytest.mark.parametrize("is_ping", [False, True])
def test_each_body_of_the_corpus_has_an_end(kind, name, is_ping):
    """Under its own content type and, by mistake, under every other one."""
    for content_type in TYPES.values():
        is_sound(through(corpus(kind)[name], content_type, is_ping=is_ping))


def test_the_whole_ones_of_the_corpus_are_leads():
    """What is mutated is a lead before."""
    for kind in ("json", "form", "multipart"):
        assert isinstance(through(corpus(kind)["whole"], TYPES[kind], is_ping=True), Submission)


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data(), is_ping=st.booleans())
def test_no_body_of_any_bytes_raises_or_names_anybody(kind, data, is_ping):
    is_sound(through(data.draw(bodies(kind)), TYPES[kind], is_ping=is_ping))


@given(body=bodies("multipart"), boundary=TEXTS)
def test_no_boundary_raises(body, boundary):
    is_sound(through(body, f"multipart/form-data; boundary={boundary}"))


GROUPS = st.one_of(JSON_VALUES, st.dictionaries(TEXTS, JSON_VALUES, max_size=4))


@given(
    fields=st.fixed_dictionaries(
        {"campaign": st.one_of(st.just("auto-us"), JSON_VALUES)},
        optional=dict.fromkeys(
            (
                *("source", "seller_ref", "ping_id", "min_price", "timeout_ms", "test"),
                *("already_sold", "exclude_buyers", "legs", "lead", "consent", "tracking"),
            ),
            GROUPS,
        ),
    ),
    extra=st.dictionaries(TEXTS, JSON_VALUES, max_size=3),
    is_ping=st.booleans(),
)
def test_no_field_of_any_value_raises(fields, extra, is_ping):
    """Whatever stands where a control, the lead or a consent should."""
    result = INTAKE.accept(Request(fields, extra), an_arrival(is_ping=is_ping), SNAPSHOT)
    assert isinstance(result, Submission | Refused)
    if isinstance(result, Refused):
        assert all(isinstance(error, FieldError) for error in result.errors)


# 64 KiB


def a_lead(**fields):
    """A lead in a form, in which these fields fill the room."""
    return b"campaign=auto-us&" + b"&".join(
        name.encode() + b"=" + text for name, text in fields.items()
    )


def part(name, value, extra=b""):
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    return head % (BOUNDARY.encode(), name, extra, value)


END = b"--%b--\r\n" % BOUNDARY.encode()
NEARLY = b"\r\n--" + BOUNDARY[:-1].encode()
URL = b"http://" + "ﷺ".encode() * 670
HEAVY = {
    "urls": (
        FORM,
        a_lead(
            landing_page=URL,
            **dict.fromkeys(
                ("consent.url", "consent.trustedform_url", "consent.trustedform_ping_url"), URL
            ),
        ),
    ),
    "the worst of every type": (
        FORM,
        a_lead(
            phone=b";phone-context=" + b"ext." * 12 + b"5",
            email="j@א".encode() + "\N{ARABIC-INDIC DIGIT ZERO}".encode() * 250,
            ip_address=b":" * 64,
            zip=b" " * 900 + b"1",
            state="é ".encode() * 2000,
            currently_insured="İ".encode() * 5000,
            first_name="\u0315\u0300".encode() * 120,
            address="\u0315\u0300".encode() * 120,
            notes=b"%0D%0A" * 460,
            vehicle_year=b"1," * 900,
            annual_miles=b"1." * 900,
            landing_page=URL,
        ),
    ),
    "certificates": (FORM, filled(b"campaign=auto-us&consent.jornaya_id=a", "\u0301".encode())),
    "wording": (FORM, filled(b"campaign=auto-us&consent.text=a", "\u0301".encode())),
    "lines": (FORM, filled(b"campaign=auto-us&notes=a", b"%0A")),
    "buyers": (FORM, filled(b"campaign=auto-us&exclude_buyers=", b",")),
    "names": (
        FORM,
        b"campaign=auto-us&" + b"&".join([b"consent.named_buyers=" + b"\xc3\xa9" * 20] * 990),
    ),
    "marks": (
        FORM,
        b"campaign=auto-us&" + b"&".join(b"tracking.k%d=%%C3%%A9" % i for i in range(990)),
    ),
    "strangers": (
        JSON,
        b'{"campaign":"auto-us","lead":{'
        + b",".join(b'"k%d":[{"a":1}]' % i for i in range(2400))
        + b"}}",
    ),
    "deep strangers": (
        JSON,
        b'{"campaign":"auto-us","beside":'
        + b'{"n":' * 50
        + b"["
        + b",".join([b'"x"'] * 4000)
        + b"]"
        + b"}" * 51,
    ),
    "long names": (
        JSON,
        filled(b'{"campaign":"auto-us",', b'"' + b"n" * 600 + b'":[[1]],', b'"z":1}'),
    ),
    "long digits": (JSON, b'{"campaign":' + b",".join([b"9" * 4000] * 10) + b"}"),
    "a long number": (JSON, b'{"campaign":"auto-us","lead":{"phone":' + b"9" * 4000 + b"}}"),
    "segments": (MULTIPART, b"".join(part(b"f%d" % i, b"1") for i in range(800))[:65_000] + END),
    "feeds": (MULTIPART, part(b"a", b"\r\n--" * 15_000) + END),
    "near boundaries": (MULTIPART, part(b"a", NEARLY * 2_900) + END),
    "quotes": (MULTIPART, part(b"a", b"1", b'; x="' + rb"\"" * 30_000 + b'"') + END),
    "parameters": (MULTIPART, part(b"a", b"1", b"; a=b" * 12_000) + END),
}


@pytest.mark.parametrize("name", HEAVY)
def test_64_kib_of_anything_soon_come_to_an_end(name):
    """From the bytes to the lead, or to what is wrong with it."""
    content_type, body = HEAVY[name]
    assert cpu_s(through, body[:BODY_MAX], content_type) < CPU_MAX_S


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_type_claims_to_be_soon_comes_to_an_end(kind):
    """The heaviest bodies of each format, under each other's content types."""
    for _, body in HEAVY.values():
        assert cpu_s(parse, body[:BODY_MAX], TYPES[kind], repetitions=3) < CPU_MAX_S


@pytest.mark.parametrize("size", [10, 1_000, 60_000])
def test_a_content_type_of_any_length_soon_is_read(size):
    for piece in ("; a=b", ';a="', "\\", '"', "=", " ;", "multipart/form-data; boundary="):
        assert cpu_s(parse, b"{}", (JSON + piece * size)[:size], repetitions=3) < CPU_MAX_S


def test_nothing_of_a_request_is_in_its_repr():
    """Neither its values nor its names."""
    for kind in ("json", "form", "multipart"):
        parsed = parse(corpus(kind)["whole"], TYPES[kind])
        assert isinstance(parsed, Parsed)
        assert names_nobody(parsed, parsed.request)
