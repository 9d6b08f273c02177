"""A seller rehearses: every ZIP code is played over HTTP, and odd programs are told of."""

import asyncio
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bidders.rehearsal import OTHERWISE, SCENES, Rehearsal, Stage
from bidders.rehearsal.acts import LOST, Duplicate, Pending, Problem, Quoted, Sold, Unsold
from exchange.client import (
    AsyncClient,
    Client,
    ExchangeError,
    Expired,
    LeadAnswer,
    NoAnswer,
    NotFound,
    QuoteAnswer,
    Unintelligible,
    Used,
)
from exchange.client.errors import KINDS, STATUSES, Refused, Unavailable
from exchange.domain.reason import Reason
from tests.acceptance.house import clean_environment, person

ROOT = Path(__file__).parents[2]
VERTICAL = ROOT / "config" / "verticals" / "auto_insurance.toml"
CAMPAIGN = "auto-us"
PACE = 0.02
PATIENCE_S = 4.5
"""For tries of what never succeeds: four of them where each is asked to wait a second."""
IDENTITY = ("first_name", "last_name", "phone", "email")
XML = "application/xml"


@asynccontextmanager
async def rehearsing(**changes):
    told = []
    stage = Stage(**{"vertical": VERTICAL, "pace": PACE, **changes})
    async with Rehearsal(stage, lambda visit, notes: told.append((visit, notes))) as rehearsal:
        rehearsal.told = told
        yield rehearsal


def lead_of(number, scene=OTHERWISE, **changes):
    zip_code = "00501" if scene is OTHERWISE else scene.zip
    return person(number, zip=zip_code, **changes)


# The client passes


class Threaded:
    """The blocking client, a thread for each call."""

    def __init__(self, *args, **kwargs):
        self.client = Client(*args, **kwargs)
        self.threads = ThreadPoolExecutor(len(SCENES))

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            work = partial(getattr(self.client, name), *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)

        return call

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.threads.shutdown()
        self.client.close()


def kind_of(problem):
    """The exception that a problem is."""
    default = Unavailable if problem.kind.status >= 500 else Refused
    return KINDS.get(problem.kind.word) or STATUSES.get(problem.kind.status, default)


async def play(exchange, number, scene):
    """Do with one scene what a program should; return what went otherwise than it says."""
    lead = lead_of(number, scene)
    try:
        answer = await exchange.post(campaign=CAMPAIGN, source="search", lead=lead)
        if answer.status == "pending":
            answer = await exchange.wait(answer.lead_id, deadline_s=1.0)
    except ExchangeError as error:
        answer = error
    return answer


def is_as_told(scene, answer):
    """Whether a client ends a scene as the table says."""
    act = scene.post
    if isinstance(act, Problem) and act.times is not None:
        act = scene.later
    if isinstance(act, Pending):
        act = act.then or act
    if scene.delivery.way in LOST and scene.delivery.times is None:
        return type(answer) in {NoAnswer, Unintelligible}
    if isinstance(act, Problem):
        return type(answer) is kind_of(act)
    if not hasattr(answer, "status"):
        return False
    match act:
        case Sold():
            prices = tuple(sale.price for sale in answer.sales)
            return (answer.status, answer.price, prices) == ("sold", act.total, act.prices)
        case Pending():
            return answer.status == "pending"
        case Duplicate():
            ours = not isinstance(answer, LeadAnswer) or bool(answer.original)
            return (answer.status, ours) == ("duplicate", act.ours)
        case _:
            status = "unsold" if isinstance(act, Unsold) else "rejected"
            told = (answer.reason.code, answer.reason.detail)
            return (answer.status, *told) == (status, act.reason, getattr(act, "detail", None))


@pytest.mark.parametrize("client_of", [AsyncClient, Threaded], ids=["async", "sync"])
@pytest.mark.parametrize("always_200", [False, True])
async def test_the_client_passes_a_rehearsal_of_every_zip_code(client_of, always_200):
    """It ends each as the table says, and the judge finds nothing odd."""
    async with (
        rehearsing(always_200=always_200) as rehearsal,
        client_of(rehearsal.base_url, "any", deadline_s=PATIENCE_S) as exchange,
    ):
        answers = await asyncio.gather(
            *(play(exchange, number, scene) for number, scene in enumerate(SCENES))
        )
        wrong = [
            (scene.zip, answer)
            for scene, answer in zip(SCENES, answers, strict=True)
            if not is_as_told(scene, answer)
        ]
        assert wrong == []
    report = rehearsal.judge.report()
    assert (report.notes, report.not_rehearsed) == ((), ())
    assert len(report.rehearsed) == len(SCENES)


async def ping_and_post(exchange, number, scene):
    lead = lead_of(number, scene)
    shown = {name: value for name, value in lead.items() if name not in IDENTITY}
    rest = {name: lead[name] for name in IDENTITY}
    quote = None
    try:
        quote = await exchange.ping(campaign=CAMPAIGN, lead=shown)
        if quote.status != "quoted":
            return quote, None
        return quote, await exchange.post_quote(quote, lead=rest)
    except ExchangeError as error:
        return quote, error


