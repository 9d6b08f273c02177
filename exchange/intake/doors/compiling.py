"""A door's words become functions, once, when the market is loaded."""

from collections.abc import Mapping

from exchange.contract.door import AnswerPart, AnswerTo, CallPart, DoorPart, From, FromPart
from exchange.dialect.faults import Place
from exchange.domain.door import Does, Format, Opening, Outcome, Sent, Told, Translated, Written
from exchange.domain.vertical import Vertical
from exchange.intake.doors import answering, translating
from exchange.intake.doors.answering import Answer, Manner
from exchange.intake.doors.paths import Reading
from exchange.intake.doors.taking import Maps, Taker, compile_taker
from exchange.intake.doors.translating import Rules
from exchange.intake.doors.wording import in_own_words

CONTROLS = (
    *("campaign", "source", "seller_ref", "ping_id", "min_price", "timeout_ms", "test"),
    *("already_sold", "exclude_buyers", "legs"),
)
DIGESTS = ("sha256", "md5")
HASHED = frozenset({"phone", "email"})
"""Types of fields of which a digest can be given."""
HEADERS = "Authorization or X-API-Key"


class CompiledCall:
    """One thing that can be asked at a door, ready."""

    def __init__(self, methods: tuple[str, ...], rules: Rules, manner: Manner) -> None:
        self.methods = methods
        self.format = rules.format
        self.rules = rules
        self.manner = manner
        told = rules.key.name if rules.key is not None else None
        self.key_places = HEADERS if told is None else f"{told}, or {HEADERS}"

    def open(self, sent: Sent) -> Opening:
        """Return who sends and what is wanted."""
        return translating.opening(self.rules, sent)

    def default_does(self) -> Does:
        """Return what it does where the request cannot say."""
        return self.rules.does if isinstance(self.rules.does, Does) else Does.POST

    @property
    def or_only(self) -> bool:
        """Whether the seller's only campaign is meant where none of its campaigns is named."""
        taker = self.rules.controls.get("campaign")
        return taker is None or taker.or_only

    def campaign(self, sent: Sent) -> str | None:
        """Return the campaign that a request names, by our id where a map has it."""
        return translating.campaign(self.rules, sent)

    def translate(self, sent: Sent, campaign_id: str | None, vertical_id: str | None) -> Translated:
        """Return the request in our words, as a lead of this campaign and vertical."""
        return translating.translated(self.rules, sent, campaign_id, vertical_id)

    def foreign(self, native: str, vertical_id: str | None) -> str | None:
        """Return what the sender calls one of our fields, such as `lead.phone`; None: as we do."""
        group, dot, name = native.partition(".")
        if group == "lead" and dot:
            known = self.known(vertical_id)
            if name not in self.rules.fields[known] and name in self.rules.names[known]:
                return name
        taker = self.taker(native, vertical_id)
        return None if taker is None else taker.name

    def wanted(self, sent: Sent, native: str, vertical_id: str | None, message: str) -> str:
        """Return what a field must be, in the words of the sender's map where one reads it."""
        taker = self.taker(native, vertical_id)
        if taker is None or taker.words is None:
            return message
        taken = taker.take(Reading(sent))
        return message if taken is None else in_own_words(message, taker.words, taken.value)

    def known(self, vertical_id: str | None) -> str | None:
        """Return a vertical that this call has rules for, or None."""
        return vertical_id if vertical_id in self.rules.fields else None

    def taker(self, native: str, vertical_id: str | None) -> Taker | None:
        """Return what reads one of our fields, such as `lead.phone`, if anything does."""
        group, dot, name = native.partition(".")
        takers: Mapping[str, Taker] = self.rules.controls if not dot else {}
        if group == "lead" and dot:
            takers = self.rules.fields[self.known(vertical_id)]
        elif dot:
            takers = {"consent": self.rules.consent, "tracking": self.rules.tracking}.get(group, {})
        return takers.get(name or group)

    def write(self, told: Told, wanted: Format) -> Written:
        """Return an answer; it never raises."""
        return answering.write(self.manner, told, wanted)


class CompiledDoor:
    """A way in for sellers who speak their own words, ready."""

    def __init__(self, part: DoorPart, calls: Mapping[str, CompiledCall]) -> None:
        self.id = part.id
        self.name = part.name or part.id
        self.inside = part.inside
        self.paths = tuple(calls)
        self.sellers = frozenset(part.sellers)
        self._sources = frozenset(part.sources)
        self._paused = part.paused
        self._calls = calls

    def admits(self, seller_id: str) -> bool:
        """Tell whether it is open to this seller."""
        return not self.sellers or seller_id in self.sellers

    def takes(self, source_id: str | None) -> bool:
        """Tell whether it takes leads of this source."""
        return not self._sources or source_id in self._sources

    def call(self, path: str) -> CompiledCall | None:
        """Return what stands at this path, if anything; a paused door has nothing."""
        return None if self._paused else self._calls.get(path)


