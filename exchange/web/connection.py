"""A connection of a seller: plain requests for leads are answered at once, the rest by aiohttp."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from exchange.web.answers import accepted, problem_response
from exchange.web.heads import Plain
from exchange.web.problems import ClientGoneError, Kind, problem
from exchange.web.quick import Quick
from exchange.web.shedding import Shedding

logger = structlog.get_logger()


class Connection(web.RequestHandler):
    """A connection whose every error is a problem, and whose errors are never quoted in a log.

    A plain request for a lead that is there as a whole is answered at once; it never reaches the
    framework's parser, which hears all else, from its first byte to its last. So it must be known
    where each request ends: once one came of which that is not sure, all is the framework's.
    """

    __slots__ = (
        "_held",
        "_in_hand",
        "_on_lost",
        "_quick",
        "_rest",
        "_shedding",
        "_unread",
        "let_in",
    )

    def __init__(
        self,
        manager: web.Server,
        on_lost: Callable[[], None],
        quick: Quick | None,
        shedding: Shedding | None,
        **options: Any,
    ) -> None:
        super().__init__(manager, **options)
        self._on_lost = on_lost
        self._quick = quick
        """None: it is not known (any more) where a request begins."""
        self._shedding = shedding
        self._in_hand: asyncio.Task[None] | None = None
        """Answers a request without the framework."""
        self._held = b""
        """What came meanwhile."""
        self._rest = 0
        """Bytes that are still to come of a request that the framework answers."""
        self._unread = 0
        """Bytes that are still to come of a request that was answered."""
        self.let_in = False
        """The next request was counted as one that is sold; the guard need not decide again."""

    def data_received(self, data: bytes) -> None:
        """Answer a lead, or turn it away at once where there is too much to do, else hand it on."""
        if self._in_hand is not None:
            self._hold(data)
            return
        if self._unread:
            skipped = min(self._unread, len(data))
            self._unread -= skipped
            data = data[skipped:]
        quick = self._quick
        if (
            quick is None or not data
        ):  # it is nothing where the framework looks again at what it has
            super().data_received(data)
        elif self._rest:
            self._hand_on(data, self._rest - len(data))
        else:
            self._begin(quick, data)

    def _begin(self, quick: Quick, data: bytes) -> None:
        """Take up what begins with a request."""
        plain = quick.heads.read(data)
        if plain is None:
            self._hand_on(data, -1)
            return
        rest = plain.size + plain.length - len(data)
        self.let_in = False
        if plain.route is not None and rest >= 0 and self.is_idle() and quick.takes(plain):
            shedding = self._shedding
            if shedding is not None and shedding.is_due(plain):
                if shedding.turns_away(plain.route):
                    self.turn_away(shedding.answer(), rest)
                    return
                self.let_in = True
            if not rest:
                self._request_in_progress = True
                body = data[plain.size :]
                self._in_hand = self._loop.create_task(self._answer(quick, plain, body))
                return
        self._hand_on(data, rest)

    def _hand_on(self, data: bytes, rest: int) -> None:
        """Leave these bytes to the framework, and those of the same request that still come."""
        self._rest = rest
        if rest < 0:
            self._quick = None
        super().data_received(data)

    def _hold(self, data: bytes) -> None:
        """Keep the beginning of the next request until the present one is answered."""
        self._held += data
        if self.transport is not None:
            self.transport.pause_reading()

    async def _answer(self, quick: Quick, plain: Plain, body: bytes) -> None:
        """Answer a whole request; go on with what came meanwhile, or close."""
        closes = True
        try:
            answer, closes = await quick.answer(plain, body, let_in=self.let_in)
            if self.transport is not None:
                self.transport.write(answer)
                if self.writing_paused:
                    await self._drain_helper()
        except ConnectionError:  # it was lost before all was written
            closes = True
        except Exception:  # as with the framework: it ends this connection alone
            closes = True
            logger.exception("request failed outside of its handler")
        finally:
            self._answered(closes=closes)

    def _answered(self, *, closes: bool) -> None:
        self._in_hand = None
        self._request_in_progress = False
        if self._handler_waiter is not None:  # whoever stops the server waits for this
            self._handler_waiter.set_result(None)
        transport = self.transport
        if closes or transport is None or transport.is_closing():
            self.force_close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:
            held, self._held = self._held, b""
            transport.resume_reading()
            self.data_received(held)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - its name
        """Let what is being answered end within this time, and close."""
        await super().shutdown(timeout)
        if self._in_hand is not None:
            self._in_hand.cancel()

    def is_idle(self) -> bool:
        """Whether nothing is under way here, so that what comes is the beginning of a request."""
        waiter = self._waiter
        if waiter is None:  # its loop has not begun: what is new may come with its first request
            return not self._request_count and not self._force_close and not self._close
        return not waiter.done() and not self._messages

    def turn_away(self, answer: bytes, unread: int) -> None:
        """Answer, and throw away what is still to come of the request."""
        transport = self.transport
        assert transport is not None, "what is idle is connected"
        transport.write(answer)
        self._unread = unread
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _process_keepalive(self) -> None:
        """Close what was idle for long; who waits for an answer is not."""
        if self._in_hand is None:
            super()._process_keepalive()
        else:
            close_time = self._loop.time() + self._keepalive_timeout
            self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Have it forgotten by all who count it."""
        super().connection_lost(exc)
        self._on_lost()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was sent
    ) -> web.StreamResponse:
        """Answer what never became a request, or what failed outside of the application."""
        if isinstance(exc, ClientGoneError):
            raise ConnectionResetError from exc  # aiohttp's word for nobody to answer
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already; it cannot be replaced")
        if isinstance(exc, LineTooLong):
            kind = Kind.HEADERS
        elif status < 500:  # noqa: PLR2004 - where HTTP's server errors begin
            kind = Kind.UNREADABLE
        else:
            kind = Kind.INTERNAL
            logger.error("request failed outside of its handler", exc_info=exc)
        return problem_response(problem(kind), accepted(request), close=True)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a failure of the connection itself, without what was sent on it."""
        error = kw.get("exc_info")
        logger.error("connection failed", sentence=str(args[0]) if args else "", exc_info=error)
