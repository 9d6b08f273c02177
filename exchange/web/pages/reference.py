"""`/docs`: the OpenAPI document as a page, on which each call can be tried."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from exchange.web.pages.rendering import render
from exchange.web.pages.representation import FOR_ALL, Representation, respond
from exchange.web.pages.shelf import SHELF

DOCUMENT = web.AppKey("document", bytes)

COMPONENT = "#/components/schemas/"
IN_HEADER_ENDING = "_header"

Described = Mapping[str, Any]


class Member(msgspec.Struct, frozen=True):
    """One field of a schema, as a line of a table."""

    name: str
    type: str
    about: str
    link: str | None = None
    """The name of the schema that it holds."""
    required: bool = False


class SchemaSection(msgspec.Struct, frozen=True):
    """One type of the contract."""

    name: str
    about: str
    members: tuple[Member, ...]


class Status(msgspec.Struct, frozen=True):
    """One status that an operation may answer with."""

    code: str
    about: str
    link: str | None
    examples: tuple[str, ...]
    """As JSON that people read."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: how it is called and what it answers."""

    id: str
    method: str
    path: str
    summary: str
    keys: tuple[str, ...]
    """Whose key it takes; none: anybody's call."""
    by_link: bool
    inputs: tuple[Member, ...]
    """Path and query, each to be filled in."""
    places: tuple[str, ...]
    """Of each input: `path` or `query`."""
    takes_body: bool
    takes_lead: bool
    """Its body is of the contract's type, and has an example."""
    may_be_real: bool
    """A seller's body is sold and charged unless it says that it is a test."""
    body: str
    media_types: tuple[str, ...]
    answers: tuple[Status, ...]

    @property
    def can_be_tried(self) -> bool:
        """Tell whether a form for it makes sense: files and pages are opened, not tried."""
        return not self.path.startswith("/static/")


class Group(msgspec.Struct, frozen=True):
    """The operations of one kind of people."""

    name: str
    about: str
    calls: tuple[Call, ...]


class Reference(msgspec.Struct, frozen=True):
    """The whole page."""

    template: ClassVar[str] = "reference.html"
    title: str
    version: str
    about: str
    groups: tuple[Group, ...]
    schemas: tuple[SchemaSection, ...]


async def get_docs(request: web.Request) -> web.Response:
    """Return the description of all routes as a page: `GET /docs`."""
    document = request.app[DOCUMENT]

    def made() -> Representation:
        return render(reference(json.loads(document)))

    content = await request.app[SHELF].get("docs", made)
    return respond(request, content, caching=FOR_ALL)


def reference(document: Described) -> Reference:
    """Return what the page shows of a document."""
    calls = [
        (described["tags"][0], call(path, method, described))
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    groups = (
        Group(
            tag["name"],
            tag["description"],
            tuple(one for name, one in calls if name == tag["name"]),
        )
        for tag in document["tags"]
    )
    info = document["info"]
    schemas = document["components"]["schemas"]
    return Reference(
        title=info["title"],
        version=info["version"],
        about=info["description"],
        groups=tuple(group for group in groups if group.calls),
        schemas=tuple(
            SchemaSection(name, schema.get("description", ""), members(schema))
            for name, schema in schemas.items()
        ),
    )


def call(path: str, method: str, described: Described) -> Call:
    """Return one operation as it is shown."""
    inputs = [part for part in described["parameters"] if part["in"] in {"path", "query"}]
    content = described.get("requestBody", {}).get("content", {})
    examples = content.get("application/json", {}).get("examples", {})
    ways = [name for way in described["security"] for name in way]
    return Call(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        keys=tuple(w for w in ways if w != "link" and not w.endswith(IN_HEADER_ENDING)),
        by_link="link" in ways,
        inputs=tuple(
            Member(
                part["name"],
                type_of(part["schema"]),
                part.get("description", ""),
                required=part.get("required", False),
            )
            for part in inputs
        ),
        places=tuple(part["in"] for part in inputs),
        takes_body=bool(content),
        may_be_real=bool(content) and "seller" in ways,
        takes_lead="LeadRequest" in str(content.get("application/json", {}).get("schema")),
        body=next((as_text(one["value"]) for one in examples.values()), "{}"),
        media_types=tuple(content),
        answers=tuple(status(code, answer) for code, answer in described["responses"].items()),
    )


def status(code: str, answer: Described) -> Status:
    """Return one answer as it is shown."""
    held: Described = next(iter(answer.get("content", {}).values()), {})
    examples = [one["value"] for one in held.get("examples", {}).values()]
    if "example" in held:
        examples.append(held["example"])
    return Status(
        code,
        answer["description"],
        linked(held.get("schema", {})),
        tuple(as_text(example) for example in examples),
    )


def members(schema: Described) -> tuple[Member, ...]:
    """Return a schema's fields in their order."""
    required = frozenset(schema.get("required", ()))
    return tuple(
        Member(
            name,
            type_of(held),
            held.get("description", ""),
            linked(held),
            required=name in required,
        )
        for name, held in schema.get("properties", {}).items()
    )


def type_of(schema: Described) -> str:
    """Return a schema's type in few words: `text or null`, `list of SaleOut`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(COMPONENT)
    if "enum" in schema:
        return "one of " + ", ".join(str(word) for word in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    kinds = schema.get("type", "any")
    if kinds == "array":
        return f"list of {type_of(schema.get('items') or {})}"
    return limits(kinds if isinstance(kinds, str) else " or ".join(kinds), schema)


def limits(kind: str, schema: Described) -> str:
    """Return a type with its bounds, where it has any."""
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "at least"),
            ("maxLength", "at most"),
        )
        if schema.get(key) is not None
    ]
    return " ".join([kind, *bounds])


def linked(schema: Described) -> str | None:
    """Return the name of the schema that this one holds, alone or in a list."""
    inner: Iterable[Described] = (schema, schema.get("items") or {}, *schema.get("anyOf", ()))
    names = (str(one["$ref"]).removeprefix(COMPONENT) for one in inner if "$ref" in one)
    return next(names, None)


def as_text(example: object) -> str:
    """Return an example as JSON that people read."""
    return json.dumps(example, indent=2, ensure_ascii=False)
