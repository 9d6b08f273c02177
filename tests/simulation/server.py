"""The simulated PostgreSQL around its books: it carries statements, hangs, dies, and comes back."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from tests.simulation.books import Books
from tests.simulation.loop import Process, World


class Listener(NamedTuple):
    """Who hears what is announced on one channel."""

    process: Process
    channel: str
    moved: Callable[[str], None]
    all_may_have_moved: Callable[[], None]


class Server:
    """What carries statements to the books and answers back, late, twice, or never."""

    def __init__(self, world: World, books: Books, delay_s: Callable[[], float]) -> None:
        self.world = world
        self.books = books
        self.delay_s = delay_s
        self.chance = Random(world.chance.random())
        self.is_up = True
        self.life = 0
        """Counts its lives: what an earlier one had not made durable is lost."""
        self.is_silent = False
        """It takes everything, and does nothing until it goes on."""
        self.swallows = False
        """It does what it is asked, and answers nothing."""
        self.cuts = 0
        self.locks: dict[str, Any] = {}
        """Which transaction holds a worker's row against everybody."""
        self.kept: dict[str, Any] = {}
        """Which has changed one: nobody takes it over, but who writes under it goes on."""
        self.listeners: list[Listener] = []
        self._blocked: list[tuple[Any, ...]] = []
        self._held: list[tuple[Any, ...]] = []
        self._silences = 0
        self._unanswered: list[Callable[[], None]] = []

    def ask(
        self, process: Process, do: Callable[[], Any], answered: Callable[[Any], None],
        broken: Callable[[], None], *, locked: str | None = None, takes_s: float = 0.0,
    ) -> None:  # fmt: skip
        """Carry one statement; `locked`: it waits while another one holds this worker's row."""
        asked = (process, do, answered, broken, locked, takes_s)
        self.world.call_later(self.delay_s(), self._arrive, *asked)

    def _arrive(self, process, do, answered, broken, locked, takes_s):
        asked = (process, do, answered, broken, locked, takes_s)
        if not self.is_up:
            process.call_later(self.delay_s(), broken)
        elif self.is_silent:
            self._held.append(asked)
        elif locked is not None and locked in self.locks:
            self._blocked.append(asked)
        else:
            fate = self._fate()
            if fate == "before":
                process.call_later(self.delay_s(), broken)
            else:
                self.world.call_later(
                    takes_s, self._do, process, do, answered, broken, self.life, fate == "after"
                )

    def _do(self, process, do, answered, broken, life, cut_after):
        """Make it durable, unless the server died meanwhile."""
        if life != self.life:
            process.call_later(self.delay_s(), broken)
            return
        try:
            answer = do()
        except Exception as error:  # noqa: BLE001 - it is its caller's
            answer = error
        if cut_after:
            process.call_later(self.delay_s(), broken)
        elif self.swallows:
            self._unanswered.append(broken)
        else:
            process.call_later(self.delay_s(), answered, answer)

    def _fate(self) -> str:
        if not self.cuts:
            return ""
        self.cuts -= 1
        return "before" if self.chance.random() < 1 / 2 else "after"

    # Locks of a worker's row

    def lock(self, worker_id: str, holder: object) -> bool:
        """Take it, unless somebody has it, or keeps it: no waiting."""
        if worker_id in self.locks or worker_id in self.kept:
            return False
        self.locks[worker_id] = holder
        return True

    def unlock(self, holder: object) -> None:
        """Give all of these back; who waited goes on."""
        self.locks = {one: by for one, by in self.locks.items() if by is not holder}
        self.kept = {one: by for one, by in self.kept.items() if by is not holder}
        blocked, self._blocked = self._blocked, []
        for asked in blocked:
            self._arrive(*asked)

    def end_idle(self, name: str, idle_s: float) -> bool:
        """End the connection of whoever has this lock and has asked nothing for so long."""
        holder = self.locks.get(name)
        if holder is None or self.world.now - holder.asked_at <= idle_s:
            return False
        holder.is_ended = True
        self.unlock(holder)
        return True

    def hang_up(self, process: Process) -> None:
        """Take it that a process is gone: its sockets are closed, its locks are given back."""
        holders = (*self.locks.values(), *self.kept.values())
        for holder in {id(one): one for one in holders if one.process is process}.values():
            self.world.call_later(self.delay_s(), self.unlock, holder)

    # What is announced

    def announce(self, subject: str, channel: str = "lead") -> None:
        """Tell everybody who listens there that this lead moved, or this sale was decided."""
        for one in self.listeners:
            if one.channel == channel and not one.process.is_dead:
                self.world.call_later(self.delay_s(), one.process.call_soon, one.moved, subject)

    # What may befall it

    def hang(self, for_s: float) -> None:
        """Be silent for so long."""
        self.silence()
        self.world.call_later(for_s, self._over, self._silences)

    def silence(self) -> None:
        self.is_silent = True
        self._silences += 1

    def _over(self, silence: int) -> None:
        if silence == self._silences:
            self.go_on()

    def go_on(self) -> None:
        """Do all that was asked meanwhile."""
        self.is_silent = False
        held, self._held = self._held, []
        for asked in held:
            self._arrive(*asked)

    def cut(self, statements: int) -> None:
        """Let so many of the next statements meet a connection that breaks."""
        self.cuts += statements

    def cut_all(self) -> None:
        """Break the connections of all who wait for an answer that was swallowed."""
        unanswered, self._unanswered = self._unanswered, []
        for broken in unanswered:
            broken()

    def go_down(self) -> None:
        """Die: what is not durable yet is lost, all locks go, nobody is heard."""
        self.is_up = False
        self.life += 1
        self.locks.clear()
        self.kept.clear()
        blocked, self._blocked, self._held = self._blocked + self._held, [], []
        for process, _, _, broken, _, _ in blocked:
            process.call_later(self.delay_s(), broken)

    def come_up(self) -> None:
        self.is_up = True
        for one in self.listeners:
            if not one.process.is_dead:
                one.process.call_soon(one.all_may_have_moved)
