"""A row's own Idempotency-Key: the same row of the same feed is the same post, wherever it stands.

It does not depend on the row's number: a feed may be mended, sorted or added to and sent again.
"""

import hashlib

from exchange.intake.feeds.row import Row
from exchange.intake.readers import clean
from exchange.intake.request import Request


def key_of(row: Row, request: Request, feed: str = "") -> str:
    """Return the key of a row: by its `seller_ref` where it has one, by all that it says else.

    `feed` is the feed's own key: under another one the same rows are new posts.
    """
    said = request.fields.get("seller_ref")
    ref = clean(said) if isinstance(said, str) else ""
    told = b"ref\0" + ref.encode(errors="surrogatepass") if ref else b"row\0" + row.body
    scope = hashlib.sha256(feed.encode(errors="surrogatepass")).digest()
    return f"feed-{hashlib.sha256(scope + told).hexdigest()}"
