"""Every answer of a route by its status; problems of one status stand together."""

from collections import defaultdict
from http import HTTPStatus

import msgspec

from exchange.contract.feeds import COLUMNS
from exchange.web.accept import JSON
from exchange.web.answers import PROBLEM_JSON
from exchange.web.openapi.examples import ANSWERS, FIELD_ERRORS
from exchange.web.openapi.schemas import XML_TYPES, reference
from exchange.web.problems import Kind, problem
from exchange.web.requests import Schema
from exchange.web.routing.route import Route, Text

RETRY_STATUSES = frozenset({409, 429, 503})
JSON_TEXTS = frozenset({Text.OPENAPI, Text.SCHEMA})


def responses(route: Route) -> Schema:
    """Return every answer by its status; problems of one status stand together."""
    ok: Schema = {"description": route.summary}
    if isinstance(route.answer, Text):
        schema = {"type": "object" if route.answer in JSON_TEXTS else "string"}
        ok["content"] = {route.answer.value: {"schema": schema}}
    elif route.last is not None:
        ok["content"] = feed_answers(route.answer, route.last)
    else:
        media_types = (JSON, *XML_TYPES) if route.also_xml else (JSON,)
        name = route.answer.__name__
        ok["content"] = {media: {"schema": reference(name)} for media in media_types}
        if name in ANSWERS:
            ok["content"][JSON]["example"] = ANSWERS[name]
    answers: Schema = {"200": ok}
    if route.cached:
        answers["304"] = {"description": "What you have is the present one (If-None-Match)"}
    if route.unready is not None:
        answers["503"] = {
            "description": "Not now",
            "headers": retry_after(),
            "content": {JSON: {"schema": reference(route.unready.__name__)}},
        }
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in route.problems:
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        answers[str(status)] = problem_answer(status, kinds)
    return answers


def feed_answers(row: type, last: type) -> Schema:
    """Return the two ways to answer a feed."""
    names = (row.__name__, last.__name__)
    return {
        "application/x-ndjson": {
            "schema": {
                "description": "Each line; the last one is of the second kind.",
                "anyOf": [reference(name) for name in names],
            }
        },
        "text/csv": {
            "schema": {
                "type": "string",
                "description": f"The columns {', '.join(COLUMNS)}; the last `row` is `end`.",
            }
        },
    }


def problem_answer(status: int, kinds: list[Kind]) -> Schema:
    """Return one status and the problems that may come with it."""
    titles = "; ".join(kind.title for kind in kinds)
    described: Schema = {
        "description": f"{HTTPStatus(status).phrase}: {titles}",
        "content": {
            PROBLEM_JSON: {
                "schema": reference("Problem"),
                "examples": {kind.word: {"value": problem_example(kind)} for kind in kinds},
            },
            **{media: {"schema": reference("Problem")} for media in XML_TYPES},
        },
    }
    if status in RETRY_STATUSES:
        described["headers"] = retry_after()
    return described


def problem_example(kind: Kind) -> Schema:
    """Return how a problem of this kind looks."""
    plain: Schema = msgspec.to_builtins(problem(kind))
    return {**plain, "errors": FIELD_ERRORS} if kind is Kind.FIELDS else plain


def retry_after() -> Schema:
    """Return the header that says when to come again."""
    return {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
