"""Turns in market state: one round trip for each; lost, they begin anew, for they are no truth."""

from exchange.domain.turns import Turn
from exchange.market import keys
from exchange.market.caller import Caller
from exchange.market.function import TURN

KEPT_MS = 30 * 24 * 60 * 60 * 1000
"""Turns of a stage that sells nothing for so long begin anew."""
ANSWERED_MS = 120_000
"""How long a lead's last answer is kept, for a call that comes twice."""


class Turns:
    """Gives turns, fair across all workers. Errors: MarketUnavailable."""

    def __init__(self, link: Caller) -> None:
        self._link = link

    async def take(self, turn: Turn) -> tuple[str, ...]:
        """Give this turn, and return all candidates in the order in which it is theirs."""
        assert turn.candidates or turn.refused, "a turn is somebody's, or was"
        arguments: list[str | int] = [
            turn.step,
            "a" if turn.follows_acceptance else "w",
            turn.refused,
            turn.chosen,
            KEPT_MS,
            ANSWERED_MS,
        ]
        for one in turn.candidates:
            arguments += (one.offer_id, one.weight)
        stage = turn.scope, turn.stage
        touched = keys.turns(*stage), keys.turn(*stage, turn.lead_id)
        reply: list[bytes] = await self._link.call(TURN, touched, arguments)
        return tuple([name.decode() for name in reply])
