"""Pages are made once, escaped, and kept within bounds."""

import asyncio
import threading

import pytest

from exchange.web.pages.rendering import TEMPLATES, marked
from exchange.web.pages.representation import Representation
from exchange.web.pages.shelf import Shelf


async def test_a_page_that_many_ask_for_is_made_once_and_not_on_the_loop():
    """Ten callers at once get one rendering, made in another thread."""
    made = []

    def make():
        made.append(threading.current_thread())
        return Representation.of(b"page", "text/html")

    shelf = Shelf()
    pages = await asyncio.gather(*(shelf.get("a", make) for _ in range(10)))
    assert {page.body for page in pages} == {b"page"}
    assert len(made) == 1
    assert made[0] is not threading.current_thread()


async def test_a_page_that_failed_is_made_again():
    """A failure is its callers' own; the next one tries anew."""
    shelf = Shelf()

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await shelf.get("a", fail)
    page = await shelf.get("a", lambda: Representation.of(b"page", "text/html"))
    assert page.body == b"page"


async def test_who_hangs_up_leaves_the_page_to_the_others():
    """A cancelled caller cancels no rendering that somebody else waits for."""
    go_on = threading.Event()

    def make():
        go_on.wait(10)
        return Representation.of(b"page", "text/html")

    shelf = Shelf()
    first = asyncio.ensure_future(shelf.get("a", make))
    second = asyncio.ensure_future(shelf.get("a", make))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    go_on.set()
    assert (await second).body == b"page"


async def test_a_shelf_keeps_what_was_asked_for_last():
    """The page that nobody asked for longest goes first."""
    shelf = Shelf(kept_max=2)
    made = []

    def making(name):
        def make():
            made.append(name)
            return Representation.of(name.encode(), "text/html")

        return make

    for name in ("a", "b", "a", "c", "a", "b"):
        await shelf.get(name, making(name))
    assert made == ["a", "b", "c", "b"]


def test_what_stands_between_backticks_is_code_and_everything_is_escaped():
    """Words of the market never become markup."""
    assert marked("a `<b>` & `c") == "a <code>&lt;b&gt;</code> &amp; <code>c</code>"
    assert TEMPLATES.from_string("{{ word }}").render(word="<script>") == "&lt;script&gt;"
