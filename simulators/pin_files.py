"""The pins of a simulated board (edge/boards/simulated.py): files that hold what the emulated devices at them hold.

A contact's file holds 0 or 1, an ADC's microvolts, an I²C chip's the bytes that it answers as hexadecimal digits.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from device_profiles import wired
from simulators.device import EmulatedDevice

LOOK_S = 0.02


class PinFiles:
    """pins: file name -> (device, its point). Use it as `async with`; the folder is made where it is not there."""

    def __init__(self, *, folder: Path, pins: Mapping[str, tuple[EmulatedDevice, str]]) -> None:
        self._folder = folder
        self._pins = pins
        self._shown: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.show()
        self._task = asyncio.create_task(self._run(), name=f"pins {self._folder}")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def show(self) -> None:
        """Each file holds what its device holds now."""
        for name, (device, point) in self._pins.items():
            text = _text(device, point)
            if self._shown.get(name) != text:
                new = self._folder / f".{name}"  # a reader finds the old text or the new one
                new.write_text(text, encoding="ascii")
                new.replace(self._folder / name)
                self._shown[name] = text

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.show()


def _text(device: EmulatedDevice, point: str) -> str:
    at = device.points[point].i2c
    if at is None:
        return str(int(_raw(device, point)))
    together = [name for name, each in device.points.items() if each.i2c is not None and each.i2c.write == at.write]
    answer = bytes(at.read)
    for name in together:  # each raw holds its own number, and zeros beside it
        answer = bytes(mine | other for mine, other in zip(_raw_bytes(device, name), answer, strict=True))
    return answer.hex()


def _raw(device: EmulatedDevice, point: str) -> int | bool | bytes:
    wanted = device.wanted(point)
    assert not isinstance(wanted, str)
    return wired.raw(device.points[point], wanted)


def _raw_bytes(device: EmulatedDevice, point: str) -> bytes:
    raw = _raw(device, point)
    assert isinstance(raw, bytes)
    return raw
