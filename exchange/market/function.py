"""The Lua functions, each a file of its own beside this module.

Every one of them is idempotent, by sale id, lead id or by what it does, so any call may be sent a
second time after its connection broke: what the first one did, the second one finds done. Only a
turn of a rate is taken anew, which pings less often than allowed, never more.
"""

import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files

import hiredis
import msgspec

Part = str | bytes | int
"""What a command is made of; text goes as UTF-8, a number as its digits."""


def pack(*parts: Part) -> bytes:
    """Return one command as the server reads it."""
    packed: bytes = hiredis.pack_command(parts)  # type: ignore[arg-type]  # its stub names a tuple of one
    return packed


class Function(msgspec.Struct, frozen=True):
    """One Lua function, known to the server by the digest of its source."""

    name: str
    source: bytes
    digest: bytes

    @classmethod
    def read(cls, name: str) -> "Function":
        """Return the function in the file of this name."""
        source = files(__package__).joinpath(f"{name}.lua").read_bytes()
        # The server's own choice of a name for it; nothing is kept safe by this digest.
        digest = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
        return cls(name, source, digest)

    def pack_call(self, keys: Sequence[str], arguments: Iterable[Part]) -> bytes:
        """Return the bytes that call it."""
        # Not through `pack`: this is done for every call.
        parts = (b"EVALSHA", self.digest, len(keys), *keys, *arguments)
        packed: bytes = hiredis.pack_command(parts)  # type: ignore[arg-type]  # as in `pack`
        return packed

    def pack_each(self, keys: Iterable[str]) -> bytes:
        """Return the bytes that call it once for each of these keys, one key a call."""
        return b"".join([self.pack_call((key,), ()) for key in keys])

    def pack_load(self) -> bytes:
        """Return the bytes that make the server know it."""
        return pack(b"SCRIPT", b"LOAD", self.source)


CLAIM = Function.read("claim")
LOOK_UP = Function.read("look_up")
KEEP_CLAIM = Function.read("keep_claim")
UNCLAIM = Function.read("unclaim")

HOLD = Function.read("hold")
SETTLE = Function.read("settle")
RELEASE = Function.read("release")
EXTEND = Function.read("extend")
LAPSED = Function.read("lapsed")
GIVE_BACK = Function.read("give_back")

COUNTERS = Function.read("counters")
HOLDS = Function.read("holds")
PRUNE = Function.read("prune")
ENROL = Function.read("enrol")
ENROLLED = Function.read("enrolled")

REMEMBER = Function.read("remember")
BOUGHT_BY = Function.read("bought_by")

TURN = Function.read("turn")
RATE = Function.read("rate")
QUOTED = Function.read("quoted")
KEEP_QUOTE = Function.read("keep_quote")

BEGIN = Function.read("begin")
AWAIT = Function.read("await")
FINISH = Function.read("finish")
FORGET = Function.read("forget")

EPOCH = Function.read("epoch")
SHUT = Function.read("shut")
OPEN = Function.read("open")
CLOSE = Function.read("close")
STANDING = Function.read("standing")
RESTORE = Function.read("restore")
HOLDERS = Function.read("holders")
OWNER = Function.read("owner")
RECALL = Function.read("recall")

FUNCTIONS = (
    CLAIM,
    LOOK_UP,
    KEEP_CLAIM,
    UNCLAIM,
    HOLD,
    SETTLE,
    RELEASE,
    EXTEND,
    LAPSED,
    GIVE_BACK,
    COUNTERS,
    HOLDS,
    PRUNE,
    ENROL,
    ENROLLED,
    REMEMBER,
    BOUGHT_BY,
    TURN,
    RATE,
    QUOTED,
    KEEP_QUOTE,
    BEGIN,
    AWAIT,
    FINISH,
    FORGET,
    EPOCH,
    SHUT,
    OPEN,
    CLOSE,
    STANDING,
    RESTORE,
    HOLDERS,
    OWNER,
    RECALL,
)
