"""A service runs until Ctrl-C or SIGTERM, and is then given the time to stop in order."""

import asyncio
import signal
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def until_stopped(service: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run service(stop); the first signal sets stop, a second one has its usual effect."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await service(stop)


def end(process: "subprocess.Popen[bytes]", *, seconds: float) -> None:
    """SIGTERM, so long to stop in order, then SIGKILL. Blocks."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_stoppable(work: Coroutine[Any, Any, Result]) -> Result | None:
    """Runs it in a loop of its own; None when Ctrl-C or SIGTERM ended it before. Raises what it raises."""
    done: list[Result] = []

    async def service(stop: asyncio.Event) -> None:
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            stopping.cancel()
            done.append(working.result())
        else:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    asyncio.run(until_stopped(service))
    return done[0] if done else None
