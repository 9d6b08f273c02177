"""Several workers are one exchange: caps, duplicates, metrics, restarts, crashes, from outside."""

import asyncio
import os
import re
import shutil
import signal
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp
import msgspec
import pytest

from bidders.fleet import Fixed, Fleet
from tests.acceptance.audit import audit, by_state
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market

CUT_OFF = 409
WITHIN_S = 20.0
UNHURRIED = {
    "shutdown_grace_s": 5,
    "loop_lag_target_ms": 9000,
    "ledger_wait_target_ms": 9000,
    "loop_lag_max_ms": 9000,
    "database_timeout_ms": 9000,
    "market_timeout_ms": 9000,
}
"""On a busy machine a worker is late without having too much to do: these are no tests of that."""
ONCE = 'duplicates = { window_hours = 24, on = ["phone"] }'


@asynccontextmanager
async def a_crew(house, workers=2, **changes):
    """`exchange serve` with several workers, all of them selling; ended in order."""
    process = await house.start(workers=workers, **{**UNHURRIED, **changes})
    crew = Crew(process)
    await until(lambda: crew.are_ready(workers), WITHIN_S)
    try:
        yield crew
    finally:
        if process.process.returncode is None:
            assert await process.stop() == 0, process.log.read_text()


class Crew:
    """A supervisor and its workers, as its log tells of them."""

    def __init__(self, process):
        self.process = process

    def lines(self, event):
        lines = map(msgspec.json.decode, self.process.log.read_bytes().splitlines())
        return [line for line in lines if line["event"] == event]

    async def are_ready(self, number):
        return len(self.lines("worker ready")) >= number

    def pids(self):
        """Of all workers that were started, by their ids."""
        return {line["worker_id"]: line["pid"] for line in self.lines("worker started")}

    def send(self, number):
        self.process.process.send_signal(number)


class Load:
    """Leads of new people at a steady rate, on kept and on new connections, until told to stop."""

    def __init__(self, house, key, every_s=0.02):
        self.house = house
        self.key = key
        self.every_s = every_s
        self.answers = []
        self.failures = []
        self.numbers = count()
        self.stopped = asyncio.Event()

    async def run(self):
        async with asyncio.TaskGroup() as group:
            while not self.stopped.is_set():
                group.create_task(self.post(next(self.numbers)))
                await asyncio.sleep(self.every_s)

    async def post(self, number):
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"lead {number}"}
        if number % 2:
            headers["Connection"] = "close"
        body = {"campaign": "auto-us", "source": "search", "lead": person(number)}
        url = f"{self.house.bases[0]}/v1/leads"
        try:
            async with self.house.session.post(url, json=body, headers=headers) as response:
                self.answers.append((response.status, await response.json()))
        except (aiohttp.ClientError, OSError) as error:
            self.failures.append((number, error))

    async def repeat(self, number):
        """Post it again as the contract says: 409 until what was cut off is recovered."""

        async def told():
            await self.post(number)
            if self.answers[-1][0] != CUT_OFF:
                return True
            self.answers.pop()
            return False

        await until(told, WITHIN_S)

    async def answered(self, number):
        """Return once so many more were answered."""
        wanted = len(self.answers) + number

        async def enough():
            return len(self.answers) >= wanted

        await until(enough, WITHIN_S)


@asynccontextmanager
async def loaded(house, **options):
    load = Load(house, await house.key("seller", "fastquotes"), **options)
    running = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        load.stopped.set()
        await running


async def open_shop(house, fleet, offer="", lines=""):
    """Open a market whose buyer has time: on a busy machine too, no ping is late here."""
    patient = buyer("acme", fleet.base_url, offer=offer, ping_ms=5000, post_ms=5000)
    lines = f"auction_deadline_ms = 6000\n{lines}"
    await house.apply(market(patient, campaign(lines=lines)))
    await house.key("seller", "fastquotes")


