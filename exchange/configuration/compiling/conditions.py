"""How a condition is read while a market is compiled."""

from collections.abc import Callable

from exchange.domain.condition import Condition

Read = Callable[[str], Condition]
"""Compiles a condition for one vertical."""
