"""In which format an offer's calls are, and what it says of that format's params."""

from exchange.contract.mapping import MappingPart, Scalar
from exchange.contract.market.offers import OfferPart


def halves_of(part: OfferPart) -> dict[str, str]:
    """Return the format of an offer's ping and of its post: `standard`, or a mapping's id."""
    if isinstance(part.format, str):
        return {"ping": part.format, "post": part.format}
    return {"ping": part.format.ping, "post": part.format.post}


def params_of(mapping: MappingPart, part: OfferPart) -> dict[str, Scalar]:
    """Return a mapping's params as they are for leads of an offer's vertical."""
    own = mapping.vertical.get(part.vertical)
    return {**mapping.params, **(own.params if own else {})}


def own_params(mapping: MappingPart, part: OfferPart) -> dict[str, Scalar]:
    """Return what an offer says of a mapping's params; its other half may have others."""
    held = params_of(mapping, part)
    return {name: value for name, value in part.params.items() if name in held}