async def test_two_workers_sell_exactly_what_a_cap_allows_and_share_the_work(house):
    """Three hundred leads at once on a cap of a hundred: a hundred are sold, by both workers.

    Connections are shared equally, whoever is woken first. What both counted is one page of
    metrics, whichever worker is asked.
    """
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet, 'caps = [ { leads = 100, per = "day" } ]')
        async with a_crew(house):
            answers = await asyncio.gather(*(house.post(person(n)) for n in range(300)))
            assert [answer.status for answer in answers] == [200] * 300
            statuses = [answer.body["status"] for answer in answers]
            assert (statuses.count("sold"), statuses.count("unsold")) == (100, 200)
            rows = await house.fetch("SELECT worker, count(*) FROM lead GROUP BY worker")
            assert len(rows) == 2
            assert min(row["count"] for row in rows) > 100

            async def add_up():
                page = (await house.call("GET", "/metrics")).body
                leads = re.findall(r"^exchange_leads_total{.*} (\S+)$", page, re.MULTILINE)
                return sum(map(float, leads)) == 300

            await until(add_up, WITHIN_S)
            page = (await house.call("GET", "/metrics")).body
            assert re.search(r"^exchange_holds 0\.0$", page, re.MULTILINE)
            assert re.search(r"^process_resident_memory_bytes ", page, re.MULTILINE)
        assert by_state(await audit(house, fleet))["accepted"] == 100


async def test_a_person_that_comes_twice_at_once_is_sold_once(house):
    """Forty pairs at the same moment, on whichever workers: one of each is the duplicate."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet, lines=ONCE)
        async with a_crew(house):
            pairs = [person(number // 2) for number in range(80)]
            answers = await asyncio.gather(*map(house.post, pairs))
            for one, other in zip(answers[::2], answers[1::2], strict=True):
                assert sorted([one.body["status"], other.body["status"]]) == ["duplicate", "sold"]
        assert by_state(await audit(house, fleet)) == {"accepted": 40}


async def test_a_killed_worker_is_replaced_and_every_lead_ends_once(house):
    """Killed under load: the other sells on, takes over at once, and another worker comes.

    The supervisor knows that it is dead: nobody waits for a lease of ten minutes to run out.
    """
    async with Fleet(bidding({"acme": "12.00"}), keep=2000) as fleet:
        fleet.change(
            bidding({"acme": "12.00"}, latency_ms=Fixed(100), post_latency_ms=Fixed(100))[0]
        )
        await open_shop(house, fleet)
        async with a_crew(house, worker_lease_s=600) as crew, loaded(house) as load:
            await load.answered(50)
            dead, pid = next(iter(crew.pids().items()))
            os.kill(pid, signal.SIGKILL)
            await until(lambda: crew.are_ready(3), WITHIN_S)
            await load.answered(50)
            load.stopped.set()

            async def all_ended():
                query = "SELECT FROM lead LEFT JOIN lead_end USING (lead_id) WHERE status IS NULL"
                return not await house.fetch(query)

            await until(all_ended, WITHIN_S)
            workers = await house.fetch("SELECT id::text FROM worker")
            assert len(workers) == 2
            assert dead not in {row["id"] for row in workers}
            assert len(crew.lines("took over")) == 1
            lost = [number for number, _error in load.failures]
            assert lost, "it was killed with something under way"
            for number in lost:
                await load.repeat(number)
            assert {status for status, _ in load.answers} == {200}
        await audit(house, fleet)


async def test_a_worker_that_hangs_is_killed_and_replaced(house):
    """It stops in its tracks with leads under way: a new one sells, and every lead ends as one."""
    async with Fleet(bidding({"acme": "12.00"}), keep=5000) as fleet:
        fleet.change(bidding({"acme": "12.00"}, latency_ms=Fixed(50), post_latency_ms=Fixed(50))[0])
        await open_shop(house, fleet)
        async with a_crew(house, worker_silent_max_s=3) as crew:
            hung, pid = next(iter(crew.pids().items()))
            async with loaded(house) as load:
                await load.answered(20)
                os.kill(pid, signal.SIGSTOP)
                await until(lambda: crew.are_ready(3), WITHIN_S)
                await until(lambda: ended(crew, 1), WITHIN_S)
                await load.answered(20)
            [killed] = crew.lines("worker killed")
            assert killed["why"] == "silent"
            [line] = crew.lines("worker ended")
            assert (line["worker_id"], line["status"]) == (hung, -signal.SIGKILL)
            assert not is_there(pid)
            lost = [number for number, _error in load.failures]
            assert lost, "it hung with something under way"
            for number in lost:
                await load.repeat(number)
            assert {status for status, _ in load.answers} == {200}
        await audit(house, fleet)


async def test_a_single_worker_that_hangs_is_ended_by_its_watchdog(house):
    """It sells, stops in its tracks, and is killed: whoever runs it sees that it ended."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        process = await house.start(worker_silent_max_s=2)
        assert (await house.post()).body["status"] == "sold"
        process.process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(WITHIN_S):
            assert await process.process.wait() == -signal.SIGKILL
        assert "worker killed" in process.log.read_text()


