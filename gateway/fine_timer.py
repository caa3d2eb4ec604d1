"""Waits of a few milliseconds to a few microseconds. asyncio's own timers know whole milliseconds, and round up.

On a bus at 115200 baud that would cost every request a millisecond of ten. timerfd_create(2), which Python itself has
from 3.13 on; where there is none, asyncio's timers have to do.
"""

import asyncio
import ctypes
import os
import time

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
FINE_S = 0.1  # longer waits can bear a millisecond


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long), ("interval_ns", ctypes.c_long), ("s", ctypes.c_long), ("ns", ctypes.c_long),
    )  # fmt: skip


class FineTimer:
    """One wait at a time. Needs a running loop; close() it."""

    def __init__(self) -> None:
        self._spec = _Spec()
        self._over: asyncio.Future[None] | None = None
        self._libc = ctypes.CDLL(None)
        create = getattr(self._libc, "timerfd_create", None)
        self._fd = create(time.CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC) if create is not None else -1
        if self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._ring)

    async def sleep(self, seconds: float) -> None:
        if self._fd < 0 or not 0 < seconds < FINE_S:
            await asyncio.sleep(seconds)
            return
        self._over = asyncio.get_running_loop().create_future()
        self._spec.ns = max(1, int(seconds * 1e9))
        self._libc.timerfd_settime(self._fd, 0, ctypes.byref(self._spec), None)
        await self._over

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._ring_now()

    def _ring(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew meanwhile
            return
        self._ring_now()

    def _ring_now(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
