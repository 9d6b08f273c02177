"""The names of keys; all keys of one call carry one hash tag, so that they live on one shard."""

from exchange.domain.exclusivity import Claim

BUYERS = "buyers"
"""All buyers who ever had a hold: the one key without a tag."""


EPOCH = "epoch"
"""Of which epoch all of market state is: gone where the server lost its data."""


def epoch(tag: str) -> str:
    """Of which epoch a part is: `buyer:acme`, `campaign:auto-us`, `seller:fastquotes`."""
    return f"{{{tag}}}:epoch"


def claims(claim: Claim) -> tuple[str, ...]:
    """Who came first, by each way to recognize a person."""
    return tuple(f"{{{claim.scope}}}:claim:{key}" for key in claim.keys)


def counters(buyer_id: str) -> str:
    """What is settled and held of all limits of a buyer and its offers."""
    return f"{{buyer:{buyer_id}}}:counters"


def holds(buyer_id: str) -> str:
    """The holds of a buyer."""
    return f"{{buyer:{buyer_id}}}:holds"


def leases(buyer_id: str) -> str:
    """Until when each hold without an award may stay."""
    return f"{{buyer:{buyer_id}}}:leases"


def ended(buyer_id: str, sale_id: str) -> str:
    """How a hold ended, for a while."""
    return f"{{buyer:{buyer_id}}}:ended:{sale_id}"


def person(digest: str) -> str:
    """Which buyers bought a person."""
    return f"{{person:{digest}}}:buyers"


def turns(scope: str, stage: int) -> str:
    """How the turns of a stage stand."""
    return f"{{{scope}}}:turns:{stage}"


def turn(scope: str, lead_id: str) -> str:
    """Which turn a lead was given last."""
    return f"{{{scope}}}:turn:{lead_id}"


def once(account: str, digest: bytes) -> str:
    """What became of the request with an Idempotency-Key."""
    return f"{{{account}}}:once:{digest.hex()}"
