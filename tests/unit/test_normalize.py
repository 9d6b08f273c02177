"""Whatever spelling comes, one value or one reason; and no reason repeats the value."""

from decimal import Decimal
from ipaddress import ip_address

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.condition_names import STATES as CONDITION_STATES
from exchange.domain.vertical import FieldType
from exchange.intake.dates import any_date, normalize_date
from exchange.intake.email import normalize_email
from exchange.intake.errors import Bad, Code
from exchange.intake.normalize import normalizer
from exchange.intake.phone import US_NUMBERS, area_code, hashed_digits, normalize_phone
from exchange.intake.readers import AN_IP, absent, any_url, ip, url, whole
from exchange.intake.request import ABSURD
from exchange.intake.spellings import BOOLS, STATES
from tests.making_intake import a_field, geography


def read(kind, raw, **changes):
    return normalizer(a_field("field", kind, **changes), geography())(raw)


def code(kind, raw, **changes):
    bad = read(kind, raw, **changes)
    assert isinstance(bad, Bad), bad
    return bad.code


GOOD = [
    ("name", "  Mary   Ann ", "Mary Ann"),
    ("name", "O'Brien-Šimić", "O'Brien-Šimić"),
    ("name", "Zoe\u0308", "Zoë"),
    ("name", "A\u200bda\u202e", "Ada"),
    ("name", "محمد", "محمد"),
    ("city", "St. Louis", "St. Louis"),
    ("phone", "(512) 555-0123", "+15125550123"),
    ("phone", "512.555.0123", "+15125550123"),
    ("phone", "1-512-555-0123", "+15125550123"),
    ("phone", "+1 512 555 0123", "+15125550123"),
    ("phone", 5125550123, "+15125550123"),
    ("phone", "512-555-0123 x22", "+15125550123"),
    ("phone", "+44 20 7946 0958", "+442079460958"),
    ("email", " Jane.Doe@EXAMPLE.com ", "Jane.Doe@example.com"),
    ("email", "a+b@mail.example.co.uk", "a+b@mail.example.co.uk"),
    ("email", "jürgen@bücher.de", "jürgen@bücher.de"),
    ("email", "a@b.test", "a@b.test"),
    ("text", " two  words\r\n next\tline ", "two words\nnext line"),
    ("text", 7, "7"),
    ("address", "77  Main St\nApt 9", "77 Main St Apt 9"),
    ("us_zip", "78701", "78701"),
    ("us_zip", "78701-1234", "78701"),
    ("us_zip", "787011234", "78701"),
    ("us_zip", " 02134 ", "02134"),
    ("us_zip", 78701, "78701"),
    ("us_state", "tx", "TX"),
    ("us_state", "Texas", "TX"),
    ("us_state", "NEW  york", "NY"),
    ("us_state", "D.C.", "DC"),
    ("us_state", "Washington, D.C.".replace(",", ""), "DC"),
    ("date", "1991-04-02", "1991-04-02"),
    ("date", "1991-4-2", "1991-04-02"),
    ("date", "4/2/1991", "1991-04-02"),
    ("date", "04-02-1991", "1991-04-02"),
    ("date", "19910402", "1991-04-02"),
    ("date", 19910402, "1991-04-02"),
    ("date", "1991-04-02T10:11:12Z", "1991-04-02"),
    ("date", "2/29/2024", "2024-02-29"),
    ("choice", "Very Good", "very_good"),
    ("choice", "very-good", "very_good"),
    ("choice", "VERY_GOOD", "very_good"),
    ("choice", "vg", "very_good"),
    ("choice", "POOR", "poor"),
    ("int", "1,234", 1234),
    ("int", "$250,000", 250000),
    ("int", "-5", -5),
    ("int", "2019.0", 2019),
    ("int", Decimal("2019.0"), 2019),
    ("int", Decimal("2E+3"), 2000),
    ("decimal", "1,234.50", Decimal("1234.5")),
    ("decimal", ".5", Decimal("0.5")),
    ("decimal", 3, Decimal(3)),
    ("decimal", Decimal("0.10"), Decimal("0.1")),
    ("url", "https://x.example/a?b=c#d", "https://x.example/a?b=c#d"),
    ("url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("ip", " 203.0.113.7 ", "203.0.113.7"),
    ("ip", "2001:DB8:0:0::1", "2001:db8::1"),
]
CHOICES = {"values": ("poor", "fair", "very_good"), "aliases": {"VG": "very_good"}}


@pytest.mark.parametrize(("kind", "raw", "value"), GOOD)
def test_spellings_that_mean_one_value_become_it_and_it_stays_itself(kind, raw, value):
    changes = CHOICES if kind == "choice" else {}
    read_value = read(kind, raw, **changes)
    assert read_value == value
    assert type(read_value) is type(value)
    assert read(kind, read_value, **changes) == value


BAD = [
    ("name", "12 34", Code.BAD_VALUE),
    ("name", 7, Code.WRONG_TYPE),
    ("name", ["Jane"], Code.WRONG_TYPE),
    ("name", "x" * 201, Code.BAD_VALUE),
    ("phone", "+1 000", Code.INVALID_PHONE),
    ("phone", "000-000-0000", Code.INVALID_PHONE),
    ("phone", "555-0123", Code.INVALID_PHONE),
    ("phone", "512-000-0123", Code.INVALID_PHONE),
    ("phone", "call me", Code.INVALID_PHONE),
    ("phone", "9" * 5000, Code.INVALID_PHONE),
    ("phone", True, Code.WRONG_TYPE),
    ("phone", {"number": 1}, Code.WRONG_TYPE),
    ("email", "bad@@x", Code.INVALID_EMAIL),
    ("email", "a@localhost", Code.INVALID_EMAIL),
    ("email", "a@b.invalid", Code.INVALID_EMAIL),
    ("email", "a@" + "b" * 5000 + ".com", Code.INVALID_EMAIL),
    ("email", 7, Code.WRONG_TYPE),
    ("text", True, Code.WRONG_TYPE),
    ("text", "\u200b\u200b", Code.BAD_VALUE),
    ("text", {}, Code.WRONG_TYPE),
    ("us_zip", "00000", Code.BAD_VALUE),
    ("us_zip", "2134", Code.BAD_VALUE),
    ("us_zip", "SW1A 1AA", Code.BAD_VALUE),
    ("us_zip", True, Code.WRONG_TYPE),
    ("us_state", "Bavaria", Code.BAD_VALUE),
    ("us_state", 5, Code.WRONG_TYPE),
    ("date", "1991-02-29", Code.BAD_VALUE),
    ("date", "4/2/91", Code.BAD_VALUE),
    ("date", "13/13/1991", Code.BAD_VALUE),
    ("date", "1891-04-02", Code.BAD_VALUE),
    ("date", "yesterday", Code.BAD_VALUE),
    ("date", [1991], Code.WRONG_TYPE),
    ("bool", "maybe", Code.BAD_VALUE),
    ("bool", 2, Code.BAD_VALUE),
    ("bool", {}, Code.WRONG_TYPE),
    ("choice", "excellent", Code.BAD_VALUE),
    ("choice", [], Code.WRONG_TYPE),
    ("int", "1.5", Code.BAD_VALUE),
    ("int", "1.000", Code.BAD_VALUE),
    ("int", "12,34", Code.BAD_VALUE),
    ("int", True, Code.WRONG_TYPE),
    ("int", ABSURD, Code.WRONG_TYPE),
    ("int", "9" * 5000, Code.BAD_VALUE),
    ("decimal", "1,5", Code.BAD_VALUE),
    ("decimal", "1.234,56", Code.BAD_VALUE),
    ("decimal", ".", Code.BAD_VALUE),
    ("decimal", ABSURD, Code.WRONG_TYPE),
    ("url", "javascript:alert(1)", Code.BAD_VALUE),
    ("url", "x.example/a", Code.BAD_VALUE),
    ("url", "https://", Code.BAD_VALUE),
    ("url", "https://x.example:port/", Code.BAD_VALUE),
    ("url", "https://[::1", Code.BAD_VALUE),
    ("url", "https://x.example/\r\nSet-Cookie: a", Code.BAD_VALUE),
    ("url", 7, Code.WRONG_TYPE),
    ("ip", "999.1.1.1", Code.BAD_VALUE),
    ("ip", "fe80::1%eth0", Code.BAD_VALUE),
    ("ip", 7, Code.WRONG_TYPE),
]


@pytest.mark.parametrize(("kind", "raw", "expected"), BAD)
def test_what_cannot_be_has_its_code(kind, raw, expected):
    assert code(kind, raw, **(CHOICES if kind == "choice" else {})) == expected


@pytest.mark.parametrize("spelling", BOOLS)
def test_yes_and_no_are_understood_in_every_case(spelling):
    for text in (spelling, spelling.upper(), f" {spelling.title()} "):
        assert read("bool", text) is BOOLS[spelling]


@pytest.mark.parametrize(("raw", "value"), [(True, True), (False, False), (1, True), (0, False)])
def test_json_says_yes_and_no_too(raw, value):
    assert read("bool", raw) is value


def test_a_choice_of_yes_and_no_understands_every_yes():
    for raw in ("Yes", True, "true", 1, "1", "on"):
        assert read("choice", raw, values=("yes", "no", "unsure")) == "yes"


def test_a_choice_with_two_words_for_yes_guesses_none():
    assert code("choice", "on", values=("yes", "true")) == Code.BAD_VALUE


def test_every_state_that_a_condition_may_name_is_understood():
    assert set(STATES.values()) == set(CONDITION_STATES)
    for state in CONDITION_STATES:
        assert read("us_state", state.lower()) == state


@pytest.mark.parametrize(("raw", "message"), [(1949, "at least 1950"), (2031, "at most 2030")])
def test_a_number_out_of_bounds_is_told_the_bound(raw, message):
    bad = read("int", raw, minimum=Decimal(1950), maximum=Decimal(2030))
    assert (bad.code, message in bad.message) == (Code.BAD_VALUE, True)


def test_a_pattern_must_match_the_whole_value():
    assert read("text", "AB12", pattern="[A-Z]{2}[0-9]{2}") == "AB12"
    assert code("text", "AB123", pattern="[A-Z]{2}[0-9]{2}") == Code.BAD_VALUE


def test_a_url_may_be_longer_than_a_text_usually_is():
    assert isinstance(read("url", "https://x.example/" + "a" * 1000), str)
    assert code("url", "https://x.example/" + "a" * 2048) == Code.BAD_VALUE


# Anything at all

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(kind=st.sampled_from(FieldType), raw=JSON_VALUES)
@example(kind=FieldType.DATE, raw="9999-99-99")
@example(kind=FieldType.IP, raw="1.2.3.4/5")
@example(kind=FieldType.URL, raw="http://[x]/")
@example(kind=FieldType.US_STATE, raw=".")
def test_any_value_is_read_or_refused_and_what_was_read_is_read_again(kind, raw):
    if absent(raw):
        return
    value = read(kind, raw, **(CHOICES if kind is FieldType.CHOICE else {}))
    if not isinstance(value, Bad):
        assert not absent(value)
        assert read(kind, value, **(CHOICES if kind is FieldType.CHOICE else {})) == value


@given(kind=st.sampled_from(FieldType), raw=st.from_regex(r"canary[!-~]{8,20}", fullmatch=True))
def test_no_reason_repeats_the_value(kind, raw):
    value = read(kind, raw, length_max=5)
    if isinstance(value, Bad):
        assert raw not in repr(value)


# Telephone numbers: the fast way says what phonenumbers says

DIGIT = st.sampled_from("0123456789")
NATIONAL = st.lists(DIGIT, min_size=10, max_size=10).map("".join)
LIKELY = st.from_regex(r"[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True)
SHAPES = st.sampled_from(
    [
        "{0}{1}{2}",
        "({0}) {1}-{2}",
        "({0}){1}{2}",
        "{0}-{1}-{2}",
        "{0}.{1}.{2}",
        "{0} {1} {2}",
        "1{0}{1}{2}",
        "1-{0}-{1}-{2}",
        "+1{0}{1}{2}",
        "+1 ({0}) {1}-{2}",
        "1 ({0}) {1} {2}",
        "+1.{0}.{1}.{2}",
        "+{0}{1}{2}",
        "0{0}{1}{2}",
        "{0}{1}{2} x9",
    ]
)


def by_phonenumbers(text):
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_possible_number(number) and phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, 0) if valid else None


@given(digits=NATIONAL | LIKELY, shape=SHAPES)
def test_the_fast_way_agrees_with_phonenumbers(digits, shape):
    text = shape.format(digits[:3], digits[3:6], digits[6:])
    read_value = normalize_phone(text)
    assert (None if isinstance(read_value, Bad) else read_value) == by_phonenumbers(text)


def test_the_fast_way_agrees_for_every_area_code():
    for area in range(200, 1000):
        text = f"{area}5550123"
        fast = US_NUMBERS.fullmatch(text) is not None
        assert not fast or by_phonenumbers(text) == f"+1{text}"


@given(st.text(alphabet="+()-. 0123456789x", max_size=24))
def test_any_text_of_digits_and_signs_is_judged_as_phonenumbers_judges_it(text):
    read_value = normalize_phone(text)
    assert (None if isinstance(read_value, Bad) else read_value) == by_phonenumbers(text)


def test_a_number_abroad_is_never_taken_for_an_american_one():
    assert hashed_digits("+15125550123") == "5125550123"
    assert hashed_digits("+442079460958") == "442079460958"
    assert (area_code("+15125550123"), area_code("+442079460958")) == ("512", None)


# E-mail addresses: likewise

LOCAL = st.from_regex(r"[A-Za-z0-9._+-]{1,70}", fullmatch=True)
DOMAIN = st.from_regex(r"([A-Za-z0-9-]{1,12}\.){0,4}[A-Za-z0-9-]{1,8}", fullmatch=True)
RESERVED = st.sampled_from(["a.invalid", "x.local", "localhost", "b.test", "c.onion", "d.arpa"])
ODD = st.sampled_from(
    ["EXAMPLE.ORG", "xn--bcher-kva.de", "a--b.com", "-a.com", "a-.com", "1.2.3.4"]
)


def by_email_validator(text):
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.normalized


@given(local=LOCAL, domain=DOMAIN | RESERVED | ODD)
def test_the_fast_way_agrees_with_email_validator(local, domain):
    text = f"{local}@{domain}"
    read_value = normalize_email(text)
    assert (None if isinstance(read_value, Bad) else read_value) == by_email_validator(text)


def judged_ip(text):
    try:
        return ip_address(text).compressed
    except ValueError:
        return AN_IP


@given(
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,4}){2,4}\.?", fullmatch=True) | st.ip_addresses().map(str)
)
@example("0.0.0.0")
@example("255.255.255.255")
@example("256.1.1.1")
@example("1.2.3.04")
@example("1.2.3.4\n")
def test_the_fast_way_agrees_with_ip_address(text):
    """An IP address is taken, and spelled, as Python's own library does."""
    assert ip(text) == judged_ip(text.strip())


