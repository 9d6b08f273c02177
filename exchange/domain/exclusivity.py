"""Who came first: the keys by which a lead claims its person, without naming anyone.

Keys are digests under a secret of the exchange, so that market state holds nothing by which a
telephone number could be found by trying them all.
"""

import msgspec

from exchange.domain.campaign import Against, Campaign, DuplicateScope, MatchOn
from exchange.domain.ids import LeadId
from exchange.domain.keyed import hmac_sha256
from exchange.domain.lead import Fingerprint


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one lead claims: if any of its keys is another lead's, that one came first."""

    scope: str
    """`campaign:auto-us` or `vertical:auto_insurance`; the hash tag of all its keys."""
    keys: tuple[str, ...]
    lead_id: LeadId
    window_s: int
    until_end: bool
    """True: given back when the lead ends unsold (`against = "sold"`)."""

    def beside(self, written: bytes | None) -> "Claim":
        """Return what of it is not in the claim that was written with its lead, `packed`.

        Another post of the same quote may have claimed another person, and come too late.
        """
        if written is None:
            return self
        kept = unpacked(written)
        if kept.scope != self.scope:
            return self
        others = tuple(key for key in self.keys if key not in kept.keys)
        return msgspec.structs.replace(self, keys=others)


packed = msgspec.msgpack.Encoder().encode
"""A claim as it is written with its lead."""
unpacked = msgspec.msgpack.Decoder(Claim).decode


def claim(
    fingerprint: Fingerprint, campaign: Campaign, lead_id: LeadId, secret: bytes, *, test: bool
) -> Claim | None:
    """Return what this lead claims, or None where nothing is checked or nothing is known.

    Each digest kind is a way to be recognized of its own, since a ping may bring only one.
    With `match = "all"` the fields make one key together; a lead that lacks one of them is not
    compared.
    """
    rule = campaign.duplicates
    if rule is None:
        return None
    keys: list[str] = []
    for kind, digests in (("sha256", fingerprint.sha256), ("md5", fingerprint.md5)):
        known = [f"{kind}:{name}:{digests[name]}" for name in rule.on if name in digests]
        if rule.match is MatchOn.ANY:
            keys += known
        elif len(known) == len(rule.on):
            keys.append("+".join(known))
    if not keys:
        return None
    in_campaign = rule.scope is DuplicateScope.CAMPAIGN
    scope = f"campaign:{campaign.id}" if in_campaign else f"vertical:{campaign.vertical_id}"
    return Claim(
        scope=f"{scope}:test" if test else scope,
        keys=tuple(hmac_sha256(secret, key.encode())[:16].hex() for key in keys),
        lead_id=lead_id,
        window_s=rule.window_s,
        until_end=rule.against is Against.SOLD,
    )


def person_keys(fingerprint: Fingerprint, secret: bytes) -> tuple[str, ...]:
    """Return the keys under which buyers' past purchases of this person are kept."""
    return tuple(
        hmac_sha256(secret, f"person:{name}:{digest}".encode())[:16].hex()
        for name, digest in sorted(fingerprint.sha256.items())
    )
