"""A link to a spec, for whoever has no key at hand: a person with a browser."""

import msgspec


class SpecLink(msgspec.Struct, frozen=True):
    """Shows one spec, and opens nothing else, until it expires."""

    url: str
    expires_at: str
