"""What can go wrong in the ledger; an exception's docstring is its message."""

from inspect import cleandoc


class LedgerError(Exception):
    """The ledger cannot be used."""

    def __init__(self, **facts: object) -> None:
        """Fill the facts into the class's own sentence."""
        super().__init__(cleandoc(type(self).__doc__ or "").format(**facts))


class LedgerUnavailable(LedgerError):  # noqa: N818 - what every caller calls this state
    """The ledger's database does not answer in time; it is tried again by itself."""


class TooMuchToCount(LedgerError):  # noqa: N818 - a verdict on what was asked for
    """There is more to count than is counted in {seconds} s: ask for a shorter time."""


class LeaseLost(LedgerUnavailable):
    """The lease of worker {worker_id} was taken over, or never made: it may write nothing more."""


class MomentRefused(LedgerError):  # noqa: N818 - a verdict on one moment, not on the ledger
    """The ledger cannot hold moment {number} of lead {lead_id} ({problem})."""


class RejectionRefused(LedgerError):  # noqa: N818 - a verdict on one row, not on the ledger
    """The ledger cannot hold this rejection ({problem})."""


class MigrationError(LedgerError):
    """The migration {name} was changed after it had been applied here: add a new file instead."""


class MasterKeyError(LedgerError):
    """This ledger was sealed under the master key with the id {sealed_under}; known here: {known}.

    Set EXCHANGE_MASTER_KEY to that key, or put its file back as data_dir/master.key; without it
    nothing that was sealed can be read again.
    """


class SealBrokenError(LedgerError):
    """A sealed record was changed, or belongs to another place."""
