"""How long the nodes hear nothing while one thing happens to ingest and nothing else does."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

from bench.ingest_chaos_nodes import Nodes
from bench.ingest_chaos_processes import Ingest, send

QUIET_S = 5.0
MOST_S = 300.0  # for one of them to be over
STEADY_S = 3.0  # so long all must be well, for a thing to be over: longer than a worker needs to come up
LATE_S = 1.0  # a pack that waits longer is not well
LOOK_S = 0.1

Gaps = dict[str, dict[str, float]]


async def gaps(nodes: Nodes, ingest: Ingest) -> Gaps:
    """By what happened, in seconds. silence: the longest time without any confirmation; wait: the longest time that
    one pack waited for its own; took: until all was well again. Nothing else may be broken meanwhile.

    Raises RuntimeError where it does not become well.
    """
    scenes: dict[str, Callable[[], Awaitable[None]]] = {"nothing": lambda: asyncio.sleep(QUIET_S)}
    if ingest.several:
        scenes |= {
            "rolling restart": lambda: _rolled(ingest),
            "worker killed": lambda: _worker_killed(ingest),
            "watcher killed": lambda: _killed(ingest),
            "all killed": lambda: _all_killed(ingest),
            "poison pack": lambda: _poisoned(nodes),
        }
    else:
        scenes["ingest killed"] = lambda: _killed(ingest)
    return {name: await _measured(nodes, ingest, name, scene) for name, scene in scenes.items()}


async def _measured(nodes: Nodes, ingest: Ingest, name: str, scene: Callable[[], Awaitable[None]]) -> dict[str, float]:
    try:
        async with asyncio.timeout(MOST_S):
            await _well_again(nodes, ingest)
            began = time.monotonic()
            nodes.listen()
            await scene()
            took_s = await _well_again(nodes, ingest) - began
    except TimeoutError:
        raise RuntimeError(f"{name}: not all is well after {MOST_S:g} s") from None
    silence_s, wait_s = nodes.heard()
    return {"silence_s": round(silence_s, 2), "wait_s": round(wait_s, 2), "took_s": round(took_s, 1)}


async def _well_again(nodes: Nodes, ingest: Ingest) -> float:
    """Waits until all has been well for long enough, and tells since when."""
    well = time.monotonic()
    while (now := time.monotonic()) - well < STEADY_S:
        if not _all_is_well(nodes, ingest):
            well = now
        await asyncio.sleep(LOOK_S)
    return well


def _all_is_well(nodes: Nodes, ingest: Ingest) -> bool:
    return nodes.oldest_s < LATE_S and len(ingest.watched()) == (ingest.workers if ingest.several else 0)


async def _rolled(ingest: Ingest) -> None:
    before = {process.pid for process in ingest.watched()}
    ingest.roll()
    while before & {process.pid for process in ingest.watched()}:
        await asyncio.sleep(LOOK_S)


async def _worker_killed(ingest: Ingest) -> None:
    (one, *_) = ingest.watched()
    send(one.pid, signal.SIGKILL)
    while one in ingest.watched():
        await asyncio.sleep(LOOK_S)


async def _killed(ingest: Ingest) -> None:
    await asyncio.to_thread(ingest.kill)
    await asyncio.to_thread(ingest.start)
    while ingest.several and ingest.processes() != ingest.watched():  # some of the former are there
        await asyncio.sleep(LOOK_S)


async def _all_killed(ingest: Ingest) -> None:
    # as systemd and containers end what is left of one that was killed
    await asyncio.to_thread(ingest.end)
    await asyncio.to_thread(ingest.start)


async def _poisoned(nodes: Nodes) -> None:
    nodes.poison()
    while nodes.poison_waits:
        await asyncio.sleep(LOOK_S)
