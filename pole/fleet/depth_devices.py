"""Devices on wires: they show what the world says, and tell what was done to them."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TextIO

from device_profiles.blocks import address
from device_profiles.schema import WORDS, Profile
from simulators.device import EmulatedDevice, Value, now_ms
from simulators.unit import Faults

Source = Callable[[str, int], Value]  # a point, ms since 1970 -> what it shows; None: nothing
# What a command changes in the world: (function, point) -> World.act's name.
ACTS = {
    ("lighting", "level"): "lamp_level",
    ("screen", "on"): "screen_on",
    ("screen", "brightness"): "screen_brightness",
    ("charging", "max_current"): "charger_current",
    ("charging", "enabled"): "charger_enabled",
}


class Acts:
    """What was done to devices, a JSON line each: {"time_ms", "device", "point", "value"}: from time_ms on the point
    holds the value, null: the world's again. Where the world feels it, the line has "act", and "step": it is in force
    from the step after that one.
    """

    def __init__(self, *, path: Path, act: Callable[[str, str, float], int | None]) -> None:
        """act: (pole, what, value) -> the world's step at this moment, None where it feels nothing."""
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._act = act

    def note(self, device: str, function: str, point: str, value: Value) -> None:
        line: dict[str, object] = {"time_ms": now_ms(), "device": device, "point": point, "value": value}
        what = ACTS.get((function, point))
        if what is not None and isinstance(value, bool | int | float):
            step = self._act(device.split("/")[0], what, float(value))
            line |= {} if step is None else {"act": what, "step": step}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class WireDevice(EmulatedDevice):
    """One device of a pole behind a gateway or a controller."""

    def __init__(
        self, *, profile: Profile, pole: str, name: str, acts: Acts, source: Source, seed: int, unit: int = 1
    ) -> None:
        super().__init__(profile=profile, pole=pole, name=name, unit=unit, seed=seed, source=source)
        self._acts = acts

    def entry(self, **bus: object) -> dict[str, object]:
        """As the site file has it, on this bus."""
        pole, name = self.name.split("/")
        channel = {"channel": self.channel} if self.modbus.channels > 1 else {}
        return {"pole": pole, "device": name, "profile": self.profile.profile, **bus, **channel}

    def hold(self, point: str, value: float | bool | str) -> None:
        super().hold(point, value)
        self._acts.note(self.name, self.profile.function_of(point), point, value)

    def release(self, point: str) -> None:
        super().release(point)
        self._acts.note(self.name, self.profile.function_of(point), point, None)


def unit_faults(device: EmulatedDevice, on: bool, mute: Collection[str]) -> Faults:
    """What is wrong with the unit of a Modbus device that has no power, or does not answer for some points."""
    places = set()
    for point in mute:
        at = device.points[point].at
        if at is not None:
            first = address(at, device.channel)
            places |= {(at.table, first + word) for word in range(WORDS[at.type])}
    return Faults(silent=not on, mute=frozenset(places))
