"""A fleet is described in TOML or on the command line, and mistakes are named."""

from pathlib import Path

import pytest

import bidders
from bidders.fleet import (
    BuyerSpec,
    PingFault,
    PostFault,
    Speaking,
    SpecError,
    invent,
    load,
    one_of_each_fault,
    read_faults,
)

DEMO = Path(bidders.__file__).with_name("demo.toml")


def test_the_demo_fleet_has_eighteen_buyers_of_four_verticals_with_faults():
    """It is what the demo promises, and every share in it is sound; four speak other words."""
    spec = load(DEMO)
    assert len(spec.buyer) == 18
    verticals = {"auto_insurance", "solar", "home_services", "legal"}
    assert {buyer.vertical for buyer in spec.buyer} == verticals
    assert {buyer.speaks for buyer in spec.buyer} == set(Speaking)
    assert all(buyer.name for buyer in spec.buyer)
    ping_faults = {fault for buyer in spec.buyer for fault in buyer.ping_faults}
    post_faults = {fault for buyer in spec.buyer for fault in buyer.post_faults}
    assert {PingFault.SLOW, PingFault.SILENT, PingFault.DRIPPING, PingFault.GARBAGE} <= ping_faults
    assert {PostFault.REFUSING, PostFault.LATE, PostFault.NEVER} <= post_faults


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("buyer = ", "Invalid value"),
        ("", "buyer"),
        ("buyer = []", "at least one"),
        ('[[buyer]]\nid = "a b"', "a b"),
        ('[[buyer]]\nid = "_fleet"', "_fleet"),
        ('[[buyer]]\nid = "a"\n[[buyer]]\nid = "a"', "twice"),
        ('[[buyer]]\nid = "a"\ncolour = "red"', "colour"),
        ('[[buyer]]\nid = "a"\nping_faults = { sloow = 0.1 }', "sloow"),
        ('[[buyer]]\nid = "a"\nping_faults = { slow = 0.7, silent = 0.4 }', "at most 1"),
        ('[[buyer]]\nid = "a"\npost_faults = { never = -0.1 }', "at most 1"),
        ('[[buyer]]\nid = "a"\nbids = 1.5', "between 0 and 1"),
        ('[[buyer]]\nid = "a"\nprice = { shape = "normal", median = 3 }', "normal"),
    ],
)
def test_a_mistake_in_a_fleet_file_is_named(tmp_path, text, complaint):
    """The message has the file and what is wrong in it."""
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=complaint) as caught:
        load(path)
    assert "fleet.toml" in str(caught.value)


def test_a_fleet_file_that_is_not_there_or_not_text_is_named(tmp_path):
    """No traceback for a wrong path."""
    with pytest.raises(SpecError, match="No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"binary\.toml"):
        load(tmp_path / "binary.toml")


def test_an_invented_fleet_is_the_seeds_and_its_first_buyers_stay_when_it_grows():
    """Twenty buyers begin with the same eighteen; another seed has others."""
    assert invent(20, seed=3)[:12] == invent(12, seed=3)
    assert invent(12, seed=3) != invent(12, seed=4)
    assert len({buyer.id for buyer in invent(20, seed=3)}) == 20


def test_faults_are_read_from_one_word_or_many():
    """The command line's text becomes shares."""
    faults = read_faults("ping.slow=0.05, post.never=0.01")
    assert (faults.ping, faults.post) == ({PingFault.SLOW: 0.05}, {PostFault.NEVER: 0.01})
    assert read_faults("none").ping == {}
    every = read_faults("all=0.01,ping.nan=0.2")
    assert set(every.ping) == set(PingFault)
    assert set(every.post) == set(PostFault)
    assert every.ping[PingFault.NAN] == 0.2


@pytest.mark.parametrize("text", ["", "slow", "slow=0.1", "ping.never=0.1", "ping.slow=much"])
def test_an_unknown_fault_is_refused(text):
    """Names are told from one another by ping and post."""
    with pytest.raises(SpecError):
        read_faults(text)


def test_there_is_a_buyer_for_every_fault():
    """Nothing that the fleet can do wrong is missing from a full test."""
    specs = one_of_each_fault(BuyerSpec(id="like", drip_ms=7))
    assert len(specs) == len(PingFault) + len(PostFault)
    assert {spec.drip_ms for spec in specs} == {7}