async def test_a_restart_under_load_refuses_nobody(house):
    """SIGHUP, twice: every lead on new and on kept connections is sold; the workers are others."""
    async with Fleet(bidding({"acme": "12.00"}), keep=5000) as fleet:
        fleet.change(bidding({"acme": "12.00"}, latency_ms=Fixed(50), post_latency_ms=Fixed(50))[0])
        await open_shop(house, fleet)
        async with a_crew(house) as crew:
            before = set(crew.pids())
            async with loaded(house, every_s=0.01) as load:
                await load.answered(50)
                for restart in (1, 2):
                    crew.send(signal.SIGHUP)
                    await until(lambda n=restart: crew.are_ready(2 + 2 * n), WITHIN_S)
                    await load.answered(50)
            await until(lambda: ended(crew, 4), WITHIN_S)
            rows = await house.fetch("SELECT id::text FROM worker")
            assert not before & {row["id"] for row in rows}
            assert load.failures == []
            assert {(status, body["status"]) for status, body in load.answers} == {(200, "sold")}
            assert {line["status"] for line in crew.lines("worker ended")} == {0}
            assert len(rows) == 2
            sold = len(load.answers)
        assert by_state(await audit(house, fleet)) == {"accepted": sold}


async def test_an_idle_connection_outlives_its_worker_by_one_answer(house):
    """A kept connection to a retiring worker is answered as ever, and only then closed."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        async with a_crew(house, shutdown_grace_s=90) as crew:
            host, port = house.bases[0].removeprefix("http://").split(":")
            lines = [await asyncio.open_connection(host, port) for _ in range(4)]
            for line in lines:
                assert "connection" not in await ask(*line)
            crew.send(signal.SIGHUP)
            await until(lambda: crew.are_ready(4), WITHIN_S)
            await until(lambda: retired(crew, 2), WITHIN_S)
            for reader, writer in lines:
                headers = await ask(reader, writer)
                assert headers["status"].startswith("HTTP/1.1 200")
                assert headers["connection"] == "close"
                assert await reader.read() == b""
                writer.close()
            # That from which the test asked whether it is ready, too.
            assert (await house.call("GET", "/healthz")).status == 200
            await until(lambda: ended(crew, 2), WITHIN_S)
            assert not crew.lines("idle connections closed")


async def ask(reader, writer):
    """Ask whether it is ready, and return the head of the answer."""
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: exchange\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {"status": head[0]}
    for line in head[1:-1]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    await reader.readexactly(int(headers["content-length"]))
    return headers


async def retired(crew, number):
    return len(crew.lines("retiring")) >= number


async def ended(crew, number):
    return len(crew.lines("worker ended")) >= number


async def test_a_restart_takes_new_settings_and_refuses_what_it_cannot_change(house):
    """The settings file is read again; another port is refused, and all goes on as it was."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        path = house.folder / "mine.toml"
        path.write_text("body_max_bytes = 1_000_000\n")
        async with a_crew(house, arguments=("--config", str(path))) as crew:
            path.write_text("body_max_bytes = 10\n")
            crew.send(signal.SIGHUP)
            await until(lambda: ended(crew, 2), WITHIN_S)
            assert (await house.post()).status == 413
            for wrong in ("port = 1\nmetrics_port = 2\n", "body_max_bytes = 'many'\n"):
                path.write_text(wrong)
                refused = len(crew.lines("restart refused"))
                crew.send(signal.SIGHUP)
                await until(lambda n=refused: has_refused(crew, n + 1), WITHIN_S)
            assert (await house.call("GET", "/readyz")).status == 200
            assert len(crew.pids()) == 4


