"""A worker whose watcher is gone works on until the next watcher's worker of the same name takes its place."""

import asyncio
import os
import time
from collections.abc import Callable

import structlog

LOOK_S = 0.05  # before we would connect again to the broker, and take the session back
MOST_S = 10.0  # for the next watcher to be started, and its worker

log = structlog.get_logger("ingest")


async def stop_without(parent: int, *, waits: Callable[[], list[str]], stop: asyncio.Event) -> None:
    """Sets `stop` when the parent is gone and something is waited for, or nobody has come for MOST_S.

    Who takes our place takes over our session at the broker, so the broker is what we wait for then. One that is not
    connected yet stops at once.
    """
    while os.getppid() == parent:  # it may have gone before we came so far
        await asyncio.sleep(LOOK_S)
    log.warning("who watches this worker is gone: it works on until the next one's takes its place", most_s=MOST_S)
    ends = time.monotonic() + MOST_S
    while not waits() and time.monotonic() < ends:
        await asyncio.sleep(LOOK_S)
    stop.set()
