"""What a buyer's endpoint receives and may answer, in JSON Schema, where it speaks our format."""

from exchange.domain.money import to_decimal
from exchange.domain.offer import Offer
from exchange.web.requests import Schema
from exchange.web.specs.schema import DIALECT
from exchange.web.specs.shown import ShownField, lead_schema

TEXT: Schema = {"type": "string"}
AMOUNT: Schema = {"type": "number", "minimum": 0}
OR_NULL: Schema = {"type": ["string", "null"]}
YES_NO: Schema = {"type": "boolean"}
SOURCE: Schema = {
    "type": "object",
    "properties": {"id": TEXT, "channel": OR_NULL},
    "required": ["id"],
}
PING_CONSENT: Schema = {
    "type": "object",
    "properties": {"tcpa": YES_NO, "jornaya_id": TEXT, "trustedform_ping_url": TEXT},
}
POST_CONSENT: Schema = {
    "type": "object",
    "properties": {
        "tcpa": YES_NO,
        **dict.fromkeys(("text", "url", "ip", "at", "trustedform_url", "jornaya_id"), TEXT),
        "named_buyers": {"type": "array", "items": TEXT},
    },
}


def offer_schema(
    offer: Offer, pinged: tuple[ShownField, ...], posted: tuple[ShownField, ...]
) -> Schema:
    """Return the schema of all four messages; those in other words are left open."""
    parts: dict[str, Schema] = {}
    if offer.ping is not None and offer.ping.dialect is None:
        parts["ping"] = ping(offer, pinged)
        parts["ping_answer"] = ping_answer(offer)
    if offer.post is not None and offer.post.dialect is None:
        parts["post"] = post(offer, posted)
        parts["post_answer"] = post_answer()
    parts["ping_lead"] = lead_schema(pinged)
    parts["post_lead"] = lead_schema(posted)
    return {
        "$schema": DIALECT,
        "title": f"What the offer {offer.id} receives and answers",
        "description": "$defs has each message; there is none for what a mapping puts otherwise.",
        "$defs": parts,
    }


def ping(offer: Offer, fields: tuple[ShownField, ...]) -> Schema:
    """Return what comes to the ping URL."""
    auction = {
        "type": TEXT,
        "floor": {**AMOUNT, "description": "The least that can win."},
        "currency": {"const": offer.buyer.currency},
        "tmax_ms": {"type": "integer", "description": "The time that you really have."},
        "max_buyers": {"type": "integer", "minimum": 1},
    }
    return message(
        {
            "ping_id": TEXT,
            "vertical": {"const": offer.vertical_id},
            "test": YES_NO,
            "auction": {"type": "object", "properties": auction, "required": list(auction)},
            "lead": lead_schema(fields),
            "source": SOURCE,
            "consent": PING_CONSENT,
        }
    )


def post(offer: Offer, fields: tuple[ShownField, ...]) -> Schema:
    """Return what comes to the post URL."""
    schema = message(
        {
            "sale_id": TEXT,
            "ping_id": OR_NULL,
            "bid_id": OR_NULL,
            "price": {**AMOUNT, "description": "What you pay."},
            "currency": {"const": offer.buyer.currency},
            "vertical": {"const": offer.vertical_id},
            "test": YES_NO,
            "lead": lead_schema(fields),
            "source": SOURCE,
            "consent": POST_CONSENT,
        }
    )
    schema["properties"]["max_buyers"] = {
        "type": "integer",
        "minimum": 1,
        "description": "Where several may share: with how many in all you have the lead.",
    }
    return schema


def message(properties: dict[str, Schema]) -> Schema:
    """Return a body that has all of these; later ones may have more."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": True,
    }


def ping_answer(offer: Offer) -> Schema:
    """Return what may be answered to a ping with 200."""
    bid: Schema = {**AMOUNT, "description": "At most six decimals; 0 is no bid."}
    if offer.ping is not None:
        bid["maximum"] = to_decimal(offer.ping.max_bid)
    return {
        "type": "object",
        "properties": {
            "bid": bid,
            "bid_id": TEXT,
            "exclusive_bid": {**AMOUNT, "description": "What you pay for being the only buyer."},
            "currency": {"const": offer.buyer.currency},
            "ttl_s": {"type": "integer", "minimum": 1},
            **dict.fromkeys(("buyer_name", "consent_text", "reason"), TEXT),
        },
    }


def post_answer() -> Schema:
    """Return what may be answered to a post with 200."""
    return {
        "type": "object",
        "properties": {
            "accepted": {"type": ["boolean", "null"]},
            "reason": TEXT,
            "reference": {"type": ["string", "integer"]},
            "redirect_url": {"type": "string", "format": "uri"},
            "price": AMOUNT,
        },
        "required": ["accepted"],
    }
