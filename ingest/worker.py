"""Threads for blocking calls, so that the keep-alive goes on while disk or server is slow: SQLite has one, what is
asked of a server and gzip some."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ingest.errors import Unavailable

T = TypeVar("T")


class Worker:
    """So many calls at a time. One that outlasts its timeout goes on and keeps its thread; who has none waits."""

    def __init__(self, *, name: str, timeout_s: float = 30.0, threads: int = 1) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._running: set[asyncio.Future[Any]] = set()

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """The call's result. Raises what it raises, and Unavailable when it takes too long."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                while len(self._running) >= self._threads:
                    await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                future = loop.run_in_executor(self._executor, call, *args)
                self._running.add(future)
                future.add_done_callback(self._ended)
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise Unavailable(f"{self._name} did not answer within {self._timeout_s:g} s") from error

    async def close(self, call: Callable[[], None]) -> None:
        """Runs the last call and ends the thread."""
        try:
            await self.run(call)
        finally:
            self._executor.shutdown(wait=False)

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._running.discard(future)
        if not future.cancelled():
            future.exception()  # its caller may have gone, and asyncio would complain about what nobody looked at
