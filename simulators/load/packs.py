"""What the nodes of a load say: a birth, and packs of readings that any ingest takes, made for a microsecond each.

Each node stands on a pole of its own name, with as many weather stations as the readings need.
"""

import json
from collections.abc import Mapping

from device_profiles.announcement import announced
from device_profiles.schema import Profile
from wire import messages, topics

AREA = "load"  # readings of a load can be told from others by their area
PROFILE = "weather-8in1"
_ROWS = 64  # different rows of values; they follow one another


class Packs:
    """For packs of so many readings each. An epoch is a run: 8 lower-case hexadecimal digits."""

    def __init__(self, *, profiles: Mapping[str, Profile], readings: int, epoch: str) -> None:
        points = profiles[PROFILE].points
        self._names = list(points)
        self._ranges = [point.range for point in points.values()]
        self._profiles = profiles
        self._epoch = epoch
        self.readings = readings
        self.devices = [f"air-{number + 1}" for number in range(-(-readings // len(points)))]
        self._more_poles = len(self.devices) - 1
        self._rows = [self._row(row) for row in range(_ROWS)]

    def birth(self, node: str, now_ms: int) -> bytes:
        """Payload of up/birth."""
        devices = [(node, device, PROFILE) for device in self.devices]
        birth = {"ep": self._epoch, "version": "load", "time": now_ms} | announced(devices, self._profiles)
        return messages.encode(birth, messages.BIRTH)

    def pack(self, node: bytes, number: int, time_ms: int) -> bytes:
        """Payload of up/telemetry: pack `number` (from 1) with all of its readings at one time."""
        row = self._rows[number % _ROWS]
        if self._more_poles:
            return row % (node, time_ms // 1000, time_ms % 1000, number, *(node,) * self._more_poles)
        return row % (node, time_ms // 1000, time_ms % 1000, number)

    def _row(self, row: int) -> bytes:
        # a template: the pole, seconds, milliseconds, the pack's number; then the pole again for each further device
        records = [self._record(place, row) for place in range(self.readings)]
        return b"[" + b",".join(records) + b"]"

    def _record(self, place: int, row: int) -> bytes:
        device, point = divmod(place, len(self._names))
        head = b""
        if point == 0:
            head = b'"bn":"%%b/%b/",' % self.devices[device].encode()
        if place == 0:
            head += b'"bt":%%d.%%03d,"ep":"%b","sq":%%d,' % self._epoch.encode()
        return b'{%b"n":"%b","v":%b}' % (head, self._names[point].encode(), self._value(point, row + place))

    def _value(self, point: int, step: int) -> bytes:
        low, high = self._ranges[point] or (0.0, 1.0)
        return json.dumps(round(low + (high - low) * (0.25 + 0.5 * (step % _ROWS) / _ROWS), 2)).encode()


def topic(node: str, channel: str) -> bytes:
    return topics.up(AREA, node, channel).encode()


def heard(node: str) -> bytes:
    """What a node subscribes to."""
    return topics.down(AREA, node, "stored").encode()
