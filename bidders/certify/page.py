"""A certificate as one HTML file that needs nothing else; all that came from outside is escaped."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bidders.certify.certificate import Certificate, Result
from bidders.certify.check import Verdict
from bidders.certify.telling import summary

FOLDER = Path(__file__).parent
ORDER = (Verdict.FAILED, Verdict.WARNED, Verdict.PASSED, Verdict.NOT_TRIED)


class Part(msgspec.Struct, frozen=True):
    """The results of one verdict."""

    verdict: Verdict
    results: tuple[Result, ...]


class CertificatePage(msgspec.Struct, frozen=True):
    """The whole page."""

    template: ClassVar[str] = "certificate.html"
    summary: str
    found: Certificate
    parts: Sequence[Part]


def marked(sentence: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    parts = sentence.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def page(found: Certificate) -> str:
    """Return the certificate as a page."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["marked"] = marked
    parts = [
        Part(verdict, results)
        for verdict in ORDER
        if (results := tuple(r for r in found.results if r.verdict is verdict))
    ]
    shown = CertificatePage(summary(found), found, parts)
    return templates.get_template(shown.template).render(page=shown)
