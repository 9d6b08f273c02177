"""The table of scenes for readers: in Markdown for docs/rehearsal.md, as a page at `/`."""

import html
import re

from bidders.rehearsal.scenes import OTHERWISE, SCENES, Scene

HEAD = ("ZIP code", "is answered", "and then")

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem }
th, td { border-bottom: 1px solid #8886 }
td:first-child, code, pre { font-family: ui-monospace, monospace; font-size: .92em }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8886 }
.table { overflow-x: auto }
"""


def rows() -> tuple[Scene, ...]:
    """Return all scenes, and what is answered beside them."""
    return (*SCENES, OTHERWISE)


def markdown() -> str:
    """Return the table as docs/rehearsal.md shows it."""
    lines = [HEAD, ("---",) * len(HEAD), *((s.zip, str(s), s.do) for s in rows())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(campaign: str, vertical: str) -> str:
    """Return the table as a page that needs nothing else."""
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    body = "".join(
        f"<tr><td>{scene.zip}</td><td>{coded(str(scene))}</td><td>{coded(scene.do)}</td></tr>\n"
        for scene in rows()
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Rehearsal</title><style>{STYLE}</style>
<h1>A rehearsal for sellers</h1>
<p>Leads of <code>{html.escape(vertical)}</code> into <code>{html.escape(campaign)}</code>.
What becomes of one is chosen by its ZIP code. Nothing is sold, nothing is kept, nobody is called.
How to send one: <a href="/docs">/docs</a>.</p>
<div class="table"><table><thead><tr>{head}</tr></thead>
<tbody>{body}</tbody></table></div>
</html>
"""


def coded(text: str) -> str:
    """Return Markdown's code as HTML's."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
