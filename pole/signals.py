"""A service runs until Ctrl-C or SIGTERM, and is then given the time to stop in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable


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
