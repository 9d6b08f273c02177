"""Whole programs that ping and post an invented lead, generated from a campaign's own fields.

Each takes the key from the variable KEY and prints the answer as its last line; a test runs them
as they are shown.
"""

from collections.abc import Mapping
from string import Template
from xml.sax.saxutils import escape

import msgspec

from exchange.domain.vertical import Vertical
from exchange.web.specs import programs
from exchange.web.specs.fields import digest_names
from exchange.web.specs.leads import Body, Sample, hashed_text
from exchange.web.specs.notations import (
    INDENT,
    JAVASCRIPT,
    JSON,
    PHP,
    PYTHON,
    Expression,
    Notation,
    written,
)

LINES = {"\n": "&#10;", "\r": "&#13;"}
LATE_S = 5
"""How much longer than the answer deadline a program waits."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One program, ready to be run."""

    id: str
    language: str
    title: str
    file: str
    """What to call it."""
    code: str


class InLanguage(msgspec.Struct, frozen=True):
    """The programs of one language."""

    name: str
    programs: tuple[Program, ...]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all programs of a spec have in common."""

    base_url: str
    vertical: Vertical
    campaign_id: str
    sample: Sample
    post: Body
    """A direct post."""
    ping: Body
    rest: Body
    """The post of the ping's quote."""
    wait_s: int
    """How long an answer may take."""


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """How programs are made in one language."""

    id: str
    name: str
    ending: str
    notation: Notation
    post: str
    ping: str
    digest: str
    """A call that makes a digest of $text."""


LANGUAGES = (
    Language(
        id="python",
        name="Python",
        ending="py",
        notation=PYTHON,
        post=programs.PYTHON_POST,
        ping=programs.PYTHON_PING,
        digest="sha256($text)",
    ),
    Language(
        id="php",
        name="PHP",
        ending="php",
        notation=PHP,
        post=programs.PHP_POST,
        ping=programs.PHP_PING,
        digest="hash('sha256', $text)",
    ),
    Language(
        id="javascript",
        name="JavaScript",
        ending="mjs",
        notation=JAVASCRIPT,
        post=programs.JAVASCRIPT_POST,
        ping=programs.JAVASCRIPT_PING,
        digest="sha256($text)",
    ),
)


def programs_of(setting: Setting) -> tuple[Program, ...]:
    """Return all programs, curl's first."""
    return (
        *curl_programs(setting),
        *client_programs(setting),
        *(program for language in LANGUAGES for program in programs_in(language, setting)),
        *other_formats(setting),
    )


def by_language(programs: tuple[Program, ...]) -> tuple[InLanguage, ...]:
    """Return the programs by language, in the order in which each is first met."""
    names = dict.fromkeys(program.language for program in programs)
    return tuple(
        InLanguage(name, tuple(one for one in programs if one.language == name)) for name in names
    )


def curl_programs(setting: Setting) -> tuple[Program, ...]:
    """Return the two in a shell."""
    told = {**common(setting), "ping": "", "post": as_json(setting.post)}
    pinged = {**told, "ping": as_json(setting.ping), "post": as_json(setting.rest)}
    return (
        Program(
            id="curl-post",
            language="curl",
            title="Post",
            file="post.sh",
            code=filled(programs.CURL_POST, told),
        ),
        Program(
            id="curl-ping",
            language="curl",
            title="Ping, then post",
            file="ping.sh",
            code=filled(programs.CURL_PING, pinged),
        ),
    )


def client_programs(setting: Setting) -> tuple[Program, ...]:
    """Return the two with the exchange's own client for Python."""
    ping = with_digests(setting, LANGUAGES[0])
    told = {
        **common(setting),
        "campaign": written(setting.campaign_id, PYTHON),
        "source": written(setting.post.get("source"), PYTHON),
        "lead": written(setting.sample.lead, PYTHON),
        "pinged": written(ping["lead"], PYTHON),
        "rest": written(setting.sample.rest, PYTHON),
        "consent": keywords(setting.post["consent"]),
    }
    return tuple(
        Program(
            id=f"client-{kind}",
            language="Python, with exchange.client",
            title=title,
            file=f"client_{kind}.py",
            code=filled(code, told),
        )
        for kind, title, code in (
            ("post", "Post", programs.CLIENT_POST),
            ("ping", "Ping, then post", programs.CLIENT_PING),
        )
    )


