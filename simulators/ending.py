"""The end of an emulator's tasks, for certain."""

import asyncio

_AGAIN_S = 1.0


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancels until they are done: Python 3.11's wait_for, which libraries use, can lose a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
