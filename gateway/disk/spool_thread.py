"""A spool on a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.disk.spool import Spool

T = TypeVar("T")


class SpoolThread:
    """The one thread on which a spool is used, so that a sync on a slow card stops nothing else."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    async def run(self, call: Callable[[Spool], T]) -> T:
        """call(spool) on the thread; its result or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, self.spool)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self.spool.close()
