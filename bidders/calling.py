"""Calls a buyer's functions, plain or async, so that a slow one holds up nobody else."""

import inspect
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Threads:
    """Runs async functions on the loop and plain ones in up to `threads` threads of its own.

    A plain function may therefore run several times at once. One that was given up goes on in
    its thread to its end, one that had not begun never does.
    """

    def __init__(self, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="bidder")

    async def call(
        self, function: Callable[[Asked], Answer | Awaitable[Answer]], asked: Asked
    ) -> Answer:
        """Return what the function answers, whether it is async or plain."""
        if asynchronous(function):
            result = function(asked)
        else:
            result = await get_running_loop().run_in_executor(self.pool, function, asked)
        if inspect.isawaitable(result):
            return await result
        return result

    def close(self) -> None:
        """Begin nothing more, and wait for nothing; Python itself waits for threads at its exit."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def asynchronous(function: Callable[..., object]) -> bool:
    """Return whether calling it gives a coroutine, so that it need not leave the loop."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - not whether it can be called, but how
    )
