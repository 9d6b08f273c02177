"""One data key for all that is sealed of a lead while it is being sold."""

from exchange.domain.ids import LeadId
from exchange.domain.moment import Moment
from exchange.ledger.vault import DataKey, Vault

KEPT_MAX = 8192


class LeadKeys:
    """Gives the same key for every moment of an open lead, and forgets it with the lead's end.

    A lead is erased only after its end, so no key comes back in a later row. Where a key was
    pushed out meanwhile, or the lead came from another worker, a new one is as good: every row
    has its own copy of the wrapped key.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._kept: dict[LeadId, DataKey] = {}

    def of(self, moment: Moment) -> DataKey:
        """Return the key for what this moment seals; it is kept from the lead's own moment on."""
        key = self._kept.get(moment.lead_id)
        if key is None:
            key = self._vault.new_key()
            # A ping may never become a lead, a late note comes after its end: neither is kept.
            if moment.lead is not None:
                self._kept[moment.lead_id] = key
                if len(self._kept) > KEPT_MAX:
                    del self._kept[next(iter(self._kept))]
        return key

    def forget(self, lead_id: LeadId) -> None:
        """Drop the key of a lead that ended."""
        self._kept.pop(lead_id, None)
