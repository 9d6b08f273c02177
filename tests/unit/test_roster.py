"""Which workers there should be: a table of what happens and what is done about it."""

import random

import pytest

from exchange.supervision import roster
from exchange.supervision.happening import (
    Ended,
    Finish,
    GiveUp,
    Kill,
    Ready,
    Renewed,
    Retire,
    Spoke,
    Start,
    Stop,
    Told,
    Why,
    Woke,
)
from exchange.supervision.members import Phase, Roster
from exchange.supervision.roster import (
    LOOK_EVERY_S,
    PAUSE_MAX_S,
    START_WITHIN_S,
    STARTS_MAX,
    STEADY_S,
    decide,
    wake_at_s,
)

SILENT_MAX_S = 10.0


class House:
    """A roster and a clock; what was done about the last event."""

    def __init__(self, wanted):
        self.roster = Roster(wanted=wanted, silent_max_s=SILENT_MAX_S)
        self.now_s = 1000.0
        self.silent = set()
        self.told = self.on(Woke())

    def on(self, event, after_s=0.0):
        """Something happens a while after all but the silent ones have spoken."""
        for slot in self.roster.members.keys() - self.silent:
            self.roster, actions = decide(self.roster, Spoke(slot), self.now_s)
            assert actions == (), "speaking alone changes nothing"
        self.now_s += after_s
        self.roster, actions = decide(self.roster, event, self.now_s)
        return list(actions)

    def sleep(self):
        """The moments that are waited for come, until one brings something."""
        actions = []
        while not actions:
            actions = self.on(Woke(), wake_at_s(self.roster, self.now_s) - self.now_s)
        return actions


def selling(wanted):
    house = House(wanted)
    for slot in range(wanted):
        assert house.on(Ready(slot)) == []
    return house


def test_all_are_started_at_once_and_in_free_slots():
    """From the beginning as many as are wanted, each once."""
    house = House(3)
    assert house.told == [Start(0, 0), Start(1, 0), Start(2, 0)]
    assert house.on(Woke()) == []
    assert wake_at_s(house.roster, house.now_s) == house.now_s + START_WITHIN_S


def test_who_sold_for_a_while_is_replaced_at_once():
    """Its slot is free again; that it ended is held against nobody."""
    house = selling(2)
    assert house.on(Ended(1), after_s=STEADY_S) == [Start(1, 0)]
    assert house.roster.failures == 0


def test_who_ends_again_and_again_is_replaced_after_ever_longer_pauses():
    """At once, then half a second, a second, two …, and never more than the longest."""
    house = selling(2)
    pauses = []
    for _turn in range(9):
        began = house.now_s
        actions = house.on(Ended(1)) or house.sleep()
        assert actions == [Start(1, 0)]
        pauses.append(house.now_s - began)
        house.on(Ready(1))
    assert pauses == [0, 0.5, 1, 2, 4, 8, PAUSE_MAX_S, PAUSE_MAX_S, PAUSE_MAX_S]
    assert house.on(Ended(1), after_s=STEADY_S) == [Start(1, 0)], "all is forgotten"


def test_what_never_starts_ends_with_an_error():
    """Five ends before anybody sold, one after the other: a wrong setting does not loop."""
    house = House(1)
    for _turn in range(STARTS_MAX - 1):
        assert (house.on(Ended(0)) or house.sleep()) == [Start(0, 0)]
    assert house.on(Ended(0)) == [Finish(1)]


def test_those_still_starting_are_stopped_before_it_ends_with_an_error():
    """Nobody is left behind."""
    house = House(STARTS_MAX + 1)
    for slot in range(STARTS_MAX - 1):
        house.on(Ended(slot))
    stopped = house.on(Ended(STARTS_MAX - 1))
    last = list(house.roster.members)
    assert stopped == list(map(Stop, last))
    told = [action for slot in last for action in house.on(Ended(slot))]
    assert told == [Finish(1)]


def test_while_others_sell_one_that_does_not_start_ends_nothing():
    """A store may be away for new ones: they are tried until they start, after pauses."""
    house = selling(2)
    for _turn in range(3 * STARTS_MAX):
        assert (house.on(Ended(0)) or house.sleep()) == [Start(0, 0)]
    assert house.on(Ready(0)) == []


