"""How the requests of sellers look, in JSON Schema: what stands open in the types that parse them.

Those types take every value as it comes, so that all errors can be told at once; what is accepted
in the end is said here. Their names are checked against each other by a test.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": ["string", "null"], "maxLength": 200}
LONG_TEXT: Schema = {"type": ["string", "null"]}
AMOUNT: Schema = {
    "type": ["number", "null"],
    "minimum": 0,
    "description": "A JSON number with at most six decimals, exact.",
}

LEAD_REQUEST: dict[str, Schema] = {
    "campaign": {"type": "string", "description": "Required, but in the post of a quote."},
    "source": {**TEXT, "description": "One feed of yours; an undeclared one is flagged."},
    "seller_ref": {**TEXT, "description": "Your own name for this lead."},
    "ping_id": {**LONG_TEXT, "description": "Of the quote that this lead is posted for."},
    "min_price": {**AMOUNT, "description": "The least that you want to be paid."},
    "timeout_ms": {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "Hear by then, if that is sooner than the campaign's answer deadline.",
    },
    "test": {
        "type": ["boolean", "null"],
        "description": "Runs everything against test offers, and charges nobody.",
    },
    "lead": {
        "type": "object",
        "description": "The fields of the campaign's vertical; unknown ones are kept as `extra`.",
        "additionalProperties": True,
    },
    "consent": {"$ref": "#/components/schemas/ConsentIn"},
    "tracking": {"type": ["object", "null"], "additionalProperties": True},
    "already_sold": {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": "To how many buyers you sold this lead elsewhere.",
    },
    "exclude_buyers": {"type": ["array", "null"], "items": {"type": "string"}},
    "legs": {"type": ["array", "null"], "items": {"type": "string"}},
}

CONSENT: dict[str, Schema] = {
    "tcpa": {"type": ["boolean", "null"]},
    "text": {**LONG_TEXT, "description": "The words that the person agreed to."},
    "url": {**LONG_TEXT, "description": "The page on which they stood."},
    "ip": LONG_TEXT,
    "at": {**LONG_TEXT, "description": "When, as RFC 3339."},
    "trustedform_url": LONG_TEXT,
    "jornaya_id": LONG_TEXT,
    "named_buyers": {"type": ["array", "null"], "items": {"type": "string"}},
}

API_KEY: Schema = {
    "type": "string",
    "writeOnly": True,
    "description": "The key, where no header carries it.",
}

FORM: Schema = {
    "type": "object",
    "description": (
        "The same names; the lead's fields stand flat beside `campaign` and `source`, consent and"
        " tracking as `consent.url`, `tracking.utm_source` and so on."
    ),
    "properties": {
        **{
            name: {"type": "string"}
            for name in LEAD_REQUEST
            if name not in {"lead", "consent", "tracking"}
        },
        **{f"consent.{name}": {"type": "string"} for name in CONSENT},
        "api_key": API_KEY,
    },
    "additionalProperties": {"type": "string"},
}
"""What urlencoded and multipart forms hold."""
