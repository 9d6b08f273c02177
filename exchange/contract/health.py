"""What load balancers and operators hear of a worker."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One store that must be up for the exchange to sell."""

    name: str
    """`database`, `market` or what else is needed."""
    up: bool
    since: str
    """Since when it is up, or down."""


class Health(msgspec.Struct, frozen=True):
    """The answer to `GET /healthz`: the process lives."""

    status: str = "alive"


class ReadinessOut(msgspec.Struct, frozen=True):
    """The answer to `GET /readyz`: whether this worker can sell now, and what it lacks."""

    ready: bool
    closing: bool
    """True: the worker was told to stop, finishes what is under way and takes nothing new."""
    checks: tuple[Check, ...]
