"""Names become addresses that may be called, and no others."""

import asyncio
from ipaddress import ip_address, ip_network

import pytest

from exchange.wire.call import Detail
from exchange.wire.resolver import Guard, Resolver, Unresolved

PUBLIC, OTHER, PRIVATE = "93.184.216.34", "93.184.216.35", "10.1.2.3"


class Names:
    """A loop's name service with a script; the rest is the running loop."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()

    def create_task(self, work):
        return asyncio.get_running_loop().create_task(work)

    async def getaddrinfo(self, host, _port, **_hints):
        self.asked.append(host)
        await self.gate.wait()
        found = self.answers.get(host, OSError("no such name"))
        if isinstance(found, Exception):
            raise found
        return [(None, None, None, "", (address, 0)) for address in found]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def resolver(names, clock=None, allowed=()):
    guard = Guard([ip_network(network) for network in allowed])
    return Resolver(names, guard, ttl_s=30.0, stale_max_s=300.0, clock=clock or Clock())


async def refused(work):
    with pytest.raises(Unresolved) as caught:
        await work
    return caught.value.why


async def settle(found):
    """Wait for the look-up that runs in the background."""
    for name in found.names.values():
        if name.looking is not None:
            await name.looking


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "5f00::1",
    ],
)
def test_addresses_outside_the_public_internet_are_refused(address):
    """Loopback, private, link-local, shared, multicast; also inside an IPv6 address."""
    assert not Guard().allows(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address):
    """What everyone can reach may be called."""
    assert Guard().allows(ip_address(address))


def test_a_named_network_is_allowed_and_nothing_beside_it():
    """The demo allows 127.0.0.0/8, and only that."""
    guard = Guard([ip_network("127.0.0.0/8"), ip_network("fd00::/8")])
    assert guard.allows(ip_address("127.9.9.9"))
    assert guard.allows(ip_address("::ffff:127.0.0.1"))
    assert guard.allows(ip_address("fd12::1"))
    assert not guard.allows(ip_address("10.0.0.1"))
    assert not guard.allows(ip_address("::1"))


async def test_a_literal_address_is_checked_and_never_looked_up():
    """An address in a URL passes the same guard as one from DNS."""
    names = Names()
    found = resolver(names, allowed=["127.0.0.0/8"])
    assert await found.resolve("127.0.0.1") == ["127.0.0.1"]
    assert await refused(found.resolve(PRIVATE)) is Detail.ADDRESS_NOT_ALLOWED
    assert await refused(found.resolve("::1")) is Detail.ADDRESS_NOT_ALLOWED
    assert names.asked == []


@pytest.mark.parametrize("host", ["evil.example", "127.1", "2130706433", "0x7f.1"])
async def test_a_name_for_an_inner_address_is_refused(host):
    """What a name resolves to is judged, not how it is written."""
    found = resolver(Names(**{host: ["127.0.0.1"]}))
    assert await refused(found.resolve(host)) is Detail.ADDRESS_NOT_ALLOWED


async def test_of_mixed_addresses_only_the_allowed_are_used():
    """A name may have a private address beside its public one."""
    found = resolver(Names(mixed=[PRIVATE, PUBLIC]))
    assert await found.resolve("mixed") == [PUBLIC]


async def test_addresses_take_turns_and_a_failed_one_goes_last():
    """Load is spread; an address that could not be reached is tried last until it has rested."""
    clock = Clock()
    found = resolver(Names(two=[PUBLIC, OTHER, PUBLIC]), clock)
    assert await found.resolve("two") == [PUBLIC, OTHER]
    assert await found.resolve("two") == [OTHER, PUBLIC]
    found.avoid("two", PUBLIC)
    assert await found.resolve("two") == [OTHER, PUBLIC]
    assert await found.resolve("two") == [OTHER, PUBLIC]
    clock.now += 31
    assert sorted([(await found.resolve("two"))[0], (await found.resolve("two"))[0]]) == [
        PUBLIC,
        OTHER,
    ]
    await settle(found)


async def test_a_name_is_looked_up_once_for_all_who_wait():
    """A hundred calls at once are one question."""
    names = Names(one=[PUBLIC])
    names.gate.clear()
    found = resolver(names)
    waiting = [asyncio.create_task(found.resolve("one")) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    names.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [[PUBLIC]] * 99
    assert names.asked == ["one"]


async def test_an_old_answer_is_used_while_a_new_one_is_fetched():
    """No call waits for a renewal; the next one sees it."""
    clock, names = Clock(), Names(one=[PUBLIC])
    found = resolver(names, clock)
    await found.resolve("one")
    clock.now += 29
    await found.resolve("one")
    assert names.asked == ["one"]
    names.answers["one"] = [OTHER]
    clock.now += 2
    assert await found.resolve("one") == [PUBLIC]
    await settle(found)
    assert await found.resolve("one") == [OTHER]
    assert names.asked == ["one", "one"]


async def test_a_failed_renewal_keeps_the_old_answer_until_it_is_too_old():
    """A name service that is down for a minute stops nothing; a name that is gone does end."""
    clock, names = Clock(), Names(one=[PUBLIC])
    found = resolver(names, clock)
    await found.resolve("one")
    del names.answers["one"]
    clock.now += 60
    assert await found.resolve("one") == [PUBLIC]
    await settle(found)
    assert await found.resolve("one") == [PUBLIC]
    assert len(names.asked) == 2
    clock.now += 300
    assert await refused(found.resolve("one")) is Detail.NAME_NOT_FOUND


async def test_an_unknown_name_is_remembered_for_a_moment():
    """A misspelt name costs one look-up in five seconds, not one a call."""
    clock, names = Clock(), Names()
    found = resolver(names, clock)
    for _ in range(5):
        assert await refused(found.resolve("gone")) is Detail.NAME_NOT_FOUND
    assert names.asked == ["gone"]
    clock.now += 5
    await refused(found.resolve("gone"))
    assert names.asked == ["gone", "gone"]


async def test_closing_leaves_no_look_up_behind():
    """A look-up under way is stopped, and whoever waits hears so."""
    names = Names(one=[PUBLIC])
    names.gate.clear()
    found = resolver(names)
    waiting = asyncio.create_task(found.resolve("one"))
    await asyncio.sleep(0)
    await found.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
