"""Certifies an endpoint for the command line: text as it goes, a page, a line of JSON."""

from pathlib import Path

import msgspec

from bidders.certify.caller import Asking, ImpossibleError, calling
from bidders.certify.certificate import Certificate, certify
from bidders.certify.page import page
from bidders.certify.target import TargetError, Wanted, target_of
from bidders.certify.telling import line, text
from bidders.serving import report, tell
from exchange.telemetry.logs import configure_logging

ENCODER = msgspec.json.Encoder(decimal_format="number")


class Output(msgspec.Struct, frozen=True):
    """How a certificate is given out beside the text."""

    html: Path | None = None
    json: bool = False
    authorities: str | None = None
    """A file with the certificates that are trusted beside the system's."""


async def run(wanted: Wanted, output: Output) -> Certificate:
    """Certify; raises `TargetError` where it cannot begin, OSError where no page can be written."""
    configure_logging("WARNING")
    target = target_of(wanted)
    async with calling(target, output.authorities) as caller:
        try:
            caller.submission(Asking())
        except ImpossibleError as error:
            raise TargetError(f"the lead cannot be used, name another by --lead: {error}") from None
        found = await certify(caller, lambda result: tell(line(result)))
    tell(text(found))
    if output.html is not None:
        output.html.write_text(page(found), encoding="utf-8")
    if output.json:
        report(ENCODER.encode(found))
    return found
