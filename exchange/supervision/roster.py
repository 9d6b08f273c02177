"""Which workers there should be: events in, actions out; no process, no clock, no signal.

    starting ──ready──▶ selling ──retired, told to stop──▶ leaving ──ended──▶ (gone)
        └────────────────────┴──ended, late, silent──▶ (gone, replaced)

Late is who does not get ready in time, silent whose event loop says nothing any more: they are
killed first. Silence is counted in looks of ours, not by the clock: where the machine stood still,
the supervisor looked as little as its workers spoke.

A restart is a new edition of the exchange: one worker of it more than wanted is started, and only
when it sells is one of an older edition retired, until none is left.
"""

import msgspec

from exchange.supervision.happening import (
    Action,
    Ended,
    Event,
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
from exchange.supervision.members import Member, Phase, Roster

STEADY_S = 10.0
"""A worker that sold for so long and then ended was no failure: it is replaced at once."""
PAUSE_S = 0.5
PAUSE_MAX_S = 15.0
"""Before a replacement, from the second quick end in a row on; doubled from one to the next."""
STARTS_MAX = 5
"""So many ends before the first sale, one after the other, and it is not going to work."""
START_WITHIN_S = 120.0
LOOK_EVERY_S = 1.0
"""How often it is looked whether those who can sell have spoken since."""


Decision = tuple[Roster, tuple[Action, ...]]


def decide(roster: Roster, event: Event, now_s: float) -> Decision:
    """Return how things stand after an event, and what is to be done about it, in order."""
    roster, first = take(roster, event, now_s)
    roster, silenced = kill_silent(roster, now_s)
    first = (*first, *silenced)
    if roster.ending:
        finish = () if roster.members else (Finish(roster.status),)
        return roster, (*first, *finish)
    roster, killed = kill_overdue(roster, now_s)
    roster, retired = retire_surplus(roster, now_s)
    roster, started = start_missing(roster, now_s)
    return roster, (*first, *killed, *retired, *started)


def wake_at_s(roster: Roster, now_s: float) -> float | None:
    """Return when to look again though nothing happens; None: then there is nothing to do.

    `now_s` is when it was last decided: what has been due since is told too.
    """
    moments = []
    if any(one.looks is not None for one in roster.members.values()):
        moments.append(roster.look_from_s)
    if not roster.ending:
        moments += [one.since_s + START_WITHIN_S for one in roster.of(Phase.STARTING).values()]
        if len(roster.live) < roster.wanted or roster.restarting:
            moments.append(roster.start_from_s)
    return min((at_s for at_s in moments if at_s > now_s), default=None)


# What happened


def take(roster: Roster, event: Event, now_s: float) -> Decision:
    """Return what an event alone changes."""
    match event:
        case Ready(slot):
            return ready(roster, slot, now_s), ()
        case Spoke(slot):
            return spoke(roster, slot), ()
        case Ended(slot):
            return ended(roster, slot, now_s)
        case Renewed(wanted, silent_max_s):
            renewed = msgspec.structs.replace(
                roster,
                wanted=wanted,
                silent_max_s=silent_max_s,
                edition=roster.edition + 1,
                restarting=True,
                failures=0,
                failed_starts=0,
                start_from_s=now_s,
            )
            return (roster if roster.ending else renewed), ()
        case Told():
            return told(roster, now_s)
        case Woke():
            return roster, ()


def ready(roster: Roster, slot: int, now_s: float) -> Roster:
    """Have a worker sell; one that is leaving already leaves all the same."""
    member = roster.members.get(slot)
    if member is None or member.phase is not Phase.STARTING:
        return roster
    sells = Member(member.edition, Phase.SELLING, now_s, looks=0)
    return msgspec.structs.replace(
        roster.with_member(slot, sells),
        proven=max(roster.proven, member.edition),
        failed_starts=0,
    )


def spoke(roster: Roster, slot: int) -> Roster:
    """Count a worker's silence from now on, where it is counted."""
    member = roster.members.get(slot)
    if member is None or not member.looks:
        return roster
    return roster.with_member(slot, msgspec.structs.replace(member, looks=0))


def ended(roster: Roster, slot: int, now_s: float) -> Decision:
    """Forget a worker, and remember it where it ended too soon."""
    member = roster.members.get(slot)
    if member is None:
        return roster, ()
    return lost(roster.with_member(slot, None), member, now_s)


def lost(roster: Roster, member: Member, now_s: float) -> Decision:
    """Take it that a worker sells no more, which is a failure unless it had sold for a while."""
    if roster.ending or member.phase is Phase.LEAVING:
        return roster, ()
    if member.phase is Phase.SELLING and now_s - member.since_s >= STEADY_S:
        return msgspec.structs.replace(roster, failures=0, start_from_s=now_s), ()
    return failed(roster, now_s, at_start=member.phase is Phase.STARTING)


def failed(roster: Roster, now_s: float, *, at_start: bool) -> Decision:
    """Count a failure: pause before the next start, or see that there is no use in another."""
    failures = roster.failures + 1
    pause_s = 0.0 if failures == 1 else min(PAUSE_MAX_S, PAUSE_S * 2.0 ** (failures - 2))
    roster = msgspec.structs.replace(
        roster,
        failures=failures,
        failed_starts=roster.failed_starts + at_start,
        start_from_s=now_s + pause_s,
    )
    if roster.failed_starts < STARTS_MAX:
        return roster, ()
    if not roster.of(Phase.SELLING):
        return end(roster, now_s, status=1)
    if not roster.restarting:
        return roster, ()
    stays = msgspec.structs.replace(
        roster, restarting=False, edition=roster.proven, failed_starts=0
    )
    return stays, (GiveUp(),)


def told(roster: Roster, now_s: float) -> Decision:
    """End in order; told again, at once."""
    if not roster.ending:
        return end(roster, now_s, status=0)
    kills = tuple(Kill(slot, Why.TOLD) for slot in roster.members)
    return msgspec.structs.replace(roster, status=1), kills


def end(roster: Roster, now_s: float, status: int) -> Decision:
    """Tell all who are there to stop."""
    leaving = {slot: leave(one, now_s) for slot, one in roster.members.items()}
    ending = msgspec.structs.replace(roster, members=leaving, ending=True, status=status)
    return ending, tuple(map(Stop, leaving))


def leave(member: Member, now_s: float) -> Member:
    """Return the worker as one that leaves; who had to speak still has to."""
    return Member(member.edition, Phase.LEAVING, now_s, member.looks)


# What follows


def kill_silent(roster: Roster, now_s: float) -> Decision:
    """Look whether all have spoken, where it is time; kill who was silent for too long."""
    if now_s < roster.look_from_s:
        return roster, ()
    roster = msgspec.structs.replace(roster, look_from_s=now_s + LOOK_EVERY_S)
    actions: tuple[Action, ...] = ()
    for slot in tuple(roster.members):
        one = roster.members[slot]
        if one.looks is None:
            continue
        if one.looks * LOOK_EVERY_S < roster.silent_max_s:
            seen = msgspec.structs.replace(one, looks=one.looks + 1)
            roster = roster.with_member(slot, seen)
        else:
            roster, more = kill(roster, slot, Why.SILENT, now_s)
            actions = (*actions, *more)
    return roster, actions


def kill_overdue(roster: Roster, now_s: float) -> Decision:
    """Kill who does not get ready."""
    actions: tuple[Action, ...] = ()
    for slot, one in roster.of(Phase.STARTING).items():
        if now_s - one.since_s >= START_WITHIN_S:
            roster, more = kill(roster, slot, Why.LATE, now_s)
            actions = (*actions, *more)
    return roster, actions


def kill(roster: Roster, slot: int, why: Why, now_s: float) -> Decision:
    """Kill a worker; it is replaced like one that ended by itself, and no more is asked of it."""
    member = roster.members[slot]
    gone = Member(member.edition, Phase.LEAVING, now_s)
    roster, more = lost(roster.with_member(slot, gone), member, now_s)
    return roster, (Kill(slot, why), *more)


def retire_surplus(roster: Roster, now_s: float) -> Decision:
    """Retire as many as sell beyond what is wanted: the oldest editions first."""
    selling = roster.of(Phase.SELLING)
    surplus = max(0, len(selling) - roster.wanted)
    oldest = sorted(selling, key=lambda slot: (selling[slot].edition, selling[slot].since_s))
    for slot in oldest[:surplus]:
        roster = roster.with_member(slot, leave(selling[slot], now_s))
    return roster, tuple(map(Retire, oldest[:surplus]))


def start_missing(roster: Roster, now_s: float) -> Decision:
    """Start who is missing, or the next of a restart."""
    if roster.ending:
        return roster, ()
    live = roster.live
    is_old = any(one.edition < roster.edition for one in live.values())
    roster = msgspec.structs.replace(roster, restarting=roster.restarting and is_old)
    missing = roster.wanted - len(live)
    # No more than two whole sets at once, however slowly the old ones leave.
    has_room = len(roster.members) - len(live) <= roster.wanted
    if roster.restarting and missing == 0 and has_room and not roster.of(Phase.STARTING):
        missing = 1
    if missing <= 0 or now_s < roster.start_from_s:
        return roster, ()
    actions = []
    for slot in free_slots(roster, missing):
        roster = roster.with_member(slot, Member(roster.edition, Phase.STARTING, now_s))
        actions.append(Start(slot, roster.edition))
    return roster, tuple(actions)


def free_slots(roster: Roster, count: int) -> list[int]:
    """Return the lowest numbers that nobody has: they are used again, so that they stay few."""
    numbers = range(len(roster.members) + count)
    return [number for number in numbers if number not in roster.members][:count]