def programs_in(language: Language, setting: Setting) -> tuple[Program, ...]:
    """Return the two in one language, on nothing but what comes with it."""
    told = {**common(setting), "post": written(setting.post, language.notation), "ping": ""}
    pinged = {
        **told,
        "ping": written(with_digests(setting, language), language.notation),
        "post": written(setting.rest, language.notation),
    }
    return tuple(
        Program(
            id=f"{language.id}-{kind}",
            language=language.name,
            title=title,
            file=f"{kind}.{language.ending}",
            code=filled(code, values),
        )
        for kind, title, code, values in (
            ("post", "Post", language.post, told),
            ("ping", "Ping, then post", language.ping, pinged),
        )
    )


def other_formats(setting: Setting) -> tuple[Program, ...]:
    """Return a form and an XML document, sent by curl."""
    lines = " \\\n".join(f"  --data-urlencode {quoted(f'{n}={v}')}" for n, v in flat(setting.post))
    document = f"<request>\n{elements(setting.post, 1)}</request>"
    told = {**common(setting), "form": lines, "xml": document}
    return (
        Program(
            id="curl-form",
            language="Form",
            title="Post",
            file="form.sh",
            code=filled(programs.CURL_FORM, told),
        ),
        Program(
            id="curl-xml",
            language="XML",
            title="Post",
            file="xml.sh",
            code=filled(programs.CURL_XML, told),
        ),
    )


def common(setting: Setting) -> dict[str, str]:
    """Return what every program needs."""
    return {"exchange": setting.base_url, "wait_s": str(setting.wait_s)}


def filled(code: str, told: Mapping[str, str]) -> str:
    """Return a program with its values in their places."""
    return Template(code).substitute(told).strip() + "\n"


def as_json(body: Body) -> str:
    """Return a body for a here-document that nothing is expanded in."""
    return written(body, JSON)


def with_digests(setting: Setting, language: Language) -> Body:
    """Return the ping, its digests made where they are sent."""
    lead = dict(setting.ping["lead"])
    for field, name, _ in digest_names(setting.vertical):
        if name in lead:
            text = hashed_text(field, str(setting.sample.lead[field.name]))
            call = Template(language.digest).substitute(text=language.notation.scalar(text))
            lead[name] = Expression(call)
    return {**setting.ping, "lead": lead}


def keywords(consent: Mapping[str, object]) -> str:
    """Return a consent as arguments of a call in Python."""
    parts = [f"{name}={written(value, PYTHON)}" for name, value in consent.items()]
    return ("\n" + INDENT) + f",\n{INDENT}".join(parts) + ",\n"


def flat(body: Body) -> list[tuple[str, str]]:
    """Return a body's values under the names that a form gives them."""
    found = []
    for name, value in body.items():
        if name == "lead":
            found += [(inner, text_of(part)) for inner, part in value.items()]
        elif isinstance(value, Mapping):
            found += [(f"{name}.{inner}", text_of(part)) for inner, part in value.items()]
        else:
            found.append((name, text_of(value)))
    return found


def elements(value: Mapping[str, object], depth: int) -> str:
    """Return a body's values as elements, one a line."""
    lines = []
    for name, part in value.items():
        indent = "  " * depth
        if isinstance(part, Mapping):
            lines.append(f"{indent}<{name}>\n{elements(part, depth + 1)}{indent}</{name}>\n")
        else:
            lines.append(f"{indent}<{name}>{escape(text_of(part), LINES)}</{name}>\n")
    return "".join(lines)


def text_of(value: object) -> str:
    """Return a scalar as a form spells it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def quoted(text: str) -> str:
    """Return a text as one word of a shell."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def setting_of(
    base_url: str,
    vertical: Vertical,
    campaign_id: str,
    sample: Sample,
    answer_deadline_ms: int,
    bodies: tuple[Body, Body],
) -> Setting:
    """Return what the programs of a spec have in common; `bodies` are a post's and a ping's."""
    post, ping = bodies
    rest = {"lead": sample.rest, "consent": post["consent"]}
    return Setting(
        base_url=base_url,
        vertical=vertical,
        campaign_id=campaign_id,
        sample=sample,
        post=post,
        ping=ping,
        rest=rest,
        wait_s=answer_deadline_ms // 1000 + LATE_S,
    )
