"""The description at /openapi.json is valid, whole, and says what the code does."""

import json
from decimal import Decimal

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate

from exchange.contract.seller import ConsentIn, LeadAnswer, LeadRequest, ReasonOut, SaleOut
from exchange.contract.standing import operator_view, seller_view
from exchange.domain.events import EventName
from exchange.domain.quote import digests
from exchange.domain.reason import Reason
from exchange.intake.controls import read_controls
from exchange.intake.errors import Errors
from exchange.web.answers import encode
from exchange.web.application import create_app, create_operations_app
from exchange.web.openapi.document import document
from exchange.web.openapi.examples import REQUESTS
from exchange.web.pages.reference import DOCUMENT as DOCUMENT_KEY
from exchange.web.problems import Kind, problem
from exchange.web.requests import CONSENT, LEAD_REQUEST
from exchange.web.routes import ROUTES
from exchange.web.routing.operations import OPERATIONS
from tests.making import an_offer
from tests.making_intake import LEAD_ID, PERSON, REST, a_body, a_quote, accepted
from tests.making_web import a_standing, an_answer

DOCUMENT = json.loads(document((*ROUTES, *OPERATIONS)))
SCHEMAS = DOCUMENT["components"]["schemas"]
LEAD = "019a0000-0000-7000-8000-00000000beef"