async def test_pings_are_quoted_and_posted_as_the_table_says():
    """A price where the lead may be sold, and the post of that quote ends as its scene says."""
    scenes = [scene for scene in SCENES if scene.delivery.times is not None or scene.quote]
    scenes += [scene for scene in SCENES if not isinstance(scene.post, Problem)][:12]
    async with (
        rehearsing() as rehearsal,
        AsyncClient(rehearsal.base_url, "any", deadline_s=PATIENCE_S) as exchange,
    ):
        both = await asyncio.gather(
            *(ping_and_post(exchange, number, scene) for number, scene in enumerate(scenes))
        )
    for scene, (quote, answer) in zip(scenes, both, strict=True):
        assert isinstance(quote, QuoteAnswer), scene.zip
        if isinstance(scene.ping, Quoted):
            assert (quote.status, quote.price) == ("quoted", scene.ping.price), scene.zip
            assert is_as_told(scene, answer), (scene.zip, answer)
        else:
            assert quote.status != "quoted", scene.zip
            reason = getattr(scene.ping, "reason", Reason.DUPLICATE)
            assert quote.reason.code == reason, scene.zip
    assert rehearsal.judge.report().notes == ()


async def test_a_quote_is_real():
    """It is used once, runs out, holds its price, and what contradicts its ping is refused."""
    async with rehearsing() as rehearsal, AsyncClient(rehearsal.base_url, "any") as exchange:
        rest = {name: lead_of(1)[name] for name in IDENTITY}

        async def quoted(zip_code):
            ping = {"zip": zip_code, "birth_date": "1991-04-02", "currently_insured": True}
            return await exchange.ping(campaign=CAMPAIGN, lead=ping)

        quote = await quoted("78701")
        with pytest.raises(ExchangeError, match=r"lead\.zip contradicts_ping"):
            await exchange.post_quote(quote, lead={**rest, "zip": "78702"})
        dear = await exchange.post_quote(quote, lead=rest, min_price=Decimal("11.06"))
        assert (dear.status, dear.reason.reason) == ("unsold", "no_bid_above_floor")
        with pytest.raises(Used):
            await exchange.post_quote(quote, lead=rest)
        short = await quoted("75203")
        await asyncio.sleep(2.1)  # only time ends it
        with pytest.raises(Expired):
            await exchange.post_quote(short, lead=rest)
        with pytest.raises(NotFound):
            await exchange.post_quote("forged", lead=rest)


# The doors are the exchange's


async def posted(session, lead, *, key="k", path="/v1/leads", headers=None, **how):
    """Post as a program of its own would; return status and body, None where no answer came."""
    sent = {"Authorization": "Bearer any", **(headers or {})}
    if key is not None:
        sent["Idempotency-Key"] = key
    if not how:
        how = {"json": {"campaign": CAMPAIGN, "lead": lead}}
    try:
        async with session.post(path, headers=sent, **how) as response:
            return response.status, await response.text()
    except (aiohttp.ClientError, TimeoutError):
        return None, ""


@asynccontextmanager
async def a_program(**changes):
    async with (
        rehearsing(**changes) as rehearsal,
        aiohttp.ClientSession(rehearsal.base_url) as session,
    ):
        yield rehearsal, session


async def test_json_forms_and_xml_are_one_lead_and_each_hears_its_own_format():
    """The same price in every format; XML is answered where it is asked for."""
    lead = lead_of(1, SCENES[0], currently_insured="yes")
    xml = "".join(f"<{name}>{value}</{name}>" for name, value in lead.items())
    document = f"<request><campaign>{CAMPAIGN}</campaign><lead>{xml}</lead></request>"
    async with a_program() as (rehearsal, session):
        answers = [
            await posted(session, lead, key="1"),
            await posted(session, None, key="2", data={"campaign": CAMPAIGN, **lead}),
            await posted(
                session, None, key="3", data=document, headers={"Content-Type": XML, "Accept": XML}
            ),
        ]
        assert [status for status, _ in answers] == [200, 200, 200]
        assert json.loads(answers[0][1])["price"] == json.loads(answers[1][1])["price"] == 11.05
        assert "<status>sold</status><price>11.05</price>" in answers[2][1]
        assert [visit.format for visit, _ in rehearsal.told] == ["JSON", "form", "XML"]
        assert {visit.scene.zip for visit, _ in rehearsal.told} == {"78701"}
        async with session.get("/") as response:
            assert "78701" in await response.text()


