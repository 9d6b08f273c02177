"""What is odd about a seller's requests: noted as they come, and once more at the end."""

from bisect import bisect
from collections import Counter, OrderedDict, defaultdict
from enum import Enum, StrEnum
from itertools import pairwise

import msgspec

from bidders.rehearsal.scenes import SCENES
from bidders.rehearsal.visits import Door, Outcome, Visit


class Weight(StrEnum):
    """How bad it is."""

    FAULT = "fault"
    """Sells a lead twice, loses one, or will be refused."""
    WARNING = "warning"


class Kind(Enum):
    """What can be odd."""

    SOLD_TWICE = ("sold_twice", Weight.FAULT)
    RESOLD = ("resold_while_pending", Weight.FAULT)
    IMPATIENT = ("ignored_retry_after", Weight.FAULT)
    OTHER_BODY = ("key_with_another_body", Weight.FAULT)
    BAD_REQUEST = ("bad_request", Weight.FAULT)
    BAD_FIELDS = ("bad_fields", Weight.WARNING)
    UNKNOWN_FIELDS = ("unknown_fields", Weight.WARNING)
    IDENTITY_IN_PING = ("identity_in_ping", Weight.WARNING)
    NO_KEY = ("no_idempotency_key", Weight.WARNING)
    QUOTE_TWICE = ("quote_posted_twice", Weight.WARNING)
    REPEATED = ("repeated_a_refusal", Weight.WARNING)
    HUNG_UP = ("hung_up_early", Weight.WARNING)
    POLLING = ("polls_too_often", Weight.WARNING)
    GAVE_UP = ("gave_up", Weight.WARNING)
    NEVER_ASKED = ("never_asked_after_pending", Weight.WARNING)

    def __init__(self, word: str, weight: Weight) -> None:
        self.word = word
        self.weight = weight


class Note(msgspec.Struct, frozen=True):
    """One oddity: which request, and a sentence for whoever wrote the program."""

    kind: Kind
    number: int
    text: str


class Counted(msgspec.Struct, frozen=True):
    """All oddities of one kind, in the report."""

    kind: str
    weight: Weight
    count: int
    first: int
    """The number of the first request with it."""
    text: str


class Played(msgspec.Struct, frozen=True):
    """What was rehearsed of one scene."""

    zip: str
    answer: str
    requests: int
    faults: int
    warnings: int


class Report(msgspec.Struct, frozen=True):
    """What a rehearsal found."""

    requests: int
    leads: int
    faults: int
    warnings: int
    notes: tuple[Counted, ...]
    rehearsed: tuple[Played, ...]
    not_rehearsed: tuple[str, ...]
    """ZIP codes."""


ANSWER_DEADLINE_S = 30.0
EARLY_S = 1.0
PUNCTUAL_S = 0.05
"""What two clocks may differ by."""
LOOK_EVERY_S = 1.0
HASTY_LOOKS_MAX = 3
TRIES_MIN = 2
LEADS_MAX = 10_000
REFUSALS_TO_REPEAT = frozenset({401, 403, 404})
"""A key or an address can be put right without another body."""


class Judge:
    """Knows every lead that was sent here, by digests, and what its seller was told of it."""

    def __init__(self) -> None:
        self.requests = 0
        self.leads: OrderedDict[tuple[Door, object], list[Visit]] = OrderedDict()
        self.looks: defaultdict[str, list[Visit]] = defaultdict(list)
        self.notes: list[Note] = []
        self.scenes: dict[int, str] = {}
        """By the number of a request."""
        self.played: Counter[str] = Counter()

    def hear(self, visit: Visit) -> list[Note]:
        """Return what is odd about a request that was answered; they are kept for the report."""
        self.requests += 1
        if visit.scene is not None:
            self.scenes[visit.number] = visit.scene.zip
            self.played[visit.scene.zip] += 1
        found = [Note(kind, visit.number, text) for kind, text in self.oddities(visit)]
        self.notes += found
        return found

    def oddities(self, visit: Visit) -> list[tuple[Kind, str]]:
        """Return what is odd, and remember the request."""
        if visit.door is Door.LOOK:
            return self.look(visit)
        found = alone(visit)
        if visit.body is None:
            return found
        visits = self.leads.setdefault((visit.door, visit.lead), [])
        # Whoever hangs up and comes back at once may be answered before it is noticed.
        place = bisect(visits, visit.number, key=lambda other: other.number)
        found += after(visits[place - 1], visit) if place else impatience(visit)
        if place < len(visits):
            found += after(visit, visits[place])
        visits.insert(place, visit)
        self.leads.move_to_end((visit.door, visit.lead))
        while len(self.leads) > LEADS_MAX:
            self.leads.popitem(last=False)
        return found

    def look(self, visit: Visit) -> list[tuple[Kind, str]]:
        """Return what is odd about a look at a lead."""
        if visit.lead_id is None:
            return []
        looks = self.looks[visit.lead_id]
        looks.append(visit)
        hasty = sum(
            later.at_s - earlier.ended_s < LOOK_EVERY_S and later.wait_s is None
            for earlier, later in pairwise(looks)
        )
        if hasty == HASTY_LOOKS_MAX and visit.lead_status == "pending":
            return [(Kind.POLLING, "ask with ?wait_s=25: it answers as soon as the lead has ended")]
        return []

    def report(self) -> Report:
        """Return what was found, with what only the end can tell."""
        notes = [*self.notes, *self.left_undone()]
        per_scene = {
            weight: Counter(
                self.scenes.get(note.number) for note in notes if note.kind.weight is weight
            )
            for weight in Weight
        }
        by_kind: dict[Kind, list[Note]] = {}
        for note in notes:
            by_kind.setdefault(note.kind, []).append(note)
        played = [scene for scene in SCENES if scene.zip in self.played]
        return Report(
            requests=self.requests,
            leads=sum(door is Door.POST for door, _ in self.leads),
            faults=per_scene[Weight.FAULT].total(),
            warnings=per_scene[Weight.WARNING].total(),
            notes=tuple(
                Counted(
                    kind.word,
                    kind.weight,
                    len(by_kind[kind]),
                    by_kind[kind][0].number,
                    by_kind[kind][0].text,
                )
                for kind in Kind
                if kind in by_kind
            ),
            rehearsed=tuple(
                Played(
                    scene.zip,
                    str(scene),
                    self.played[scene.zip],
                    per_scene[Weight.FAULT][scene.zip],
                    per_scene[Weight.WARNING][scene.zip],
                )
                for scene in played
            ),
            not_rehearsed=tuple(s.zip for s in SCENES if s.zip not in self.played),
        )

    def left_undone(self) -> list[Note]:
        """Return what a seller should have done after its last request about a lead."""
        found = []
        for visits in self.leads.values():
            last = visits[-1]
            tries = sum(visit.outcome is last.outcome for visit in visits)
            match last.outcome:
                case Outcome.OPEN if tries < TRIES_MIN:
                    text = "no answer, and never asked again: the lead may be sold, who knows?"
                    found.append(Note(Kind.GAVE_UP, last.number, text))
                case Outcome.BUSY if tries < TRIES_MIN:
                    text = f"{last.http}, and never sent again: the lead is lost"
                    found.append(Note(Kind.GAVE_UP, last.number, text))
                case Outcome.PENDING if last.lead_id not in self.looks:
                    text = "pending, and never asked for: GET /v1/leads/{lead_id}?wait_s=25"
                    found.append(Note(Kind.NEVER_ASKED, last.number, text))
        return found