async def has_refused(crew, number):
    return len(crew.lines("restart refused")) >= number


def folder_of_counts(pid):
    """Where this worker counts, as the kernel tells."""
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return re.search(r"/\S*/exchange-metrics-[^/]+", mapped)[0]


async def test_a_folder_of_counts_that_was_tidied_away_stops_no_worker(house):
    """Whoever takes over a slot starts all the same, and what it counts is shown again."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        async with a_crew(house) as crew:
            pid = next(iter(crew.pids().values()))
            shutil.rmtree(folder_of_counts(pid))
            os.kill(pid, signal.SIGKILL)
            await until(lambda: crew.are_ready(3), WITHIN_S)
            assert (await house.post()).body["status"] == "sold"
            assert (await house.call("GET", "/metrics")).status == 200


async def test_when_the_supervisor_is_killed_its_workers_end_in_order(house):
    """They give their leases back and leave the port; nothing of them stays."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        async with a_crew(house) as crew:
            pids = crew.pids().values()
            await crew.process.kill()

            async def all_gone():
                return not any(map(is_there, pids))

            await until(all_gone, WITHIN_S)
            assert not await house.fetch("SELECT FROM worker")
            with pytest.raises(aiohttp.ClientConnectionError):
                await house.call("GET", "/healthz")


async def test_told_twice_to_stop_it_stops_at_once(house):
    """The second SIGTERM does not wait for an auction of half a minute; its status says so."""
    async with Fleet(bidding({"slow": "9.00"})) as fleet:
        fleet.change(bidding({"slow": "9.00"}, latency_ms=Fixed(25_000))[0])
        slow = campaign(lines="auction_deadline_ms = 28000")
        await house.apply(market(buyer("slow", fleet.base_url, ping_ms=28_000), slow))
        await house.key("seller", "fastquotes")
        async with a_crew(house) as crew:
            selling = asyncio.create_task(house.post())
            await fleet.received("slow", pings=1)
            crew.send(signal.SIGTERM)
            await until(lambda: stopping(crew, 2), WITHIN_S)
            assert not await ended(crew, 2)
            crew.send(signal.SIGTERM)
            assert await crew.process.process.wait() == 1
            with pytest.raises(aiohttp.ClientError):
                await selling
            assert not any(map(is_there, crew.pids().values()))


async def stopping(crew, number):
    return len(crew.lines("stopping")) >= number


async def test_what_cannot_start_ends_with_its_reason(house):
    """All workers fail alike: after a few of them it ends, and their sentence is in the log."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await open_shop(house, fleet)
        async with house.connection() as connection:
            await connection.execute("UPDATE market_object SET body = '{}' WHERE kind = 'offer'")
        with pytest.raises(AssertionError) as failed:
            await house.start(workers=2)
        assert "supervising" in str(failed.value)
        assert str(failed.value).count("exchange: ") >= 5


def is_there(pid):
    """Whether a process runs; one that ended and that nobody asked about does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
