"""What a rehearsal says to the seller's engineer: each request as it comes, and the report."""

import msgspec

from bidders.rehearsal.acts import LOST
from bidders.rehearsal.judge import Note, Report, Weight
from bidders.rehearsal.rehearsal import Rehearsal, Stage
from bidders.rehearsal.visits import OK, Visit
from bidders.serving import ended, report, tell
from exchange.domain.counting import counted
from exchange.telemetry.logs import configure_logging

ENCODER = msgspec.json.Encoder()
NAMES = {Weight.FAULT: "FAULT", Weight.WARNING: "warning"}


def tell_visit(visit: Visit, notes: list[Note]) -> None:
    """Write one line for a request, and one for each oddity of it."""
    tell(line(visit))
    for note in notes:
        tell(f"      {NAMES[note.kind.weight]}: {note.text}")


def line(visit: Visit) -> str:
    """Return a request and its answer in words."""
    zip_code = "" if visit.scene is None else f" {visit.scene.zip}"
    asked = f"{visit.door}{f' {visit.format}' if visit.format else ''}{zip_code}"
    key = " with key" if visit.key else ""
    ms = (visit.ended_s - visit.at_s) * 1000
    return f"{visit.number:>4}  {asked}{key} → {answered(visit)}  ({ms:.0f} ms)"


def answered(visit: Visit) -> str:
    """Return what came back."""
    if visit.gone:
        return "it hung up before the answer"
    if visit.http == OK:
        told = " ".join(filter(None, (visit.lead_status, visit.price, visit.reason))) or "OK"
    else:
        told = f"{visit.http} {visit.problem or ''}".strip()
        if visit.retry_after_s is not None:
            told += f", Retry-After: {visit.retry_after_s:g}"
    return f"{told}, but the answer {visit.way.value}" if visit.way in LOST else told


def text(found: Report) -> str:
    """Return the report for people."""
    odd = f"{counted(found.faults, 'fault')}, {counted(found.warnings, 'warning')}"
    came = f"{counted(found.requests, 'request')}, {counted(found.leads, 'lead')}"
    lines = ["", f"{came}: {odd}."]
    lines += [
        f"  {NAMES[note.weight]} {note.kind}, {counted(note.count, 'time')},"
        f" first in request {note.first}:"
        f" {note.text}"
        for note in found.notes
    ]
    done, left = len(found.rehearsed), len(found.not_rehearsed)
    lines.append(f"{done} of {done + left} ZIP codes of the table were rehearsed.")
    if found.rehearsed and left:
        lines.append(f"Not yet: {' '.join(found.not_rehearsed)}")
    return "\n".join(lines)


async def run(stage: Stage, *, json: bool) -> Report:
    """Rehearse until the process is asked to end; raises OSError where the port is taken."""
    configure_logging("WARNING")
    rehearsal = Rehearsal(stage, tell_visit)
    async with rehearsal:
        where = {"base_url": rehearsal.base_url, "campaign": stage.campaign}
        if json:
            report(ENCODER.encode(where))
        tell(f"post leads to {rehearsal.base_url}/v1/leads, campaign {stage.campaign}")
        tell("with any key" if stage.key is None else "with the given key")
        tell(f"what is answered: {rehearsal.base_url}/   (Ctrl-C ends, and says what was odd)")
        await ended()
    found = rehearsal.judge.report()
    tell(text(found))
    if json:
        report(ENCODER.encode(found))
    return found