@given(
    st.from_regex(r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}[T 0]?", fullmatch=True)
    | st.dates().map(str)
    | st.text(alphabet="0123456789-/T W\u0661", max_size=11)
)
@example("2024-02-29")
@example("2023-02-29")
@example("1899-12-31")
@example("2101-01-01")
@example("2020-W01-1")
@example("1991-04-2T")
@example("1991-04-\u0661\u0662")
def test_the_fast_way_agrees_with_every_spelling_of_a_day(text):
    """A day as most forms write it is the day that the long way finds, or none by either."""
    assert normalize_date(text) == any_date(text)


HOSTS = st.text(alphabet="abXY019.-_:@[]%\u00e9", max_size=12)
RESTS = st.text(alphabet="/?#=&:@%[] ab\\\u00e9\x7f\t", max_size=12)


@given(scheme=st.sampled_from(("http", "https", "HTTP", "ftp")), host=HOSTS, rest=RESTS)
def test_the_fast_way_agrees_with_every_url(scheme, host, rest):
    """A URL as most look is taken or refused as the long way does."""
    text = f"{scheme}://{host}{rest}".strip()
    assert url(text) == any_url(text)


@given(st.integers(min_value=-(10**17), max_value=10**17))
@example(10**15 - 1)
@example(10**15)
@example(-(10**15))
def test_a_whole_number_means_what_its_text_does(number):
    """JSON's number and the text of a form are one value, or one reason."""
    assert whole(number) == whole(str(number))


@given(
    st.integers(-20, 20),
    st.sampled_from(("1.5", "2", "-3.25", "-4", "2.0")),
    st.sampled_from(("3", "7.75")),
)
def test_bounds_hold_whether_whole_or_not(number, least, most):
    """A bound with decimals bounds whole numbers, too, and is told as it was declared."""
    value = read("int", number, minimum=Decimal(least), maximum=Decimal(most))
    if number < Decimal(least):
        assert value.message == f"must be at least {least}"
    elif number > Decimal(most):
        assert value.message == f"must be at most {most}"
    else:
        assert value == number
