"""The demo from beginning to end: set up, sell until it is enough, check, tell."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext

import aiohttp
import msgspec
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from exchange.contract.operator import OperatorLeadView
from exchange.demo.children import ChildError
from exchange.demo.folder import DemoFolder
from exchange.demo.played import played
from exchange.demo.reading import Reading
from exchange.demo.staging import HOLD_LEASE_S, OK, Options, Stage, set_up
from exchange.demo.story import story
from exchange.demo.summary import summary
from exchange.demo.tally import Tally
from exchange.demo.verdict import Court, Result, read_books, result_of
from exchange.demo.view import Scene, Size, finished, picture, plain_line
from exchange.demo.watching import Watching, now_us
from exchange.ledger.archive import Archive
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from exchange.market.link import Link
from exchange.market.market import Market
from exchange.settings import Settings

DOUBTS_WITHIN_S = 6.0
"""How long sales in doubt get at the end; most buyers answer the first repetitions."""

REST_SLACK_S = 5.0
ASK_AGAIN_S = 0.25
PICTURE_EVERY_S = 0.5
LINE_EVERY_S = 5.0
MARKET_TIMEOUT_S = 5.0
US_PER_S = 1_000_000


class Demo:
    """One run in a folder of its own; nothing of it is left running at its end."""

    def __init__(self, settings: Settings, options: Options, console: Console) -> None:
        self.settings = settings
        self.options = options
        self.show = played(options.market, options.seed)
        self.console = console
        self.stop = asyncio.Event()
        self.is_selling = False

    async def run(self) -> Result:
        """Play it through and return what came of it.

        Ctrl-C or SIGTERM ends the selling; a second one, or one before, breaks off. Errors:
        ChildError, StoreError.
        """
        with DemoFolder(self.settings.data_dir, keep=self.options.keep) as folder:
            try:
                with self._interrupts():
                    result = await self._play(folder)
            except BaseException as error:
                folder.keep |= not isinstance(error, asyncio.CancelledError)
                raise
            folder.keep |= not result.is_good
            if folder.keep:
                self._say(f"Logs and stores are kept in {folder.path}")
            return result

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """Let the first signal end the selling; a second one, or one before, breaks off."""
        loop, playing = asyncio.get_running_loop(), asyncio.current_task()
        assert playing is not None, "a demo runs in a task"

        def interrupted() -> None:
            if self.is_selling and not self.stop.is_set():
                self.stop.set()
            else:
                playing.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def _play(self, folder: DemoFolder) -> Result:
        async with AsyncExitStack() as stack:
            stage = await set_up(folder, self.settings, self.options, self.show, stack, self._say)
            court = await court_of(stage, stack)
            # Test offers are left out, as test leads are left out of every report.
            offers = stage.opened.snapshot.offers.values()
            names = tuple(offer.id for offer in offers if not offer.test)
            plans = tuple(
                (one.id, " > ".join(step.method.value for step in one.stages))
                for one in stage.opened.snapshot.campaigns.values()
            )
            scene = Scene(stage.order.base_url, stage.how_to_open, names, plans)
            tally = Tally(now_us())
            watching = await self._sell(stage, court.reading, scene, tally)
            seconds = (now_us() - tally.begun_us) / US_PER_S
            self._say("Waiting for sales in doubt, then checking everything …")
            await rest(court, stage)
            told = await story_of_one(stage, tally)
            if await stage.exchange.end():
                raise stage.exchange.failure()
            books = await read_books(stage.fleet.base_url)
            verdict = await court.judge(stage.opened.snapshot, books, watching.heard, now_us())
        result = result_of(verdict, tally)
        self.console.print(finished(scene, tally, self._size))
        if told:
            self.console.print(Panel(Text("\n".join(told)), title="The story of one lead"))
        for line in summary(result, verdict, tally, seconds):
            self.console.print(line, style="" if result.is_good else "red", highlight=False)
        return result

    async def _sell(self, stage: Stage, reading: Reading, scene: Scene, tally: Tally) -> Watching:
        """Let the seller sell, and show it, until its time is over or somebody stops it."""
        is_terminal = self.console.is_terminal
        live = Live(console=self.console, screen=True, auto_refresh=False)

        def show() -> None:
            if is_terminal:
                live.update(picture(scene, tally, now_us(), self._size), refresh=True)
            else:
                self._say(plain_line(tally, now_us()))

        watching = Watching(reading, tally, show, PICTURE_EVERY_S if is_terminal else LINE_EVERY_S)
        if not is_terminal:
            self._say(f"Selling at {scene.base_url}; to see why: {scene.how_to_open}")
        self.is_selling = True
        with live if is_terminal else nullcontext():
            others = (stage.exchange, stage.fleet_process)
            try:
                await watching.run(stage.seller, stage.order, self.stop, others)
            except ExceptionGroup as group:
                # Several may end at once; the first one's log tells more than all together.
                failures = group.subgroup(ChildError)
                raise (failures or group).exceptions[0] from None
        self.stop.set()
        return watching

    @property
    def _size(self) -> Size:
        return Size(self.console.width, self.console.height)

    def _say(self, sentence: str) -> None:
        self.console.print(sentence, highlight=False, soft_wrap=True)


async def court_of(stage: Stage, stack: AsyncExitStack) -> Court:
    """Return who asks the stores, by connections of its own."""
    connections = Connections(stage.urls.database_url, Limits())
    await connections.open()
    stack.push_async_callback(connections.close)
    link = await stack.enter_async_context(Link(stage.urls.market_url, timeout_s=MARKET_TIMEOUT_S))
    market = Market(link, worker="demo", clock=now_us)
    return Court(Archive(connections, stage.vault), Reading(connections), market)


async def rest(court: Court, stage: Stage) -> None:
    """Return when nothing moves any more, or when that takes too long.

    Buyers in doubt get a while to decide; what an outage left behind is put right a lease later.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while (waited_s := loop.time() - begun) < HOLD_LEASE_S + REST_SLACK_S:
        with contextlib.suppress(LedgerUnavailable, MarketUnavailable):
            unrest = await court.unrest(stage.opened.snapshot)
            if not unrest.is_moving and (not unrest.in_doubt or waited_s > DOUBTS_WITHIN_S):
                return
        # What is waited for happens in other processes, which tell nobody.
        await asyncio.sleep(ASK_AGAIN_S)


async def story_of_one(stage: Stage, tally: Tally) -> tuple[str, ...]:
    """Return the story of the most telling lead, as any operator may ask for it."""
    chosen = tally.most_telling
    if chosen is None:
        return ()
    url = f"{stage.order.base_url}/v1/admin/leads/{chosen.lead_id}"
    headers = {"Authorization": f"Bearer {stage.opened.operator_key}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        if response.status != OK:
            return (f"GET {url} answered {response.status}",)
        view = msgspec.json.decode(await response.read(), type=OperatorLeadView)
    return tuple(story(view))
