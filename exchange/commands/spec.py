"""`exchange spec`: what a seller may send, or an offer's endpoint will get, as a file or a link."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from exchange.clock import now_us
from exchange.commands.showing import tell
from exchange.commands.try_offer import trying
from exchange.configuration.snapshots import Compiler, read_stored
from exchange.contract.trying import Tried
from exchange.domain.nearest import hint
from exchange.domain.snapshot import Snapshot
from exchange.errors import CommandError
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.request import Request
from exchange.ledger.vault import Vault
from exchange.opening import database, ledger_key
from exchange.settings import Settings
from exchange.web.pages.assets import ASSETS
from exchange.web.pages.rendering import render
from exchange.web.specs import linking, links, offering, posting
from exchange.web.specs.campaigns import acceptance

LINKED = re.compile(r'<link rel="(?:icon|stylesheet)"[^>]*>\n?|<script[^>]*></script>\n?')


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which spec, for whom, and where the exchange is reached."""

    kind: links.Kind
    shown: str
    account: str
    base_url: str


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Whose:
    """The options that say whose spec it is, and where its reader finds the exchange."""

    seller: str | None = None
    """Whose view, where the campaign has several sellers."""
    offer: str | None = None
    """The id of an offer instead of a campaign: the spec is its buyer's."""
    base_url: str | None = None
    """Where the exchange is reached from outside; else the setting public_url."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Linking:
    """The options of a link in place of the page."""

    link: Annotated[bool, Parameter(negative=())] = False
    """Print a link that shows the page in a browser until it expires, in place of the page."""
    days: int = links.DAYS
    """For how long the link holds."""


async def spec(
    campaign: str | None = None,
    /,
    *,
    whose: Whose = Whose(),
    linking: Linking = Linking(),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> None:
    """Write what a seller may send into a campaign, or what an offer's buyer will get.

    The page stands alone, style and all, and can be sent by e-mail; a link shows the page that is
    always up to date.

    Parameters
    ----------
    campaign:
        The id of a campaign of the present market.
    out:
        A file to write to; else standard output.
    as_json:
        JSON Schema in place of a page.
    """
    if (campaign is None) == (whose.offer is None):
        raise CommandError("name a campaign, or an offer by --offer")
    if not 1 <= linking.days <= links.DAYS_MAX:
        raise CommandError(f"--days must be from 1 to {links.DAYS_MAX}")
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        snapshot = Compiler(vault.derive).snapshot(await read_stored(connection, vault))
    public = whose.base_url or settings.public_url
    base = (public or address(settings)).rstrip("/")
    wanted = (
        for_seller(campaign, whose.seller, base, snapshot)
        if campaign
        else for_buyer(whose.offer or "", base, snapshot)
    )
    if not public:
        tell(f"The spec says {base}: set public_url, or --base-url, to where others reach you.")
    if linking.link:
        made = linked(wanted, vault, linking.days)
        write(made + "\n", out)
        return
    if wanted.kind is links.Kind.CAMPAIGN:
        content = await campaign_spec(wanted, snapshot, settings, as_json=as_json)
    else:
        content = await buyers_spec(wanted, snapshot, settings, as_json=as_json)
    write(content, out)


def address(settings: Settings) -> str:
    """Return where the exchange listens, for want of a public address."""
    return f"http://{settings.host}:{settings.port}"


def for_seller(campaign: str, seller: str | None, base_url: str, snapshot: Snapshot) -> Wanted:
    """Return the view of a campaign's seller; raise CommandError where there is none."""
    known = snapshot.campaigns.get(campaign)
    if known is None:
        likely = hint(campaign, snapshot.campaigns)
        raise CommandError(f'there is no campaign "{campaign}" in the market{likely}')
    sellers = tuple(known.sellers)
    if seller is None and len(sellers) != 1:
        raise CommandError(f"say whose view by --seller: one of {', '.join(sellers)}")
    account = seller or sellers[0]
    if account not in known.sellers or account not in snapshot.sellers:
        likely = hint(account, known.sellers)
        raise CommandError(f'the campaign has no seller "{account}"{likely}')
    return Wanted(kind=links.Kind.CAMPAIGN, shown=campaign, account=account, base_url=base_url)


def for_buyer(offer: str, base_url: str, snapshot: Snapshot) -> Wanted:
    """Return the view of an offer's buyer; raise CommandError where there is none."""
    known = snapshot.offers.get(offer)
    if known is None:
        likely = hint(offer, snapshot.offers)
        raise CommandError(f'there is no offer "{offer}" in the market{likely}')
    return Wanted(kind=links.Kind.OFFER, shown=offer, account=known.buyer.id, base_url=base_url)


def linked(wanted: Wanted, vault: Vault, days: int) -> str:
    """Return a link that every worker of this ledger opens."""
    signer = links.Links(vault.derive(links.DERIVED_AS))
    expires_s = now_us() // 1_000_000 + days * links.DAY_S
    token = signer.sign(wanted.kind, wanted.shown, wanted.account, expires_s)
    return wanted.base_url + linking.path_of(wanted.kind, wanted.shown, token)


async def campaign_spec(
    wanted: Wanted, snapshot: Snapshot, settings: Settings, *, as_json: bool
) -> str:
    """Return a posting spec."""
    intake = Intake(await asyncio.to_thread(Geography.load, settings.data_dir))
    asked = posting.Asked(
        campaign=snapshot.campaigns[wanted.shown],
        seller=snapshot.sellers[wanted.account],
        base_url=wanted.base_url,
        alone=True,
    )
    accept = acceptance(intake, wanted.account, snapshot, now_us())
    if as_json:
        return posting.posting_schema(snapshot, asked, accept).decode() + "\n"
    return standing_alone(render(posting.posting_spec(snapshot, asked, accept)).body.decode())


async def buyers_spec(
    wanted: Wanted, snapshot: Snapshot, settings: Settings, *, as_json: bool
) -> str:
    """Return the spec of an offer; nothing is sent for its examples."""
    offer = snapshot.offers[wanted.shown]
    async with trying(settings) as attempt:
        tried = await attempt.run(offer, None, Request({}), snapshot)
    example = tried if isinstance(tried, Tried) else None
    asked = offering.Asked(offer=offer, tried=example, alone=True)
    if as_json:
        return offering.offer_json(snapshot, asked).decode() + "\n"
    return standing_alone(render(offering.offer_spec(snapshot, asked)).body.decode())


def standing_alone(page: str) -> str:
    """Return a page that loads nothing: its style stands in it, and it has no script."""
    style = ASSETS["page.css"].content.body.decode()
    assert "</" not in style, "a style ends nothing"
    return LINKED.sub("", page).replace("</head>", f"<style>\n{style}</style>\n</head>", 1)


def write(text: str, out: Path | None) -> None:
    """Write to a file, or to standard output."""
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out}: {error.strerror or 'cannot be written'}") from None
    tell(f"Written to {out}.")
