"""Names become addresses that may be called, from memory; memory is renewed in the background."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from exchange.wire.call import Detail

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
NAT64 = ip_network("64:ff9b::/96")
NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "::/96",  # an IPv4 address, as it was written before RFC 4291
        "::ffff:0:0:0/96",  # one that a translator writes
        "64:ff9b:1::/48",  # one behind a network's own translator
        "fec0::/10",  # a site's own, before RFC 3879
        "5f00::/16",  # segments of a route
    )
)
"""Public by the library, and not in truth; whoever allows one by name may call it."""


class Unresolved(Exception):  # noqa: N818 - a name without an address that may be called
    """The name has no address that may be called."""

    def __init__(self, why: Detail) -> None:
        super().__init__(why.value)
        self.why = why


class Guard:
    """Only addresses of the public internet are called, and those of the networks named here."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self.allowed = tuple(allowed)

    def allows(self, address: Address) -> bool:
        """True where this address may be called; one inside another is judged by the inner one."""
        inner = inner_address(address)
        if any(inner in network for network in self.allowed):
            return True
        if any(inner in network for network in NOT_PUBLIC):
            return False
        return inner.is_global and not inner.is_multicast


def inner_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


class Name:
    """What is known of one name."""

    __slots__ = ("addresses", "ask_at", "avoided", "good_until", "looking", "turn", "why")

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.why = Detail.NAME_NOT_FOUND
        self.ask_at = float("-inf")  # when to ask the system again
        self.good_until = float("-inf")  # when the addresses are too old
        self.looking: asyncio.Task[None] | None = None
        self.turn = 0
        self.avoided: dict[str, float] = {}


class Resolver:
    """Asks the system for each name at most once per `ttl_s`, and never twice at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        guard: Guard,
        *,
        ttl_s: float = 30.0,
        stale_max_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop = loop
        self.guard = guard
        self.ttl_s = ttl_s
        self.stale_max_s = stale_max_s
        self.failed_ttl_s = min(5.0, ttl_s)
        self.clock = clock
        self.names: dict[str, Name] = {}

    async def resolve(self, host: str) -> list[str]:
        """Addresses of the host in the order to try them; `Unresolved` where there is none.

        An answer older than `ttl_s` is used once more while a new one is fetched; one older
        than `stale_max_s` is waited for.
        """
        try:
            literal = ip_address(host)
        except ValueError:
            pass
        else:
            if not self.guard.allows(literal):
                raise Unresolved(Detail.ADDRESS_NOT_ALLOWED)
            return [host]
        name = self.names.setdefault(host, Name())
        now = self.clock()
        if name.looking is None and now >= name.ask_at:
            name.looking = self.loop.create_task(self.look_up(host, name))
        if name.looking is not None and now >= name.good_until:
            await asyncio.shield(name.looking)
        if not name.addresses:
            raise Unresolved(name.why)
        return self.in_turn(name)

    def avoid(self, host: str, address: str) -> None:
        """Try this address of the host last for a while: it could not be reached."""
        name = self.names.get(host)
        if name is not None:
            name.avoided[address] = self.clock() + self.ttl_s

    async def close(self) -> None:
        """Stop every look-up; nothing is left running."""
        looking = [name.looking for name in self.names.values() if name.looking is not None]
        for task in looking:
            task.cancel()
        if looking:
            await asyncio.wait(looking)
        self.names.clear()

    def in_turn(self, name: Name) -> list[str]:
        """Every address once, beginning with another one each time, avoided ones last."""
        at = name.turn % len(name.addresses)
        name.turn += 1
        turned = [*name.addresses[at:], *name.addresses[:at]]
        if name.avoided:
            now = self.clock()
            name.avoided = {a: until for a, until in name.avoided.items() if until > now}
            turned.sort(key=name.avoided.__contains__)
        return turned

    async def look_up(self, host: str, name: Name) -> None:
        """Ask the system; where it fails, what was known stays until it is too old."""
        try:
            found = await self.loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        finally:
            name.looking = None
        now = self.clock()
        if found:
            addresses = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
            allowed = [a for a in addresses if self.guard.allows(ip_address(a))]
            name.addresses = tuple(allowed)
            name.why = Detail.ADDRESS_NOT_ALLOWED
            name.ask_at = now + self.ttl_s
            name.good_until = now + self.stale_max_s
            return
        name.ask_at = now + self.failed_ttl_s
        if now >= name.good_until:
            name.addresses = ()
            name.why = Detail.NAME_NOT_FOUND
