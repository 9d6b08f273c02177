"""Which exceptions are the user's to mend, and what to say of them: one place, no traceback."""

from collections.abc import Iterable

import asyncpg

from exchange.configuration.keys import AccountError
from exchange.configuration.problem import Finding, MarketFileError
from exchange.configuration.secrets import SecretError
from exchange.configuration.snapshots import InvalidConfigurationError
from exchange.configuration.store import ConflictError, NoVersionError
from exchange.ledger.errors import LedgerError
from exchange.market.errors import MarketError
from exchange.settings import SettingsError
from exchange.stores.errors import StoreError


class CommandError(Exception):
    """What a command could not do, in a sentence for whoever typed it."""


SENTENCES = (
    AccountError,
    CommandError,
    ConflictError,
    InvalidConfigurationError,
    LedgerError,
    MarketError,
    NoVersionError,
    SecretError,
    SettingsError,
    StoreError,
)
"""Exceptions whose message is written for people."""

MISTAKES_SHOWN_MAX = 50


def explained(error: BaseException) -> str | None:
    """Return what to tell, or None where the error is the program's own."""
    if isinstance(error, MarketFileError):
        return listed(error.findings)
    if isinstance(error, SENTENCES):
        return f"exchange: {error}"
    if isinstance(error, asyncpg.PostgresError):
        return f"exchange: PostgreSQL says: {error}"
    if isinstance(error, BrokenPipeError):
        return ""
    return None


def listed(findings: Iterable[Finding]) -> str:
    """Return one line for each mistake, and how many there are."""
    lines = [str(finding) for finding in findings]
    shown = lines[:MISTAKES_SHOWN_MAX]
    if len(lines) > len(shown):
        shown.append(f"… and {len(lines) - len(shown)} more")
    mistakes = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return "\n".join([*shown, f"exchange: nothing was changed: {mistakes}"])
