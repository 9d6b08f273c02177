"""Where market state is, read from its URL; a password in it is never shown."""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from exchange.market.errors import MarketAddressError

PORT = 6379
SCHEMES = {
    "redis": "tcp",
    "valkey": "tcp",
    "rediss": "tls",
    "valkeys": "tls",
    "unix": "unix",
}
OPTIONS = {"db", "ssl_ca_certs"}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A server, a database in it, and how to be let in.

    redis-py reads such URLs, too, but takes a third of a second to import, which every command
    of the exchange would pay.
    """

    host: str = ""
    port: int = PORT
    path: str = ""
    """Of a unix socket; empty: host and port."""
    tls: bool = False
    ca_file: str | None = None
    """Whom to trust besides the system's own list: `?ssl_ca_certs=FILE`."""
    username: str = "default"
    password: str = ""
    database: int = 0

    def __repr__(self) -> str:
        return f"Address({self})"

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    async def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Connect the protocol. Errors: OSError, of which ssl.SSLError is one."""
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(protocol, self.path)
            return
        context = ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        await loop.create_connection(protocol, self.host, self.port, ssl=context)


def parse(url: str) -> Address:
    """Return the address that a URL names. Errors: MarketAddressError."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        kind = SCHEMES.get(parts.scheme)
        named = "" if kind == "unix" else parts.path.strip("/")
        database = int(options.get("db", named or "0"))
    except ValueError as error:
        raise MarketAddressError(problem=error) from error
    if kind is None:
        raise MarketAddressError(problem=f"{parts.scheme or 'no'} scheme is not one of them")
    if unknown := options.keys() - OPTIONS:
        raise MarketAddressError(problem=f"unknown option {min(unknown)}")
    where = unquote(parts.path) if kind == "unix" else parts.hostname
    if not where:
        raise MarketAddressError(problem="it names no place")
    return Address(
        host="" if kind == "unix" else where,
        path=where if kind == "unix" else "",
        port=port,
        tls=kind == "tls",
        ca_file=options.get("ssl_ca_certs"),
        username=unquote(parts.username or "") or "default",
        password=unquote(parts.password or ""),
        database=database,
    )
