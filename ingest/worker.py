"""One thread for blocking calls (SQLite, HTTP), so that the keep-alive goes on while a disk or a server is slow."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ingest.errors import Unavailable

T = TypeVar("T")


class Worker:
    """Calls run one after the other. A call that outlasts its timeout goes on, and the next one waits for it."""

    def __init__(self, *, name: str, timeout_s: float = 30.0) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._running: asyncio.Future[Any] | None = None

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """The call's result. Raises what it raises, and Unavailable when it takes too long."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._running is not None and not self._running.done():
                    await asyncio.wait([self._running])
                future = loop.run_in_executor(self._executor, call, *args)
                future.add_done_callback(_retrieve)
                self._running = future
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise Unavailable(f"{self._name} did not answer within {self._timeout_s:g} s") from error

    async def close(self, call: Callable[[], None]) -> None:
        """Runs the last call and ends the thread."""
        try:
            await self.run(call)
        finally:
            self._executor.shutdown(wait=False)


def _retrieve(future: asyncio.Future[Any]) -> None:
    # A call whose caller has gone: its exception is of no use to anyone, and asyncio would complain about it.
    if not future.cancelled():
        future.exception()
