"""A certificate as text: a line for each check as it is made, then what to mend."""

from bidders.certify.certificate import Certificate, Exhibit, Result
from bidders.certify.check import Verdict

SIGNS = {
    Verdict.PASSED: "ok  ",
    Verdict.WARNED: "warn",
    Verdict.FAILED: "FAIL",
    Verdict.NOT_TRIED: "  - ",
}
CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))
"""What an endpoint sends must not steer the terminal that shows it; line feeds and tabs may."""


def plain(text: str) -> str:
    """Return a text without control characters."""
    return text.translate(CONTROLS)


def line(result: Result) -> str:
    """Return one check in one line."""
    said = f": {result.said}" if result.said else ""
    return plain(f"{SIGNS[result.verdict]} {result.id:<18} {result.title}{said}").replace("\n", " ")


def text(found: Certificate) -> str:
    """Return the end of a run: what to mend first, then what was better, and the count."""
    lines: list[str] = []
    for verdict in (Verdict.FAILED, Verdict.WARNED):
        for result in found.results:
            if result.verdict is verdict:
                lines += mending(result)
    lines += ["", summary(found)]
    return plain("\n".join(lines))


def mending(result: Result) -> list[str]:
    """Return all about one check that was not passed."""
    lines = [
        "",
        f"{SIGNS[result.verdict].strip()} {result.id} ({result.level}): {result.title}",
        f"  seen:  {result.said}",
        f"  why:   {result.why}",
        f"  mend:  {result.mend}",
    ]
    return [*lines, *(one for shown in result.exhibits for one in exhibit_lines(shown))]


def exhibit_lines(shown: Exhibit) -> list[str]:
    """Return one call."""
    lines = [f"  > {one}" for one in shown.request.splitlines()]
    if shown.answer is not None:
        lines += [f"  < {one}" for one in shown.answer.splitlines()]
    return [*lines, f"  = {shown.read}"]


def summary(found: Certificate) -> str:
    """Return what the run came to in one sentence."""
    counts = (
        f"{found.passed} passed, {found.warned} warned, {found.failed} failed, "
        f"{found.not_tried} not tried"
    )
    return f"{'certified' if found.certified else 'NOT certified'}: {counts}"