def test_who_does_not_get_ready_in_time_is_killed_and_replaced():
    """Its own end, later, says nothing new."""
    house = House(1)
    assert house.sleep() == [Kill(0, Why.LATE), Start(1, 0)]
    assert house.on(Ready(0)) == []
    assert house.on(Ended(0)) == []
    assert house.roster.members[1].phase is Phase.STARTING


def test_who_falls_silent_is_killed_and_replaced_like_one_that_crashed():
    """After as long as it may be silent, and not before; what it says later is nothing new."""
    house = selling(2)
    assert house.on(Woke(), after_s=STEADY_S) == []
    house.silent = {1}
    began = house.now_s
    assert house.sleep() == [Kill(1, Why.SILENT), Start(2, 0)]
    assert SILENT_MAX_S <= house.now_s - began <= SILENT_MAX_S + 2 * LOOK_EVERY_S
    assert house.roster.failures == 0
    assert house.on(Spoke(1)) == []
    assert house.on(Ended(1)) == []
    assert house.on(Ready(2)) == []
    assert set(house.roster.of(Phase.SELLING)) == {0, 2}


def test_who_falls_silent_again_and_again_is_replaced_after_pauses():
    """A worker that hangs as soon as it sells is a failure like one that ends."""
    house = selling(1)
    house.silent = {0, 1, 2}
    assert house.on(Renewed(1, LOOK_EVERY_S / 2)) == [Start(1, 1)]
    assert house.on(Ready(1)) == [Retire(0)]
    *killed, started = house.sleep()
    assert {(one.slot, one.why) for one in killed} == {(0, Why.SILENT), (1, Why.SILENT)}
    assert (started, house.roster.failures) == (Start(2, 1), 1)
    assert house.on(Ended(0)) == house.on(Ended(1)) == house.on(Ready(2)) == []
    assert house.sleep() == [Kill(2, Why.SILENT)]
    assert house.sleep() == [Start(0, 1)]
    assert house.roster.failures == 2


def test_who_starts_is_not_asked_to_speak():
    """Whatever it compiles may take its time; that is another limit's matter."""
    house = House(1)
    house.silent = {0}
    assert house.on(Woke(), after_s=START_WITHIN_S - 1) == []
    for _look in range(20):
        assert house.on(Woke(), after_s=0.04) == []


def test_who_falls_silent_while_it_ends_is_killed():
    """A stop does not wait for ever for one that hangs; nobody comes in its place."""
    house = selling(2)
    house.silent = {1}
    assert house.on(Told()) == [Stop(0), Stop(1)]
    assert house.on(Ended(0)) == []
    assert house.sleep() == [Kill(1, Why.SILENT)]
    assert house.on(Ended(1)) == [Finish(0)]


def test_a_supervisor_that_stood_still_itself_kills_nobody():
    """A machine that was paused for an hour is one look, however long it was."""
    house = selling(2)
    house.silent = {0, 1}
    for _pause in range(int(SILENT_MAX_S / LOOK_EVERY_S)):
        assert house.on(Woke(), after_s=3600.0) == []
    house.silent = set()
    assert house.on(Woke(), after_s=3600.0) == []


def test_a_restart_goes_one_by_one_and_nobody_leaves_before_another_sells():
    """Start one, retire one, for each; the new ones have the new settings."""
    house = selling(2)
    assert house.on(Renewed(2, SILENT_MAX_S)) == [Start(2, 1)]
    assert house.on(Ready(2)) == [Retire(0), Start(3, 1)]
    assert house.on(Ended(0)) == []
    assert house.on(Ready(3)) == [Retire(1)]
    assert house.on(Ended(1)) == []
    assert not house.roster.restarting
    assert set(house.roster.of(Phase.SELLING)) == {2, 3}
    assert house.on(Renewed(2, SILENT_MAX_S)) == [Start(0, 2)], "slots are used again"


@pytest.mark.parametrize(("wanted", "others"), [(3, 1), (1, 2)])
def test_a_restart_with_another_number_of_workers_ends_with_that_many(wanted, others):
    """More are started at once; too many are retired one by one."""
    house = selling(wanted)
    actions = house.on(Renewed(others, SILENT_MAX_S))
    for _turn in range(20):
        nexts = []
        for action in actions:
            slot = action.slot
            nexts += house.on(Ready(slot) if isinstance(action, Start) else Ended(slot))
        actions = nexts
    assert len(house.roster.members) == others
    assert {one.edition for one in house.roster.members.values()} == {1}


