"""Every body becomes one request or a status and a sentence, whatever its bytes are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from multipart import parse_options_header

from exchange.domain.json_text import BOM, VALUES_MAX, exact_number, too_many_values
from exchange.intake.forms import read_multipart, read_urlencoded
from exchange.intake.request import ABSURD, Absurd, Parsed, Request, Unparsable
from exchange.intake.xml_body import read_xml

DEPTH_MAX = 64
"""How many arrays and objects a JSON body may nest."""

JSON = "application/json"
ESCAPED_NUL = b"\\u0000"


def parse(body: bytes, content_type: str) -> Parsed | Unparsable:
    """Return the request in `body`, and the key that came inside it; never raises.

    415 for a content type or charset that is not taken, 400 for a body that is not what its
    content type says.
    """
    if content_type == JSON:  # what nearly all send, and nothing to take apart
        return parse_json(body)
    kind, options = parse_options_header(content_type)
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        return Unparsable(415, "the charset must be UTF-8")
    if kind == JSON:
        return parse_json(body)
    if kind == "application/x-www-form-urlencoded":
        return read_urlencoded(body)
    if kind == "multipart/form-data":
        return read_multipart(body, options.get("boundary", ""))
    if kind in {"application/xml", "text/xml"}:
        return read_xml(body)
    return Unparsable(
        415,
        "the content type must be application/json, application/xml,"
        " application/x-www-form-urlencoded or multipart/form-data",
    )


def parse_json(body: bytes) -> Parsed | Unparsable:
    """Return the request in a JSON body; numbers stay exact, escaped NULs are gone."""
    if too_many_values(body):
        return Unparsable(400, f"the body holds more than {VALUES_MAX} values")
    try:
        fields = DECODER.decode(body.removeprefix(BOM))
    except UnicodeDecodeError:
        return Unparsable(400, "the body is not UTF-8")
    except RecursionError:
        return Unparsable(400, TOO_DEEP)
    except msgspec.ValidationError:
        return Unparsable(400, "the body must be a JSON object with numbers of sane length")
    except msgspec.DecodeError as error:
        if not body.strip():
            return Unparsable(400, "the body is empty; a request is a JSON object")
        # The decoder's words name a byte's position, never what stood there.
        return Unparsable(400, f"the body is not JSON: {error}")
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX and deeper_than(fields, DEPTH_MAX):
        return Unparsable(400, TOO_DEEP)
    if ESCAPED_NUL in body:
        fields = without_nul(fields)
    api_key = fields.pop("api_key", None)
    return Parsed(Request(fields), api_key if isinstance(api_key, str) else None)


TOO_DEEP = f"the body nests deeper than {DEPTH_MAX} levels"


def number(text: str) -> Decimal | Absurd:
    """Return a JSON number exactly, or `ABSURD`."""
    exact = exact_number(text)
    return ABSURD if exact is None else exact


DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=number)


def deeper_than(value: Mapping[str, object], depth_max: int) -> bool:
    """Tell whether containers nest deeper than this; layer by layer, so nothing overflows."""
    layer: list[Any] = [value]
    for _ in range(depth_max):
        layer = [
            child
            for container in layer
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        if not layer:
            return False
    return True


def without_nul(value: Any) -> Any:
    """Return a decoded value with every NUL taken out of its texts and names."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    return value
