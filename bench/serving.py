"""A real exchange and its stores for a benchmark: it has a core, all else has the last one."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.load import Load, Loaded
from bench.processes import HOST, arguments, children, cpu_s, free_port, pin, pinned, running

HERE = Path(__file__).parents[1]
VERTICAL = HERE / "config" / "verticals" / "auto_insurance.toml"
OK = 200
READY_WITHIN_S = 60.0
ASK_AGAIN_S = 0.01
WORKER = "exchange.supervision.process"

EXCHANGE_CORE = 0
OTHER_CORE = (os.cpu_count() or 1) - 1


class NotReadyError(Exception):
    """The exchange did not become ready to sell in time."""


class Serving(msgspec.Struct, frozen=True):
    """An exchange that sells."""

    url: str
    key: str
    pid: int
    """Of `exchange serve`: the worker, or the supervisor of several."""
    folder: Path
    checkout: Path
    environment: dict[str, str]

    def pids(self) -> list[int]:
        """Return the processes that sell, and their supervisor; not the stores."""
        return [self.pid, *self.workers()]

    def workers(self) -> list[int]:
        """Return the workers under a supervisor; none: the process itself is the only one."""
        return [one for one in children(self.pid) if WORKER in arguments(one)]

    def selling(self) -> list[int]:
        """Return the workers, whether there is one or several."""
        return self.workers() or [self.pid]

    def cpu_s(self) -> float:
        """Return the CPU time that the exchange has used so far."""
        return sum(cpu_s(pid) for pid in self.pids())


def environment(folder: Path, port: int, checkout: Path) -> dict[str, str]:
    """Return the environment of an exchange that keeps its stores in this folder."""
    return {
        **os.environ,
        "EXCHANGE_DATA_DIR": str(folder / "data"),
        "EXCHANGE_PORT": str(port),
        "EXCHANGE_METRICS_PORT": "0",
        "EXCHANGE_LOG_LEVEL": "warning",
        "EXCHANGE_ALLOW_NETWORKS": "127.0.0.0/8",
        "PYTHONPATH": str(checkout),
    }


def exchange(*words: str) -> list[str]:
    """Return a command of the exchange; which one, says the checkout that it runs in."""
    return [sys.executable, "-m", "exchange.cli", *words]


@contextmanager
def serving(
    market: str,
    *,
    workers: int = 1,
    checkout: Path = HERE,
    settings: Mapping[str, str] | None = None,
    seller: str = "bench",
) -> Iterator[Serving]:
    """Run an exchange on empty stores, with this market, for as long as the block lasts.

    `seller`: whose key is handed over.
    """
    with tempfile.TemporaryDirectory() as name, pinned(OTHER_CORE):
        folder = Path(name)
        around = {**environment(folder, free_port(), checkout), **(settings or {})}
        path = folder / "market.toml"
        path.write_text(market, encoding="utf-8")
        command = exchange("serve", *(["--workers", str(workers)] if workers > 1 else []))
        url = f"http://{HOST}:{around['EXCHANGE_PORT']}"
        with running(command, cwd=checkout, env=around) as process:
            ready(url)
            tell(checkout, around, "apply", str(VERTICAL), str(path))
            create = ("keys", "create", "--role", "seller", "--account", seller)
            key = tell(checkout, around, *create)
            one = Serving(url, key, process.pid, folder, checkout, around)
            # Its stores keep the core that they were started on.
            pin([one.pid], EXCHANGE_CORE)
            for number, worker in enumerate(one.workers()):
                pin([worker], EXCHANGE_CORE + number % max(1, OTHER_CORE))
            yield one


def tell(checkout: Path, around: Mapping[str, str], *words: str) -> str:
    """Run a command of the exchange to its end and return what it printed."""
    done = subprocess.run(  # noqa: S603 - our own command
        exchange(*words),
        cwd=checkout,
        env=dict(around),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout.decode().strip()


def ready(url: str) -> float:
    """Return once the exchange can sell, with the seconds that it took. Errors: NotReadyError."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < READY_WITHIN_S:
        try:
            with urllib.request.urlopen(f"{url}/readyz") as response:  # noqa: S310 - our own
                if response.status == OK:
                    return time.perf_counter() - begun
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(ASK_AGAIN_S)  # nothing tells of it
    raise NotReadyError(url)


@contextmanager
def lean_buyers(count: int, latency_ms: float = 0.0) -> Iterator[Callable[[int], str]]:
    """Run lean buyers on the last core; the block gets each one's address by its number."""
    command = [sys.executable, "-m", "bench.buyers", str(count), str(latency_ms)]
    with (
        pinned(OTHER_CORE),
        running(command, stdout=subprocess.PIPE, cwd=HERE) as process,
    ):
        assert process.stdout is not None, "it was asked for"
        port = int(process.stdout.readline())
        yield lambda number: f"http://127.0.1.{number}:{port}"


@contextmanager
def fleet(spec: str, host: str = HOST) -> Iterator[str]:
    """Run the project's simulated buyers on the last core, as a file of theirs says, on a host."""
    with tempfile.TemporaryDirectory() as name, pinned(OTHER_CORE):
        path = Path(name) / "fleet.toml"
        path.write_text(spec, encoding="utf-8")
        command = [sys.executable, "-m", "bidders", "fleet", "--profile", str(path)]
        command += ["--port", "0", "--host", host, "--json"]
        with running(
            command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None, "it was asked for"
            yield str(msgspec.json.decode(process.stdout.readline())["base_url"])


def sent(load: Load, tick: Callable[[], None], every_s: float = 0.5) -> Loaded:
    """Send a load from a process of its own on the last core; `tick` is called while it goes on."""
    command = [sys.executable, "-m", "bench.load"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with pinned(OTHER_CORE), running(command, cwd=HERE, **pipes) as process:
        asked: bytes | None = msgspec.json.encode(load)
        while True:
            try:
                told, _ = process.communicate(asked, every_s)
            except subprocess.TimeoutExpired:
                asked = None  # it has it
                tick()
            else:
                return msgspec.json.decode(told, type=Loaded)
