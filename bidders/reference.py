"""A reference bidder: a price table, caps of its day, and a record of what was bought."""

import os
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from bidders.answers import Accepted, Bid, NoBid, Refused, exact
from bidders.endpoint import app
from bidders.table import Table, TableError
from exchange.contract.buyer import Ping, Post

CAPPED = "daily cap"
SPENT = "daily spend"
REMEMBERED_DAYS = 2
"""Repetitions come within minutes; two days also bridge midnight."""


class Bought(msgspec.Struct, frozen=True):
    """One line of the sales file. It names the sale, never the person."""

    sale_id: str
    at: datetime
    price: Decimal


ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(Bought)


class SalesFile:
    """One line per sale bought, on the disk before `add` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Bought]:
        """Return what was bought before; raises `TableError` where the file is something else.

        A last line without its end was cut off by a crash, before its sale was accepted: it goes.
        """
        try:
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            bought = [DECODER.decode(line) for line in content[:whole].splitlines()]
            if whole < len(content):
                os.truncate(self.path, whole)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TableError(f"{self.path}: {error.strerror}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TableError(f"{self.path} is no sales file: {error}") from None
        return bought

    def add(self, bought: Bought) -> None:
        """Write one line and see it on the disk; raises OSError."""
        with self.path.open("ab") as file:
            file.write(ENCODER.encode(bought) + b"\n")
            file.flush()
            os.fsync(file.fileno())


class ReferenceBidder:
    """Bids by its table as far as its day's caps have room, and takes a sale once.

    With a `sales_file` that holds over a restart. `now` is the clock, with a time zone.
    """

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self.table = table
        self.now = now
        self.zone = ZoneInfo(table.time_zone)
        self.file = SalesFile(Path(table.sales_file)) if table.sales_file else None
        self.lock = threading.Lock()
        self.days: dict[date, dict[str, Decimal]] = {}
        """What was bought on a day, by sale, and its price."""
        for bought in self.file.read() if self.file else []:
            self.remember(bought)

    async def bid(self, ping: Ping) -> Bid | NoBid:
        """Return the table's bid; no bid while the day has no room for another lead at its price.

        A lead that the table does not want is told so, whatever room there is.
        """
        said = self.table.bid(ping)
        full = self.full(exact(said.price)) if isinstance(said, Bid) else None
        return said if full is None else NoBid(full)

    def take(self, post: Post) -> Accepted | Refused:
        """Accept a sale that the cap has room for, once it is written down; another time too."""
        with self.lock:
            if not any(post.sale_id in day for day in self.days.values()):
                full = self.full(post.price)
                if full is not None:
                    return Refused(full)
                bought = Bought(post.sale_id, self.now(), post.price)
                if self.file is not None:
                    self.file.add(bought)
                self.remember(bought)
        return Accepted(reference=post.sale_id)

    def full(self, price: Decimal) -> str | None:
        """Return which cap of this day has no room for one more lead at this price, if any."""
        bought, table = self.days.get(self.today(), {}), self.table
        if table.daily_cap is not None and len(bought) >= table.daily_cap:
            return CAPPED
        if table.daily_spend is not None and sum(bought.values()) + price > table.daily_spend:
            return SPENT
        return None

    def today(self) -> date:
        """Return the date where the buyer counts its days."""
        return self.now().astimezone(self.zone).date()

    def remember(self, bought: Bought) -> None:
        """Count a sale on its day, and forget the days long past."""
        day = bought.at.astimezone(self.zone).date()
        self.days.setdefault(day, {})[bought.sale_id] = bought.price
        oldest = self.today() - timedelta(days=REMEMBERED_DAYS - 1)
        self.days = {day: sales for day, sales in self.days.items() if day >= oldest}

    def app(self) -> web.Application:
        """Return the bidder as an application that answers `/ping` and `/post`."""
        return app(self.bid, self.take, secret=self.table.secrets())
