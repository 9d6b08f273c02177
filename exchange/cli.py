"""The command line: finds the command, hands it the settings, tells in one line what went wrong."""

import asyncio
import inspect
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from exchange.settings import load_settings

DISTRIBUTION = "ping-post-exchange"

COMMANDS = {
    "demo": ("exchange.commands.demo:demo", "Sell invented leads to simulated buyers, visibly."),
    "serve": ("exchange.commands.serve:serve", "Sell leads until told to stop."),
    "plan": ("exchange.commands.market:plan", "Show what applying market files would change."),
    "apply": ("exchange.commands.market:apply", "Make market files the market."),
    "export": ("exchange.commands.market:export", "Print the present market as a file."),
    "keys": ("exchange.commands.keys:keys", "Make keys, and secrets that sign calls."),
    "secrets": ("exchange.commands.secrets:secrets", "Set what mappings prove themselves with."),
    "try-door": (
        "exchange.commands.try_door:try_door",
        "Show what becomes of a seller's request, field by field.",
    ),
    "try-offer": (
        "exchange.commands.try_offer:try_offer",
        "Show or send the calls that one offer would get, as a test.",
    ),
    "feed": ("exchange.commands.feed:feed", "Sell the leads of a file, row by row, as a seller."),
    "spec": (
        "exchange.commands.spec:spec",
        "Write a campaign's posting spec, or an offer's, as a page, a schema or a link.",
    ),
    "reconcile": (
        "exchange.commands.reconcile:reconcile",
        "Compare market state with the ledger, and put it right.",
    ),
    "verify": (
        "exchange.commands.verify:verify",
        "Check that the record is as it was sealed.",
    ),
    "erase": (
        "exchange.commands.erase:erase",
        "Make a person unreadable for good, by lead, telephone or e-mail.",
    ),
    "replay": (
        "exchange.commands.replay:replay_command",
        "Sell recorded leads again under another market, and show what differs.",
    ),
    "report": (
        "exchange.commands.report:report",
        "Tell what expected value or learned floors changed, or how much came again.",
    ),
    "backup": ("exchange.commands.backup:backup", "Write the whole ledger into one file."),
    "restore": ("exchange.commands.backup:restore", "Read a ledger back from such a file."),
    "check": ("exchange.commands.check:check", "Check settings, stores and versions."),
}
"""Where each command is; a module is imported only for its own command, so that all start fast."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells expect it."""

cli = App(
    name="exchange",
    help="A real-time ping-post auction exchange for consumer leads.",
    version=lambda: version(DISTRIBUTION),
)
for name, (place, promise) in COMMANDS.items():
    cli.command(place, name=name, help=promise)


@cli.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Path | None = None,
) -> int | None:
    """Run one command.

    Parameters
    ----------
    config:
        A file with settings; config/exchange.toml says what each is for. EXCHANGE_… variables
        come before it.
    """
    command, bound, wanted = cli.parse_args(tokens)
    given: dict[str, Any] = {}
    if "settings" in wanted:
        given["settings"] = load_settings(config, os.environ)
    if "config" in wanted:
        given["config"] = config
    result = command(*bound.args, **bound.kwargs, **given)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result if isinstance(result, int) else None


def main() -> None:
    """Run the command that was typed; exit with 1 after an error that somebody can mend."""
    try:
        status = cli.meta(result_action="return_value", error_console=Console(stderr=True))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        from exchange.errors import explained

        message = explained(error)
        if message is None:
            raise
        print(message, file=sys.stderr)  # noqa: T201 - the command line speaks this way
        sys.exit(1)
    sys.exit(status)


if __name__ == "__main__":
    main()
