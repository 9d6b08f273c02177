"""Examples for the OpenAPI document: requests that a market of auto insurance takes, and answers.

Nothing in them is anyone's: names are made up, telephone numbers and domains reserved for that.
"""

import hashlib
from typing import Any

Example = dict[str, Any]

LEAD_ID = "019a0000-0000-7000-8000-00000000beef"
SALE_ID = "019a0000-0000-7000-8000-0000000051ed"
AT = "2026-11-18T11:00:00.000000Z"

PERSON: Example = {
    "first_name": "Ann",
    "last_name": "Lee",
    "phone": "(512) 555-0123",
    "email": "ann.lee@example.com",
    "birth_date": "1991-04-02",
}
ATTRIBUTES: Example = {"zip": "78701", "currently_insured": True}
CONSENT: Example = {
    "tcpa": True,
    "text": "I agree to be called about my quote",
    "url": "https://quotes.example/auto",
    "ip": "203.0.113.9",
    "at": "2026-11-18T11:00:00Z",
}
DIGESTS: Example = {
    "phone_sha256": hashlib.sha256(b"5125550123").hexdigest(),
    "email_sha256": hashlib.sha256(b"ann.lee@example.com").hexdigest(),
}

REQUESTS: dict[str, dict[str, Example]] = {
    "post_lead": {
        "lead": {
            "summary": "A test lead: nobody is charged",
            "value": {
                "campaign": "auto-us",
                "source": "search",
                "seller_ref": "A-1001",
                "test": True,
                "lead": {**PERSON, **ATTRIBUTES},
                "consent": CONSENT,
            },
        }
    },
    "post_ping": {
        "ping": {
            "summary": "A test ping: no name, and of telephone and e-mail only digests",
            "value": {
                "campaign": "auto-us",
                "source": "search",
                "test": True,
                "lead": {**ATTRIBUTES, **DIGESTS},
            },
        }
    },
    "post_quote": {
        "post": {
            "summary": "What the ping did not say; test or not is the ping's word",
            "value": {"seller_ref": "A-1001", "test": True, "lead": PERSON, "consent": CONSENT},
        }
    },
}
"""By operation; every lead and ping says that it is a test."""

SOLD: Example = {
    "lead_id": LEAD_ID,
    "status": "sold",
    "price": 11.05,
    "currency": "USD",
    "sales": [{"sale_id": SALE_ID, "price": 11.05}],
    "reason": None,
    "score": 71,
    "duration_ms": 143.2,
}
QUOTED: Example = {
    "ping_id": "q1.3vGmA…",
    "status": "quoted",
    "price": 11.05,
    "currency": "USD",
    "expires_at": "2026-11-18T11:05:00.000000Z",
    "legs": [{"leg_id": "1", "price": 11.05}],
    "reason": None,
}
VIEW: Example = {
    **SOLD,
    "campaign": "auto-us",
    "source": "search",
    "seller_ref": "A-1001",
    "test": True,
    "owner": None,
    "timeline": [
        {"seq": 1, "at": AT, "event": "received"},
        {"seq": 2, "at": AT, "event": "scored", "score": 71},
        {"seq": 3, "at": AT, "event": "sold", "price": 11.05, "sale_id": SALE_ID},
    ],
}
ANSWERS: dict[str, Example] = {
    "LeadAnswer": SOLD,
    "QuoteAnswer": QUOTED,
    "LeadView": VIEW,
    "RejectionsOut": {
        "rejections": [
            {
                "at": AT,
                "campaign": "auto-us",
                "errors": [{"field": "lead.phone", "code": "invalid_phone"}],
            }
        ]
    },
    "Health": {"status": "alive"},
}
"""By the type of the answer."""

FIELD_ERRORS: list[Example] = [
    {
        "field": "lead.phone",
        "code": "invalid_phone",
        "message": "must be a possible and valid telephone number",
    },
    {"field": "lead.zip", "code": "required", "message": "is required"},
]
