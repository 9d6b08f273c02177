"""Ends of leads of which their worker has not heard yet that they are written."""

from exchange.domain.ids import LeadId


class Unheard:
    """Counts a worker's writes, and knows which of them its sellers may not have been told of.

    A worker whose database does not answer tells `pending` of a lead, while its end is written all
    the same; it owes the message of that. Where it is gone before it wrote one, whoever takes over
    looks at the ends that were written from `since` on.
    """

    def __init__(self) -> None:
        self._next = 1
        self._ends: dict[LeadId, int] = {}

    def count(self) -> int:
        """Return the number of the next write, from 1 on."""
        write = self._next
        self._next += 1
        return write

    def ends(self, lead_id: LeadId, write: int) -> None:
        """Hand over a lead's end under this number; of several the first is the one to ask for."""
        self._ends.setdefault(lead_id, write)

    def heard(self, lead_id: LeadId) -> None:
        """Forget a lead: what is told of it is settled here, or is another worker's to tell."""
        self._ends.pop(lead_id, None)

    @property
    def since(self) -> int:
        """The first write that may be an end which nobody heard of; the next one if none is."""
        return min(self._ends.values(), default=self._next)
