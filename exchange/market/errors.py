"""What can go wrong with market state; an exception's docstring is its message."""

from inspect import cleandoc


class MarketError(Exception):
    """Market state cannot be used."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or "").format(**facts))


class MarketUnavailable(MarketError):  # noqa: N818 - a state of the world, not a mistake of ours
    """Market state at {address} is unavailable: {problem}."""

    def __init__(self, *, address: str, problem: str) -> None:
        super().__init__(address=address, problem=problem)
        self.problem = problem


class MarketStale(MarketUnavailable):
    """Market state at {address} is unavailable: {problem}."""


class MarketAddressError(MarketError):
    """A market URL is redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH?db=0: {problem}."""


class FunctionError(MarketError):
    """The function {function} failed in market state: {problem}."""
