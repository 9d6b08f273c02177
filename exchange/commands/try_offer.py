"""`exchange try-offer`: what an offer would be sent, and what it answers, without a sale."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from exchange.clock import now_us
from exchange.commands.showing import plain, tell
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.contract.seller import FieldError
from exchange.contract.trying import Sending, Tried, TriedCall, TriedReading
from exchange.domain.nearest import hint
from exchange.errors import CommandError
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.parsing import parse
from exchange.intake.request import Request, Unparsable
from exchange.ledger.vault import Vault
from exchange.opening import database, ledger_key
from exchange.settings import Settings
from exchange.trying.means import Means
from exchange.trying.trying import Trying
from exchange.wire.call import Detail
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoints import CALL_HEADERS, FOREIGN_HEADERS, Endpoints
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire

MEDIA_TYPES = {".xml": "application/xml", ".form": "application/x-www-form-urlencoded"}
JSON = "application/json"
LEAD_BYTES_MAX = 1024 * 1024
MISSED = {"invalid_bid", "unreachable", "timeout", "throttled", "in_doubt"}
"""Outcomes of which somebody should know: the exit status is 1."""
ENCODER = msgspec.json.Encoder(decimal_format="number")


async def try_offer(
    offer: str,
    /,
    *,
    lead: Path | None = None,
    send: Sending | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Show the ping and the post that an offer would get, and send them as a test if asked to.

    Nothing is booked: no lead, no cap, no money. Secrets are not shown.

    Parameters
    ----------
    offer:
        The id of an offer of the present market.
    lead:
        A lead as a seller would send it: the body of POST /v1/leads, or only its fields. Without
        one an invented lead of the vertical is used.
    send:
        What really goes out, with test = true; without it nothing does. `both` posts only where
        the ping brought a bid, and alone where the offer is not asked.
    as_json:
        Print one JSON object.
    """
    request = Request({}) if lead is None else request_of(lead)
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        snapshot = Compiler(vault.derive).snapshot(await read_stored(connection, vault))
    wanted = snapshot.offers.get(offer)
    if wanted is None:
        likely = hint(offer, snapshot.offers)
        raise CommandError(f'there is no offer "{offer}" in the market{likely}')
    async with trying(settings) as attempt:
        tried = await attempt.run(wanted, send, request, snapshot)
    if not isinstance(tried, Tried):
        raise CommandError(listed(tried))
    if as_json:
        sys.stdout.write(ENCODER.encode(tried).decode() + "\n")
    else:
        sys.stdout.write("\n".join(lines(tried)) + "\n")
    tell(*notes(tried))
    return 1 if any(missed(call) for call in (tried.ping, tried.post, tried.status)) else 0


def request_of(path: Path) -> Request:
    """Return the lead in a file; raise CommandError where there is none."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if len(body) > LEAD_BYTES_MAX:
        raise CommandError(f"{path} is larger than a lead may be")
    parsed = parse(body, MEDIA_TYPES.get(path.suffix.lower(), JSON))
    if isinstance(parsed, Unparsable):
        raise CommandError(f"{path}: {parsed.detail}")
    fields = parsed.request.fields
    return parsed.request if "lead" in fields else Request({"lead": fields})


@asynccontextmanager
async def trying(settings: Settings) -> AsyncIterator[Trying]:
    """Lend what tries offers, on a wire of its own that calls only where it may."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        resolver = Resolver(loop, Guard(settings.networks), ttl_s=settings.dns_ttl_s)
        stack.push_async_callback(resolver.close)
        timeout_ms = settings.connect_timeout_ms
        dialer = Dialer(loop, resolver, client_tls(), connect_timeout_ms=timeout_ms)
        wire = Wire(loop, dialer, Limits(answer_max_bytes=settings.answer_max_bytes))
        stack.push_async_callback(wire.close)
        geography = await asyncio.to_thread(Geography.load, settings.data_dir)
        yield Trying(
            Intake(geography),
            Means(
                wire,
                Endpoints(CALL_HEADERS, FOREIGN_HEADERS),
                now_us=now_us,
                monotonic=time.monotonic,
                entropy=os.urandom,
            ),
        )


def listed(errors: Iterable[FieldError]) -> str:
    """Return what is wrong with a lead, or with what is to be sent, a line for each field."""
    return "\n".join(["nothing was tried:", *(f"  {one.field}: {one.message}" for one in errors)])


def notes(tried: Tried) -> Iterable[str]:
    """Yield what to do about a try, beside what it shows."""
    if tried.note is not None:
        yield tried.note
    reads = [call.read for call in (tried.ping, tried.post, tried.status) if call]
    if any(read is not None and read.detail == Detail.ADDRESS_NOT_ALLOWED for read in reads):
        yield (
            "this command may call the public internet only; "
            "EXCHANGE_ALLOW_NETWORKS=127.0.0.0/8 before it allows this machine"
        )


def missed(call: TriedCall | None) -> bool:
    """Tell whether a call came to nothing that a buyer could have meant."""
    return call is not None and call.read is not None and call.read.outcome in MISSED


def lines(tried: Tried) -> list[str]:
    """Return a try as people read it, call by call."""
    shown = [f"offer {tried.offer}, vertical {tried.vertical}"]
    for name, call in (("ping", tried.ping), ("post", tried.post)):
        shown.append("")
        if call is None:
            lacks = "it is not asked" if name == "ping" else "nothing is called when it wins"
            shown.append(f"{name}: none, {lacks}")
        else:
            shown += call_lines(name, call)
    if tried.status is not None:
        shown += ["", *call_lines("status", tried.status)]
    return [plain(line) for line in shown]


def call_lines(name: str, call: TriedCall) -> list[str]:
    """Return one call: the request, the answer, and how it was read."""
    request = call.request
    shown = [
        f"{name}: {'sent' if call.sent else 'not sent'}",
        f"> {request.method} {request.url}",
        *(f"> {key}: {value}" for key, value in request.headers),
        *(f"> {line}" for line in ["", *request.body.splitlines()]),
    ]
    if call.answer is not None:
        shown += [
            f"< {call.answer.status}",
            *(f"< {key}: {value}" for key, value in call.answer.headers),
            *(f"< {line}" for line in ["", *call.answer.body.splitlines()]),
        ]
    if call.read is not None:
        shown.append(f"read as {reading_text(call.read)} after {call.ms} ms")
    return shown


def reading_text(read: TriedReading) -> str:
    """Return how an answer was understood, in one line."""
    known = msgspec.structs.asdict(read)
    del known["outcome"]
    told = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    return f"{read.outcome} ({told})" if told else read.outcome
