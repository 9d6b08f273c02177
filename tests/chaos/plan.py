"""What happens in a round: which faults, when, upon whom; all of it from the seed."""

import random
from enum import StrEnum

import msgspec

LEADS = 140
PER_S = 20.0
"""How many leads a round has, and how many of them are sent in a second."""


class Fault(StrEnum):
    """What can be done to an exchange from outside."""

    KILL_WORKER = "kill_worker"
    KILL_SUPERVISOR = "kill_supervisor"
    KILL_VALKEY = "kill_valkey"
    KILL_POSTGRES = "kill_postgres"
    STOP_WORKER = "stop_worker"
    CUT_DATABASE = "cut_database"
    CUT_MARKET = "cut_market"
    CUT_BUYERS = "cut_buyers"
    CLAMP_DATABASE = "clamp_database"
    CLAMP_MARKET = "clamp_market"
    SLOW_DATABASE = "slow_database"
    SLOW_MARKET = "slow_market"
    SLOW_BUYERS = "slow_buyers"
    FILL_DISK = "fill_disk"


KILLS = (Fault.KILL_WORKER, Fault.KILL_SUPERVISOR, Fault.KILL_VALKEY, Fault.KILL_POSTGRES)
"""What is worth doing at the very moment when a buyer has the lead and the exchange no answer."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: when it comes, and for how long it lasts where that is ours to say."""

    fault: Fault
    after_s: float
    lasts_s: float
    between_post_and_outcome: bool = False
    """It waits, from then on, for a buyer that has a post and holds its answer."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One round."""

    seed: int
    leads: int
    per_s: float
    strikes: tuple[Strike, ...]
    buyers_max: int = 1
    """So many buyers share a lead."""
    merges: bool = False
    """Who posts a person again adds to the first lead, and brings none."""


def plan(seed: int, number: int, leads: int = LEADS) -> Plan:
    """Return the round of this number; half of all rounds kill between post and outcome.

    The kinds of kill, and the other faults, take turns from round to round, so that few rounds
    already see them all.
    """
    chance = random.Random(f"{seed}/{number}")
    traffic_s = leads / PER_S
    others = [fault for fault in Fault if fault not in KILLS]
    strikes = [
        Strike(
            fault=others[(3 * number + step) % len(others)],
            after_s=chance.uniform(0.1, 0.8) * traffic_s,
            lasts_s=chance.uniform(0.3, 3.0),
        )
        for step in range(chance.choice((1, 2)))
    ]
    kill = KILLS[(number // 2) % len(KILLS)] if number % 2 == 0 else chance.choice(KILLS)
    strikes.append(
        Strike(
            fault=kill,
            after_s=chance.uniform(0.2, 0.7) * traffic_s,
            lasts_s=0.0,
            between_post_and_outcome=number % 2 == 0,
        )
    )
    most = 3 if number % 4 in {2, 3} else 1
    return Plan(
        seed=1000 * seed + number,
        leads=leads,
        per_s=PER_S,
        strikes=tuple(strikes),
        buyers_max=most,
        merges=number % 3 == 0,
    )
