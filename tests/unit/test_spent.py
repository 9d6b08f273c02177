"""Who has no room for good is told so without a call, and nobody else ever is."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.caps import HoldLine
from exchange.domain.reason import Reason
from exchange.domain.spent import SPENT, spent

COUNTERS = ("offer/a|leads|day|0", "buyer/a|spend|day|0", "buyer/a|balance|total|0", "pilot/a|x")
PILOTS = COUNTERS[3]
lines = st.lists(
    st.builds(
        HoldLine,
        st.sampled_from(COUNTERS),
        st.integers(0, 5),
        st.integers(0, 9),
        st.sampled_from([Reason.CAP_AT_AWARD, Reason.BUDGET_AT_AWARD]),
        st.just(value=True),
        st.booleans(),
    ),
    max_size=5,
)
counts = st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, 9))


def refused_by_a_hold(wanted, settled, held):
    """The first line for which hold.lua finds no room, or None."""
    taken = dict.fromkeys(COUNTERS, 0)
    for line in wanted:
        taken[line.counter] += line.amount
        used = settled.get(line.counter, 0) + held.get(line.counter, 0)
        if used + taken[line.counter] > line.limit:
            return line
    return None


@given(lines, counts, counts)
def test_what_is_passed_over_no_hold_could_have_had(wanted, settled, held):
    """Whatever else is held, and with nothing held at all."""
    if spent(wanted, settled) is not None:
        assert refused_by_a_hold(wanted, settled, held) is not None
        assert refused_by_a_hold(wanted, settled, {}) is not None


@given(lines, counts)
def test_whatever_a_hold_would_refuse_with_nothing_held_is_told_by_its_line(wanted, settled):
    """The line and the reason are the hold's own; a pilot's limits are left to it."""
    mine = [line for line in wanted if line.counter != PILOTS]
    refused, told = refused_by_a_hold(mine, settled, {}), spent(wanted, settled)
    if refused is None:
        assert told is None
    else:
        assert (told.counter, told.reason) == (f"{refused.told}{SPENT}", refused.reason)


def test_who_was_never_read_has_room():
    """What is not known is asked for."""
    line = HoldLine(COUNTERS[1], 5, 5, Reason.BUDGET_AT_AWARD)
    assert spent([line], {}) is None
    assert spent([line, line], {}).counter == f"{COUNTERS[1]}|spent"