def fits(answer, name):
    """Fail unless an answer, as it is encoded, is what the document says of its type."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(json.loads(answer))


def test_the_document_is_openapi():
    """A validator that knows OpenAPI 3.1 finds nothing to say."""
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_route_is_described():
    """No route without its description; each has its own name, a summary and a 200."""
    described = {
        (method.upper(), path): what
        for path, methods in DOCUMENT["paths"].items()
        for method, what in methods.items()
    }
    assert set(described) == {(route.method, route.path) for route in (*ROUTES, *OPERATIONS)}
    assert len({what["operationId"] for what in described.values()}) == len(described)
    for what in described.values():
        assert what["summary"]
        assert "200" in what["responses"]


def test_every_lead_may_come_in_each_media_type():
    """Leads and pings are taken as JSON, XML and forms, under a key in a header or in the body."""
    taken = [what for route, what in operations() if route.takes_lead]
    assert len(taken) == 3
    for what in taken:
        assert set(what["requestBody"]["content"]) == {
            "application/json",
            "application/xml",
            "text/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        }
        assert what["security"] == [{"seller": []}, {"seller_header": []}, {}]
        assert "Idempotency-Key" in [parameter["name"] for parameter in what["parameters"]]
        assert {"400", "401", "403", "409", "413", "415", "422", "500", "503"} <= set(
            what["responses"]
        )


def test_sellers_are_answered_in_json_and_xml():
    """Their answers and every problem are described in both formats, with the same schema."""
    for route, what in operations():
        for status, answer in what["responses"].items():
            if status == "304":
                continue
            content = answer["content"]
            if status == "200" and not route.also_xml:
                assert "application/xml" not in content
                continue
            first = content["application/json" if status == "200" else "application/problem+json"]
            assert content["application/xml"] == content["text/xml"] == {"schema": first["schema"]}
    for name in ("LeadAnswer", "LeadView", "QuoteAnswer", "RejectionsOut", "Problem"):
        assert SCHEMAS[name]["xml"] == {"name": "response"}
    assert SCHEMAS["LeadRequest"]["xml"] == {"name": "request"}


def operations():
    for route in ROUTES:
        yield route, DOCUMENT["paths"][route.path][route.method.lower()]


def test_reads_need_a_key_in_a_header():
    """What has no body has no key in it; whose key it takes is said, and where none is needed."""
    for route, what in operations():
        if not route.takes_lead:
            ways = {way for one in what["security"] for way in one}
            assert ways - {"link"} == {
                name for role in route.roles for name in (role, f"{role}_header")
            }
            assert ("link" in ways) is route.by_link
            assert ways <= set(DOCUMENT["components"]["securitySchemes"])


def test_what_the_exchange_serves_is_what_is_described():
    """The application has the described routes and no other, and so has that of operations."""
    script = object()
    for app, routes in (
        (create_app(script), (*ROUTES, *OPERATIONS)),
        (create_app(script, with_operations=False), ROUTES),
        (create_operations_app(script), OPERATIONS),
    ):
        served = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.method != "HEAD"
        }
        assert served == {(route.method, route.path) for route in routes}
        if DOCUMENT_KEY in app:
            paths = json.loads(app[DOCUMENT_KEY])["paths"]
            assert served == {
                (method.upper(), path) for path, methods in paths.items() for method in methods
            }


def examples():
    """Every example of the document with the schema that it stands beside."""
    for methods in DOCUMENT["paths"].values():
        for what in methods.values():
            held = [*what["responses"].values(), what.get("requestBody", {})]
            for content in (one for part in held for one in part.get("content", {}).values()):
                many = content.get("examples", {}).values()
                values = [one["value"] for one in many]
                values += [content["example"]] if "example" in content else []
                yield from ((what["operationId"], content["schema"], value) for value in values)


def test_every_example_is_what_it_is_an_example_of():
    """Requests, answers and problems satisfy the schemas beside them; leads say they are tests."""
    found = list(examples())
    for _, schema, value in found:
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
    names = {name for name, *_ in found}
    assert {"post_lead", "post_ping", "post_quote", "get_lead", "get_rejections"} <= names
    requests = [one["value"] for many in REQUESTS.values() for one in many.values()]
    assert all(request["test"] is True for request in requests)


def test_the_examples_of_requests_are_taken():
    """The lead is accepted, the ping too, and the post of its quote does not contradict it."""
    lead, ping, post = (
        json.dumps(next(iter(REQUESTS[name].values()))["value"]).encode()
        for name in ("post_lead", "post_ping", "post_quote")
    )
    assert accepted(lead).person.identity["first_name"] == "Ann"
    pinged = accepted(ping, is_ping=True)
    quote = a_quote(
        fields=pinged.lead.fields,
        digests=digests(LEAD_ID, pinged.fingerprint),
        test=True,
    )
    assert accepted(post, quote=quote).lead.test


def test_requests_are_those_that_are_parsed():
    """The described fields are exactly those of the types, and those that intake reads."""
    assert set(LEAD_REQUEST) == set(LeadRequest.__struct_fields__)
    assert set(CONSENT) == set(ConsentIn.__struct_fields__)
    errors = Errors()
    read_controls(dict.fromkeys(LEAD_REQUEST, object()), errors)
    groups = {"lead", "consent", "tracking"}
    assert {error.field for error in errors.found} == set(LEAD_REQUEST) - groups


@pytest.mark.parametrize("price", [None, Decimal("8.50"), Decimal("0.000001")])
def test_answers_are_as_described(price):
    """Answers, as they are encoded, satisfy their schemas: money is a number."""
    sales = () if price is None else (SaleOut("sale-1", price, "Acme", "https://a.example"),)
    answer = an_answer(LEAD, price=price, sales=sales, reason=ReasonOut.of(Reason.OUTBID))
    fits(encode(answer), "LeadAnswer")
    standing = a_standing(LEAD, answer=answer)
    fits(encode(seller_view(standing)), "LeadView")
    fits(encode(operator_view(standing, {"acme-tx": an_offer()}, ())), "OperatorLeadView")
    fits(encode(problem(Kind.FIELDS)), "Problem")


def test_requests_are_as_described():
    """A seller's request satisfies the schema of requests."""
    body = a_body(lead={**PERSON, **REST}, min_price=4.0, timeout_ms=200, exclude_buyers=["acme"])
    fits(json.dumps({**body, "consent": {"tcpa": True}, "api_key": "k"}), "LeadRequest")


def test_a_wrong_answer_is_not_as_described():
    """The schemas tell right from wrong: a status that nobody knows does not pass."""
    with pytest.raises(ValidationError, match="is not one of"):
        fits(encode(an_answer(LEAD, status="gone")), "LeadAnswer")


def test_words_of_the_contract_are_told():
    """Events, reasons and their codes are listed."""
    assert set(SCHEMAS["TimelineEntry"]["properties"]["event"]["enum"]) == set(EventName)
    assert set(SCHEMAS["ReasonOut"]["properties"]["code"]["enum"]) == set(Reason)


def test_every_answer_type_is_described_with_its_fields():
    """The schema of an answer has the fields of its type."""
    assert set(SCHEMAS["LeadAnswer"]["properties"]) == set(LeadAnswer.__struct_fields__)
    for route in (*ROUTES, *OPERATIONS):
        if isinstance(route.answer, type) and issubclass(route.answer, msgspec.Struct):
            assert route.answer.__name__ in SCHEMAS
