"""A row's own Idempotency-Key: the same row of the same feed is the same post, wherever it stands.

It does not depend on the row's number: a feed may be mended, sorted or added to and sent again.
"""

import hashlib

from exchange.intake.controls import TEXT_LENGTH_MAX
from exchange.intake.feeds.row import Row
from exchange.intake.readers import clean
from exchange.intake.request import Request


def key_of(row: Row, request: Request, feed: str = "") -> str:
    """Return the key of a row: by its `seller_ref` where it has one, by all that it says else.

    `feed` is the feed's own key: under another one the same rows are new posts.
    """
    ref = ref_of(request)
    told = b"ref\0" + ref.encode(errors="surrogatepass") if ref else b"row\0" + row.body
    scope = hashlib.sha256(feed.encode(errors="surrogatepass")).digest()
    return f"feed-{hashlib.sha256(scope + told).hexdigest()}"


def ref_of(request: Request) -> str:
    """Return a row's `seller_ref`, empty where it has none."""
    said = request.fields.get("seller_ref")
    return clean(said) if isinstance(said, str) else ""


def shown_ref(request: Request) -> str | None:
    """Return a row's `seller_ref` for the line that tells what became of it."""
    ref = ref_of(request)
    return ref if 0 < len(ref) <= TEXT_LENGTH_MAX else None
