"""The law of holds: whatever is called in whatever order, market state is the small model's."""

import asyncio
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.domain.caps import Hold, HoldLine, HoldRefused
from exchange.domain.reason import Reason
from tests.making import NOW_US

SALES = [f"s{number}" for number in range(6)]
buyers = itertools.count()

LIMITS = {"leads": 3, "spend": 50, "now": 2, "total": 4}
KINDS = {
    "leads": (Reason.CAP_AT_AWARD, True),
    "total": (Reason.CAP_AT_AWARD, True),
    "now": (Reason.CAP_AT_AWARD, False),
    "spend": (Reason.BUDGET_AT_AWARD, True),
}


class Model:
    """What market state should do, in the plainest words."""

    def __init__(self):
        self.settled = dict.fromkeys(LIMITS, 0)
        self.held = {}
        self.ends = {}

    def used(self, counter):
        return self.settled[counter] + sum(
            line.amount for hold in self.held.values() for line in hold if line.counter == counter
        )

    def hold(self, sale, lines):
        if self.ends.get(sale) == "void":
            return HoldRefused("", Reason.VOID)
        if sale in self.ends or sale in self.held:
            return None
        taken = dict.fromkeys(LIMITS, 0)
        for line in lines:
            taken[line.counter] += line.amount
            if self.used(line.counter) + taken[line.counter] > line.limit:
                return HoldRefused(line.counter, line.reason)
        self.held[sale] = lines
        return None

    def settle(self, sale, part):
        if sale not in self.held:
            return self.ends.get(sale) in {"settled", "returned"}
        for line in self.held.pop(sale):
            if line.settles:
                is_money = line.reason is Reason.BUDGET_AT_AWARD
                self.settled[line.counter] += part if is_money else line.amount
        self.ends[sale] = "settled"
        return True

    def least_price(self, sale):
        amounts = [line.amount for line in self.held.get(sale, ()) if line.counter == "spend"]
        return min(amounts, default=0)

    def release(self, sale):
        if sale in self.held:
            del self.held[sale]
            self.ends[sale] = "released"
        return self.ends.setdefault(sale, "void") == "released"

    def give_back(self, sale, lines):
        if sale in self.held or self.ends.get(sale) in {"released", "void"}:
            return False
        if self.ends.get(sale) != "returned":
            for line in lines:
                if line.settles:
                    left = self.settled[line.counter] - line.amount
                    self.settled[line.counter] = max(left, 0)
            self.ends[sale] = "returned"
        return True


def line_of(counter, amount):
    reason, settles = KINDS[counter]
    return HoldLine(counter, amount if counter == "spend" else 1, LIMITS[counter], reason, settles)


line = st.builds(line_of, st.sampled_from(sorted(LIMITS)), st.integers(0, 30))
sale = st.sampled_from(SALES)
step = st.one_of(
    st.tuples(st.just("hold"), sale, st.lists(line, max_size=4).map(tuple)),
    st.tuples(st.just("settle"), sale, st.floats(0, 1)),
    st.tuples(st.just("release"), sale, st.none()),
    st.tuples(st.just("keep"), sale, st.none()),
    st.tuples(st.just("give_back"), sale, st.lists(line, max_size=2).map(tuple)),
)


@settings(
    max_examples=150,
    deadline=None,
    # Every example is another buyer, so that the market need not be fresh.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(program=st.lists(step, max_size=25))
async def test_no_program_of_calls_passes_a_limit_or_falls_below_zero(market, other, program):
    """Settled plus held stays within every limit, all or nothing, each end once, on two workers."""
    model = Model()
    buyer_id = f"buyer-{next(buyers)}"
    workers = itertools.cycle((market, other))
    for (action, sale_id, detail), worker in zip(program, workers, strict=False):
        wanted, got = await perform(model, worker, buyer_id, action, sale_id, detail)
        assert got == wanted, (action, sale_id)
        assert all(model.used(counter) <= limit for counter, limit in LIMITS.items())
    standing = await other.standing(buyer_id)
    for counter in LIMITS:
        settled, held = standing.settled.get(counter, 0), standing.held.get(counter, 0)
        assert settled >= 0
        assert held >= 0
        assert settled == model.settled[counter]
        assert settled + held == model.used(counter)
    assert standing.holds.keys() == model.held.keys()


async def perform(model, worker, buyer_id, action, sale_id, detail):
    """One step on the model and on the market: what each answered."""

    def of(lines):
        return Hold(sale_id=sale_id, lead_id="l", buyer_id=buyer_id, held_at_us=NOW_US, lines=lines)

    match action:
        case "hold":
            return model.hold(sale_id, detail), await worker.hold(of(detail))
        case "settle":
            price = int(model.least_price(sale_id) * detail)
            return model.settle(sale_id, price), await worker.settle(buyer_id, sale_id, price)
        case "release":
            return model.release(sale_id), await worker.release(buyer_id, sale_id)
        case "keep":
            return sale_id in model.held, await worker.extend(buyer_id, sale_id)
        case "give_back":
            return model.give_back(sale_id, detail), await worker.give_back(of(detail))
    raise AssertionError(action)


async def test_concurrent_holds_of_random_sizes_never_pass_a_limit(market, other):
    """Spend caps under mixed prices from two workers: what is held is what was granted."""
    limit = 1_000
    prices = [1 + (number * 37) % 97 for number in range(120)]
    lines = [HoldLine("spend", price, limit, Reason.BUDGET_AT_AWARD) for price in prices]
    answers = await asyncio.gather(
        *[
            (market, other)[number % 2].hold(
                Hold(
                    sale_id=f"m{number}",
                    lead_id=f"l{number}",
                    buyer_id="mixed",
                    held_at_us=NOW_US,
                    lines=(one,),
                )
            )
            for number, one in enumerate(lines)
        ]
    )
    granted = sum(price for price, answer in zip(prices, answers, strict=True) if answer is None)
    standing = await market.standing("mixed")
    assert standing.held == {"spend": granted}
    assert granted <= limit
    refused = [p for p, answer in zip(prices, answers, strict=True) if answer is not None]
    assert granted + min(refused) > limit, "what was refused last had no room"
