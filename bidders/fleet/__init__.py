"""Any number of simulated buyers in one process, with prices, paces and faults from a seed."""

from bidders.fleet.books import Belief, Book, Received, Sale
from bidders.fleet.chance import Fixed, LogNormal, Uniform
from bidders.fleet.fleet import Fleet, Listening
from bidders.fleet.inventing import Faults, invent, one_of_each_fault, read_faults
from bidders.fleet.spec import (
    BuyerSpec,
    FleetSpec,
    PingFault,
    PostFault,
    Speaking,
    SpecError,
    load,
)

__all__ = [
    "Belief",
    "Book",
    "BuyerSpec",
    "Faults",
    "Fixed",
    "Fleet",
    "FleetSpec",
    "Listening",
    "LogNormal",
    "PingFault",
    "PostFault",
    "Received",
    "Sale",
    "Speaking",
    "SpecError",
    "Uniform",
    "invent",
    "load",
    "one_of_each_fault",
    "read_faults",
]
