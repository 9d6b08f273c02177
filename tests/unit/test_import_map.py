"""Imports run one way, the way of a lead; what is not on the map cannot be imported."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = ["exchange.domain", "exchange.contract"]
STATIONS = [
    f"exchange.{station}"
    for station in ("configuration", "intake", "auction", "market", "delivery", "ledger")
]
MAP = {  # who may import what of ours, besides its own package; read it from the top
    "exchange.domain": [],
    "exchange.contract": ["exchange.domain"],
    "exchange.client": ["exchange.contract"],  # what a seller installs: no station, no store
    "exchange.dialect": BASE,  # pure: foreign formats out and in
    "exchange.settings": [],
    "exchange.master_key": ["exchange.settings"],
    "exchange.stores": ["exchange.settings"],
    "exchange.telemetry": BASE,
    "exchange.sandbox": BASE,  # buyers of test leads: asked over the wire, like all of them
    "exchange.wire": ["exchange.domain.keyed"],  # a room of its own, but for how it signs
    **dict.fromkeys(STATIONS, BASE),
    # mappings and doors are compiled with the market
    "exchange.configuration": [*BASE, "exchange.dialect", "exchange.intake.doors"],
    "exchange.intake": [*BASE, "exchange.dialect"],  # mapped doors are read by the same language
    "exchange.auction": [*BASE, "exchange.wire"],  # pings go out on it
    "exchange.delivery": [*BASE, "exchange.wire"],  # and posts
    "exchange.story": [*BASE, *STATIONS],
    "exchange.learning": [*BASE, "exchange.ledger"],
    "exchange.reports": [*BASE, "exchange.ledger"],
    # what was written with a sale goes out beside it
    "exchange.notify": [*BASE, "exchange.ledger", "exchange.wire"],
    "exchange.trying": [*BASE, *STATIONS, "exchange.story", "exchange.wire"],
    "exchange.web": [
        *BASE,
        *STATIONS,
        "exchange.dialect",
        "exchange.story",
        "exchange.notify",
        "exchange.reports",
        "exchange.settings",
        "exchange.telemetry",
    ],
    "exchange.open_files": [*BASE, "exchange.settings"],
    "exchange.readiness": [*BASE, "exchange.ledger"],
    "exchange.clock": [],
    "exchange.errors": [  # what people can mend, wherever it comes from
        *("exchange.configuration", "exchange.ledger", "exchange.market", "exchange.settings"),
        "exchange.stores",
    ],
    "exchange.opening": [  # the stores, as a process uses them
        *("exchange.errors", "exchange.ledger", "exchange.master_key", "exchange.settings"),
        "exchange.stores",
    ],
    "exchange.app": ["exchange"],
    "exchange.worker": ["exchange"],  # its parts
    "exchange.supervision": [  # many workers, each of them an app
        *("exchange.app", "exchange.errors", "exchange.ledger", "exchange.opening"),
        *("exchange.settings", "exchange.telemetry", "exchange.web", "exchange.worker"),
    ],
    # decides; starts, signals and waits for nobody
    "exchange.supervision.roster": [
        *("exchange.supervision.happening", "exchange.supervision.members"),
    ],
    "exchange.supervision.members": [],
    "exchange.supervision.happening": [],
    "exchange.anonymity": [*BASE, *STATIONS, "exchange.story"],  # counted beside the sales
    "exchange.replay": [*BASE, *STATIONS, "exchange.story", "exchange.wire"],
    "exchange.cli": ["exchange"],
    "exchange.commands": ["exchange"],
    "exchange.demo": ["exchange", "bidders"],
    "exchange": [],
    "bidders.rehearsal": [  # the exchange's own doors: a seller rehearses what it will meet
        *("bidders", *BASE, "exchange.configuration", "exchange.intake", "exchange.ledger"),
        *("exchange.market", "exchange.notify", "exchange.telemetry", "exchange.web"),
    ],
    "bidders.certify": [  # the exchange's own calls: a buyer is called as it will be
        *("bidders", *BASE, "exchange.configuration", "exchange.delivery", "exchange.dialect"),
        *("exchange.intake", "exchange.telemetry", "exchange.trying", "exchange.wire"),
    ],
    "bidders.shelf": ["exchange.domain"],  # of both: what they take by an id
    "bidders": ["exchange.contract"],
    "bench": [  # what it measures by itself, apart from a whole exchange
        *("exchange.contract", "exchange.wire", "exchange.dialect", "exchange.domain"),
        *("exchange.auction", "exchange.configuration", "exchange.story", "exchange.telemetry"),
        "bidders.fleet",  # answers where no other server is installed
        # secrets of its buyers, many in one process
        *("exchange.opening", "exchange.ledger.vault", "exchange.settings"),
    ],
}
NEVER = {  # not even by way of others
    "exchange.supervision.roster": {"asyncio", "os", "signal", "socket", "time"},
    "exchange.domain": {"asyncio", "os", "random", "secrets", "socket", "time", "uuid"},
    "exchange.auction": {"exchange.domain.person"},
    "exchange.dialect": {"exchange.domain.person", "asyncio", "os", "socket", "time"},
}


def inside(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(module, code):
    """All that a module's code imports, by full name, wherever in it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute, so that the map can be read"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults(sources):
    """Every import of these modules (name → code) that the map does not have."""
    imported = {module: list(imports(module, code)) for module, code in sources.items()}
    for module, names in imported.items():
        place = max((entry for entry in MAP if inside(module, [entry])), key=len)
        if module.startswith("exchange.") and place == "exchange":
            yield f"{module} is not on the map"
        ours = [name for name in names if inside(name, ["exchange", "bidders", "bench"])]
        yield from (f"{module} → {n}" for n in ours if not inside(n, [place, *MAP[place]]))
        far = reached(module, imported)
        yield from (f"{module} ⇒ {n}" for n in sorted(NEVER.get(place, set()) & far))


def reached(module, imported):
    """All that is imported by a module, by those modules of ours that it imports, and so on."""
    seen, todo = set(), [module]
    while todo:
        for name in imported.get(todo.pop(), ()):
            for found in {name, name.rpartition(".")[0]} - seen:
                seen.add(found)
                todo.append(found)
    return seen


def test_imports_run_one_way():
    """Stations do not know each other, the auction knows no person, outsiders know the contract."""
    files = [
        f for folder in ("exchange", "bidders", "bench") for f in ROOT.glob(f"{folder}/**/*.py")
    ]
    names = {f: ".".join(f.relative_to(ROOT).with_suffix("").parts) for f in files}
    assert {"exchange.wire.wire", "exchange.domain.money"} <= set(names.values())
    sources = {name.removesuffix(".__init__"): f.read_text() for f, name in names.items()}
    assert list(faults(sources)) == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("exchange.domain.money", "import exchange.contract"),
        ("exchange.domain.money", "from time import monotonic"),
        ("exchange.market.holds", "from exchange.ledger.store import Store"),
        ("exchange.wire.wire", "def f():\n    from exchange.domain import person"),
        ("exchange.wire.wire", "from exchange.domain.facts import Facts"),
        ("exchange.stores.pair", "from exchange import domain"),
        ("exchange.sale", "import exchange.web.routes"),
        ("exchange.helpers", ""),
        ("bidders.sdk", "import exchange.domain.money"),
        ("bench.load", "from exchange.ledger import store"),
    ],
)
def test_a_wrong_import_is_found(module, code):
    """Also one inside a function, and one by way of another module."""
    neighbour = {"exchange.domain.facts": "from exchange.domain.person import Person"}
    assert len(list(faults({module: code, **neighbour}))) == 1