def test_a_restart_whose_workers_do_not_start_is_given_up():
    """The old ones go on selling, and who replaces them is of their edition."""
    house = selling(2)
    told = house.on(Renewed(2, SILENT_MAX_S))
    for _turn in range(STARTS_MAX - 1):
        assert told == [Start(2, 1)]
        told = house.on(Ended(2)) or house.sleep()
    assert house.on(Ended(2)) == [GiveUp()]
    assert house.on(Woke(), after_s=60) == []
    assert house.on(Ended(0), after_s=60) == [Start(0, 0)]


def test_no_more_than_two_sets_are_there_however_slowly_the_old_ones_leave():
    """Restart after restart: those that still finish what they have bound the next."""
    house = selling(2)
    for _restart in range(5):
        house.on(Renewed(2, SILENT_MAX_S))
        for _turn in range(3):
            for slot in house.roster.of(Phase.STARTING):
                house.on(Ready(slot))
    assert len(house.roster.members) <= 6
    leaving = list(house.roster.of(Phase.LEAVING))
    assert house.roster.restarting
    assert isinstance(house.on(Ended(leaving[0]))[0], Start)


def test_told_to_stop_all_stop_and_then_it_ends():
    """In order; nobody is replaced meanwhile."""
    house = selling(2)
    assert house.on(Told()) == [Stop(0), Stop(1)]
    assert house.on(Ready(0)) == []
    assert house.on(Renewed(2, SILENT_MAX_S)) == []
    assert house.on(Ended(0)) == []
    assert house.on(Ended(1)) == [Finish(0)]


def test_told_again_all_are_killed():
    """Who does not want to wait need not; the status says that it was not in order."""
    house = selling(2)
    house.on(Told())
    assert house.on(Told()) == [Kill(0, Why.TOLD), Kill(1, Why.TOLD)]
    house.on(Ended(0))
    assert house.on(Ended(1)) == [Finish(1)]


def test_a_crash_in_a_restart_is_made_good():
    """An old one dies while the next is starting: as many sell afterwards, all of them new."""
    house = selling(2)
    house.on(Renewed(2, SILENT_MAX_S))
    assert house.on(Ended(0), after_s=60) == []
    assert house.on(Ready(2)) == [Start(0, 1)]
    assert house.on(Ready(0)) == [Retire(1)]
    assert set(house.roster.of(Phase.SELLING)) == {0, 2}


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_there_are_enough_and_never_too_many(seed):
    """Random events: never a slot twice, never too few selling for one that retires; then calm."""
    chance = random.Random(seed)
    wanted = chance.randint(1, 4)
    house = House(wanted)
    for _event in range(200):
        house.silent = {slot for slot in house.roster.members if chance.random() < 0.1}
        event = any_event(house, chance)
        taken = set(house.roster.members) - ({event.slot} if isinstance(event, Ended) else set())
        actions = house.on(event, after_s=chance.choice([0.0, 0.1, 20.0]))
        if house.roster.ending:
            return
        kinds = {type(action) for action in actions}
        assert not taken & {action.slot for action in actions if isinstance(action, Start)}
        assert Retire not in kinds or len(house.roster.of(Phase.SELLING)) >= wanted
        assert len(house.roster.members) <= 2 * wanted + 2
    house.silent = set()
    calm(house)
    assert len(house.roster.of(Phase.SELLING)) == wanted == len(house.roster.members)
    assert not house.roster.restarting


def any_event(house, chance):
    """Something that can happen now."""
    kind = chance.random()
    starting = list(house.roster.of(Phase.STARTING))
    if kind < 0.45 and starting:
        return Ready(chance.choice(starting))
    if kind < 0.75 and house.roster.members:
        return Ended(chance.choice(list(house.roster.members)))
    return Renewed(house.roster.wanted, SILENT_MAX_S) if kind < 0.8 else Woke()


def calm(house):
    """From now on all who start get ready, and all who leave end."""
    for _turn in range(50):
        for slot in house.roster.of(Phase.STARTING):
            house.on(Ready(slot))
        for slot in house.roster.of(Phase.LEAVING):
            house.on(Ended(slot))
        house.on(Woke(), after_s=PAUSE_MAX_S)


def test_the_table_of_phases_is_the_one_that_is_drawn():
    """What the module shows is what there is."""
    assert all(phase.value in roster.__doc__ for phase in Phase)
