"""What workers log as errors: a fault of theirs, unless it is what a lost lease has to say."""

import logging
from typing import Any

import structlog

EXPECTED = {"lease lost"}
heard: list[str] = []


def _hear(_logger: object, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    if event.get("event") not in EXPECTED:
        heard.append(", ".join(f"{name}={value!r}" for name, value in event.items()))
    raise structlog.DropEvent


def listen() -> None:
    """Hear errors from now on, and nothing below; nothing is printed."""
    heard.clear()
    structlog.configure(
        processors=[_hear],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=False,
    )
