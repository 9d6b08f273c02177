"""The names of keys; all keys of one call carry one hash tag, so that they live on one shard."""

from exchange.domain.exclusivity import Claim

BUYERS = "buyers"
"""All buyers and sellers who ever had a hold: the one key without a tag."""


EPOCH = "epoch"
"""Of which epoch all of market state is: gone where the server lost its data."""


def epoch(tag: str) -> str:
    """Of which epoch a part is: `buyer:acme`, `campaign:auto-us`, `seller:fastquotes`."""
    return f"{{{tag}}}:epoch"


def claims(claim: Claim) -> tuple[str, ...]:
    """Who came first, by each way to recognize a person."""
    return tuple(f"{{{claim.scope}}}:claim:{key}" for key in claim.keys)


def tag(holder: str) -> str:
    """Return the hash tag of who holds: a buyer by its id, a seller as `seller:fastquotes`.

    No id has a colon.
    """
    return holder if ":" in holder else f"buyer:{holder}"


def counters(holder: str) -> str:
    """What is settled and held of all limits of a buyer and its offers, or of a seller."""
    return f"{{{tag(holder)}}}:counters"


def holds(holder: str) -> str:
    """The holds of a buyer or seller."""
    return f"{{{tag(holder)}}}:holds"


def leases(holder: str) -> str:
    """Until when each hold without an award may stay."""
    return f"{{{tag(holder)}}}:leases"


def ended(holder: str, sale_id: str) -> str:
    """How a hold ended, for a while."""
    return f"{{{tag(holder)}}}:ended:{sale_id}"


def of_sale(holder: str, sale_id: str) -> tuple[str, ...]:
    """Return all that a hold and its end touch: the four above, and the epoch of whose they are."""
    own = f"{{{tag(holder)}}}"
    return (
        f"{own}:counters",
        f"{own}:holds",
        f"{own}:leases",
        f"{own}:ended:{sale_id}",
        f"{own}:epoch",
    )


def rate(holder: str, offer_id: str) -> str:
    """When an offer was pinged last."""
    return f"{{{tag(holder)}}}:rate:{offer_id}"


def person(digest: str) -> str:
    """Which buyers bought a person."""
    return f"{{person:{digest}}}:buyers"


def turns(scope: str, stage: int) -> str:
    """How the turns of a stage stand."""
    return f"{{{scope}}}:turns:{stage}"


def turn(scope: str, stage: int, lead_id: str) -> str:
    """Which turn of a stage a lead was given last."""
    return f"{{{scope}}}:turn:{stage}:{lead_id}"


def once(account: str, digest: bytes) -> str:
    """What became of the request with an Idempotency-Key."""
    return f"{{{account}}}:once:{digest.hex()}"


def quote(seller_id: str, digest: bytes) -> str:
    """What a seller was quoted for a ping."""
    return f"{{seller:{seller_id}}}:quote:{digest.hex()}"
