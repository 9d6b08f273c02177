"""Templates become pages: everything is escaped, and a name that is not there is an error."""

from pathlib import Path
from typing import ClassVar, Protocol

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exchange.web.answers import encode
from exchange.web.pages.assets import ASSETS
from exchange.web.pages.representation import HTML, Representation

FOLDER = Path(__file__).parent.parent / "templates"


class Page(Protocol):
    """What stands on a page; its type names its template."""

    template: ClassVar[str]


def asset_path(name: str) -> str:
    """Return the address of a file of the package."""
    return ASSETS[name].path


def pretty(value: object) -> str:
    """Return a value, or what was encoded already, as JSON that people read, every digit kept."""
    return msgspec.json.format(
        value if isinstance(value, bytes) else encode(value), indent=2
    ).decode()


def marked(text: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def environment() -> Environment:
    """Return where templates come from and what they may call."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["asset"] = asset_path
    made.filters["pretty"] = pretty
    made.filters["marked"] = marked
    return made


TEMPLATES = environment()


def render(page: Page) -> Representation:
    """Return the page in HTML; takes milliseconds, so it runs in a thread."""
    text = TEMPLATES.get_template(page.template).render(page=page)
    return Representation.of(text.encode(), HTML)