def compile_door(
    part: DoorPart, verticals: Mapping[str, Vertical], place: Place | None = None
) -> CompiledDoor:
    """Return a door compiled, of a part that is resolved.

    What is wrong with it goes to `place`; without one DialectError is raised.
    """
    where = place or Place()
    answers = compile_answers(part.answer, part, where.at("answer"))
    calls = {
        call.path: compile_call(call, part, verticals, answers, where.at("call", index))
        for index, call in enumerate(part.call)
    }
    if place is None:
        where.close()
    return CompiledDoor(part, calls)


def compile_call(
    call: CallPart,
    door: DoorPart,
    verticals: Mapping[str, Vertical],
    answers: Mapping[Outcome | None, Answer],
    place: Place,
) -> CompiledCall:
    """Return one call with its door's words where it has none of its own."""
    own = compile_answers(call.answer, door, place.at("answer"))
    together = Both(call, door, place)
    does = call.does
    names = names_of(door, verticals)
    rules = Rules(
        does=compile_taker(does, door.maps, place.at("does"))
        if isinstance(does, FromPart)
        else does,
        key=together.one("key"),
        lead_id=together.one("lead_id"),
        idempotency_key=together.one("idempotency_key"),
        choose=None
        if door.choose is None
        else compile_taker(door.choose, door.maps, together.at_door("choose")),
        format=door.format,
        controls={name: taker for name in CONTROLS if (taker := together.one(name)) is not None},
        consent=together.table("consent"),
        tracking=together.table("tracking"),
        passed_over=tuple(
            compile_taker(path, door.maps, place)
            for path in dict.fromkeys((*door.passed_over, *call.passed_over))
        ),
        fields=fields_of(together, door, verticals),
        names=names,
        bare_names=frozenset(
            translating.bare_name(name) for name in frozenset().union(*names.values())
        ),
    )
    manner = Manner(answers={**answers, **own}, root=door.root, always_200=door.always_200)
    return CompiledCall(tuple(call.methods), rules, manner)


class Both:
    """What a call reads: its own words, then its door's."""

    def __init__(self, call: CallPart, door: DoorPart, place: Place) -> None:
        self.call = call
        self.door = door
        self.place = place

    def at_door(self, *steps: str) -> Place:
        """Return a place at the door itself."""
        return Place(self.place.faults, (*self.place.path[:-2], *steps))

    def one(self, name: str) -> Taker | None:
        """Return one rule, or None where neither has it."""
        own: From | None = getattr(self.call, name)
        if own is not None:
            return compile_taker(own, self.door.maps, self.place.at(name))
        rule: From | None = getattr(self.door, name)
        return None if rule is None else compile_taker(rule, self.door.maps, self.at_door(name))

    def table(self, name: str) -> dict[str, Taker]:
        """Return a table of rules."""
        own: Mapping[str, From] = getattr(self.call, name)
        return {
            **compiled(getattr(self.door, name), self.door.maps, self.at_door(name)),
            **compiled(own, self.door.maps, self.place.at(name)),
        }


def compiled(rules: Mapping[str, From], maps: Maps, place: Place) -> dict[str, Taker]:
    """Return a table of rules, compiled."""
    return {name: compile_taker(rule, maps, place.at(name)) for name, rule in rules.items()}


def fields_of(
    both: Both, door: DoorPart, verticals: Mapping[str, Vertical]
) -> dict[str | None, Mapping[str, Taker]]:
    """Return the rules of a lead's fields by vertical; those that it lacks are left out."""
    common = both.table("fields")
    found: dict[str | None, Mapping[str, Taker]] = {None: common}
    for vertical in verticals.values():
        special = door.vertical.get(vertical.id)
        own = (
            {}
            if special is None
            else compiled(
                special.fields, door.maps, both.at_door("vertical", vertical.id, "fields")
            )
        )
        # What the call says of a field goes before what its door says for the vertical.
        asked = {name: common[name] for name in both.call.fields}
        known = known_names(vertical)
        found[vertical.id] = {
            name: taker for name, taker in {**common, **own, **asked}.items() if name in known
        }
    return found


def names_of(door: DoorPart, verticals: Mapping[str, Vertical]) -> dict[str | None, frozenset[str]]:
    """Return the fields that are read under our own names, too."""
    found: dict[str | None, frozenset[str]] = {None: frozenset()}
    for vertical in verticals.values():
        found[vertical.id] = known_names(vertical) if door.same_names else frozenset()
    return found


def known_names(vertical: Vertical) -> frozenset[str]:
    """Return the names of a vertical's fields, and of the digests that may stand for them."""
    hashed = (field.name for field in vertical.fields.values() if field.type.value in HASHED)
    digests = (f"{name}_{kind}" for name in hashed for kind in DIGESTS)
    return frozenset((*vertical.fields, *digests))


def compile_answers(
    answers: Mapping[AnswerTo, AnswerPart], door: DoorPart, place: Place
) -> dict[Outcome | None, Answer]:
    """Return answers by outcome; None: all that is not named."""
    found: dict[Outcome | None, Answer] = {}
    for to, part in answers.items():
        outcome = None if to is AnswerTo.ELSE else Outcome(to.value)
        here = place.at(to.value)
        found[outcome] = answering.compile_answer(part, door.maps, door.empty, here)
        if Format.XML is door.format or door.choose is not None:
            answering.check_elements(part.body, here.at("body"))
    return found