async def test_only_the_given_key_and_campaign_are_taken():
    """401 and unknown_campaign, as on the exchange; the page needs no key."""
    async with a_program(key="right", campaign="mine") as (_, session):
        body = {"json": {"campaign": "mine", "lead": lead_of(1)}}
        assert (await posted(session, None, **body))[0] == 401
        right = {"Authorization": "Bearer right"}
        assert (await posted(session, None, headers=right, **body))[0] == 200
        status, text = await posted(session, lead_of(1), key="2", headers=right)
        assert status == 422
        assert "unknown_campaign" in text


# Odd programs


async def sells_twice(session):
    for key in ("first", "second"):
        await posted(session, lead_of(1, zip_of("60601")), key=key)


async def has_no_key(session):
    await posted(session, lead_of(1), key=None)


async def resells(session):
    for key in ("first", "second"):
        _, text = await posted(session, lead_of(1, zip_of("90003")), key=key)
    async with session.get(
        f"/v1/leads/{json.loads(text)['lead_id']}", headers={"Authorization": "Bearer any"}
    ) as looked:
        assert looked.status == 200


async def is_impatient(session):
    for _ in range(3):
        await posted(session, lead_of(1, zip_of("45503")))


async def changes_its_body(session):
    for number in (1, 2):
        await posted(session, lead_of(number))


async def sends_broken_json(session):
    await posted(session, None, data=b'{"campaign"', headers={"Content-Type": "application/json"})


async def sends_bad_fields(session):
    await posted(session, {**lead_of(1), "phone": "123"})


async def misspells(session):
    await posted(session, {**lead_of(1), "first_nme": "Zyxcanary"})


async def says_who_it_is(session):
    await posted(session, lead_of(1), path="/v1/pings")


async def posts_a_quote_twice(session):
    shown = {"zip": "78701", "currently_insured": True, "birth_date": "1991-04-02"}
    _, text = await posted(session, shown, path="/v1/pings", key="ping")
    for key in ("first", "second"):
        path = f"/v1/pings/{json.loads(text)['ping_id']}/post"
        await posted(session, lead_of(1, SCENES[0]), path=path, key=key)


async def repeats_a_refusal(session):
    for _ in range(2):
        await posted(session, lead_of(1, zip_of("49413")))


async def hangs_up(session):
    for seconds in (0.2, 30):
        timeout = aiohttp.ClientTimeout(seconds)
        await posted(
            session, None, timeout=timeout,
            json={"campaign": CAMPAIGN, "lead": lead_of(1, zip_of("60603"))},
        )  # fmt: skip


async def polls(session):
    _, text = await posted(session, lead_of(1, zip_of("90003")))
    for _ in range(5):
        path = f"/v1/leads/{json.loads(text)['lead_id']}"
        async with session.get(path, headers={"Authorization": "Bearer any"}) as looked:
            assert looked.status == 200


async def gives_up(session):
    await posted(session, lead_of(1, zip_of("60602")))


async def never_asks(session):
    await posted(session, lead_of(1, zip_of("90001")))


def zip_of(code):
    [scene] = [scene for scene in SCENES if scene.zip == code]
    return scene


ODD = {
    sells_twice: {"sold_twice"},
    has_no_key: {"no_idempotency_key"},
    resells: {"resold_while_pending"},
    is_impatient: {"ignored_retry_after"},
    changes_its_body: {"key_with_another_body"},
    sends_broken_json: {"bad_request"},
    sends_bad_fields: {"bad_fields"},
    misspells: {"unknown_fields"},
    says_who_it_is: {"identity_in_ping"},
    posts_a_quote_twice: {"quote_posted_twice"},
    repeats_a_refusal: {"repeated_a_refusal"},
    hangs_up: {"hung_up_early"},
    polls: {"polls_too_often"},
    gives_up: {"gave_up"},
    never_asks: {"never_asked_after_pending"},
}


@pytest.mark.parametrize("program", ODD, ids=lambda program: program.__name__)
async def test_an_odd_program_is_told_what_is_odd(program):
    """Each of them alone, over HTTP; no value of a lead is in anything that is told."""
    async with a_program() as (rehearsal, session):
        await program(session)
    report = rehearsal.judge.report()
    assert {note.kind for note in report.notes} == ODD[program]
    told = f"{report} {rehearsal.told}"
    assert not any(value in told for value in ("Zyxcanary", "Lee", "512555", "example.com"))


async def test_the_command_says_where_it_is_and_ends_with_a_report(tmp_path):
    """One JSON line when ready, lines for people, the report at the end; 1 where a fault was."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", "rehearse", "--json", "--port", "0", "--pace", "0.1",
        cwd=ROOT, env=clean_environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        ready = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession(ready["base_url"]) as session:
            await sells_twice(session)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    report = json.loads(out)
    assert (process.returncode, report["faults"]) == (1, 1)
    assert "FAULT: sent again after request 1" in err.decode()
    missing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", "rehearse", "--vertical", tmp_path / "none.toml",
        stderr=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    _, err = await missing.communicate()
    assert (missing.returncode, "none.toml" in err.decode()) == (2, True)