def alone(visit: Visit) -> list[tuple[Kind, str]]:
    """Return what is odd about a post or ping by itself."""
    found = []
    if visit.door is Door.POST and visit.key is None:
        text = "no Idempotency-Key: if the answer is lost, it cannot be asked for again"
        found.append((Kind.NO_KEY, text))
    if visit.unknown:
        text = f"no fields of this vertical, kept beside it: {', '.join(visit.unknown)}"
        found.append((Kind.UNKNOWN_FIELDS, text))
    if visit.named:
        text = f"a ping says who it is: {', '.join(visit.named)}; send phone_sha256, email_sha256"
        found.append((Kind.IDENTITY_IN_PING, text))
    return found + refusal(visit)


def impatience(visit: Visit) -> list[tuple[Kind, str]]:
    """Return whether a lead's first answer was not waited for; later ones may have less time."""
    waited_s = visit.ended_s - visit.at_s
    patience_s = min(ANSWER_DEADLINE_S, (visit.timeout_ms or ANSWER_DEADLINE_S * 1000) / 1000)
    if visit.gone and waited_s < patience_s - EARLY_S:
        text = (
            f"hung up after {waited_s:.1f} s: an answer may take {patience_s:g} s;"
            " whoever cannot wait so long says timeout_ms"
        )
        return [(Kind.HUNG_UP, text)]
    return []


def refusal(visit: Visit) -> list[tuple[Kind, str]]:
    """Return what is odd about a request that was refused for what it says itself."""
    if visit.scripted or visit.outcome is not Outcome.REFUSED:
        return []
    match visit.problem:
        case "key-reused":
            text = "this Idempotency-Key came with another body: give every lead one of its own"
            return [(Kind.OTHER_BODY, text)]
        case "conflict":
            return [(Kind.QUOTE_TWICE, "this quote was posted before, under another key")]
        case "expired":
            return []
        case "fields":
            bad = ", ".join(f"{field} {code}" for field, code in visit.faults)
            return [(Kind.BAD_FIELDS, f"bad fields: {bad}")]
        case _:
            return [(Kind.BAD_REQUEST, f"{visit.http}: {visit.detail or visit.problem}")]


def after(last: Visit, visit: Visit) -> list[tuple[Kind, str]]:
    """Return what is odd about a request, given what its lead's last one heard."""
    found = []
    same_key = visit.key is not None and visit.key == last.key
    if last.outcome is Outcome.OPEN and visit.door is Door.POST and not same_key:
        text = (
            f"sent again after request {last.number}, whose answer did not come, but not under"
            " its Idempotency-Key: the lead may be sold twice"
        )
        found.append((Kind.SOLD_TWICE, text))
    if last.outcome is Outcome.PENDING and visit.door is Door.POST and not same_key:
        text = f"posted again while request {last.number} is pending: a buyer may have it"
        found.append((Kind.RESOLD, text))
    waited_s = visit.at_s - last.ended_s
    if last.retry_after_s is not None and waited_s < last.retry_after_s - PUNCTUAL_S:
        text = f"came back after {waited_s:.2f} s, asked to wait {last.retry_after_s:g} s"
        found.append((Kind.IMPATIENT, text))
    if (
        last.outcome is Outcome.REFUSED
        and visit.body == last.body
        and last.http not in REFUSALS_TO_REPEAT
    ):
        text = f"the same again, though request {last.number} heard {last.http}"
        found.append((Kind.REPEATED, text))
    return found
