"""The HTTP edge over real sockets, on the event loop that it is run on."""

import io
import json

import pytest
import structlog
import uvloop

from exchange.telemetry.logs import configure_logging
from tests.making_web import an_edge


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def edge():
    async with an_edge() as running:
        yield running


@pytest.fixture
def log_lines():
    """All that is logged while a test runs, as configured for production, line by line."""
    stream = io.BytesIO()
    configure_logging("debug", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
