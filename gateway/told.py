"""What one device tells, item by item -> readings of its points, reported by exception."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from device_profiles import items
from device_profiles.items import Raw, Value
from device_profiles.registers import NoValue
from device_profiles.schema import Point, Profile
from device_profiles.site_model import Device
from gateway.driver import OnReadings
from gateway.reading import Reading
from gateway.reports import SILENCE, Report
from protocols.errors import DeviceError

SILENT_AFTER = 3  # failures in a row
NOT_THERE = "disabled"  # the quality of an item that the device answers for all others but not for this

Answer = Mapping[str, Raw | DeviceError]


class Told:
    """One device. `where` names it in the log."""

    def __init__(self, *, device: Device, bus: str, profile: Profile, on_readings: OnReadings, log: Any) -> None:
        self.where = {"pole": device.pole, "bus": bus, "address": device.where, "profile": device.profile}
        self._device = device.id
        self._points = profile.points
        self._on_readings = on_readings
        self._log = log
        self._reports = {
            name: Report(deadband=point.deadband, silence=profile.polls[point.poll].silence)
            for name, point in profile.points.items()
        }
        self._latest_ms: dict[str, int] = {}
        self._failures = 0
        self._since = ""

    def points_of(self, group: str) -> dict[str, Point]:
        """The points of one poll group."""
        return {name: point for name, point in self._points.items() if point.poll == group}

    @property
    def silent(self) -> bool:
        """Whether it failed so often in a row that it is taken for dead."""
        return self._failures >= SILENT_AFTER

    def answered(self) -> None:
        """The device said something that could be understood."""
        if self.silent:
            self._log.info("answers again", **self.where, silent_since=self._since)
        self._failures = 0

    def failed(self, error: DeviceError) -> bool:
        """True from the third failure in a row on."""
        if self._failures == 0:
            self._since = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
        self._failures += 1
        if self._failures == SILENT_AFTER:
            self._log.warning("no answer", **self.where, since=self._since, error=str(error))
        return self.silent

    def tell(
        self, answer: Answer, points: Iterable[str], *, time_ms: int, now: float, whole: bool, again: bool = False
    ) -> dict[str, Value]:
        """Reports these points; now: seconds of a monotonic clock. Gives the values that came.

        whole: the answer should hold every point; where it does not, an item that is not in it says nothing.
        again: time_ms is the device's, which may send what is older than what it sent before.
        """
        values: dict[str, Value] = {}
        told: dict[bool, list[Reading]] = {True: [], False: []}
        for name in points:
            point = self._points[name]
            raw = answer.get(point.item.name) if point.item is not None else None
            if raw is None and not whole:
                continue
            value, quality = _decoded(point, raw)
            if value is not None:
                values[name] = value
            why = self._why(name, now, time_ms, value, quality, again)
            if why is not None:
                told[point.event and why != SILENCE].append((self._device, name, time_ms, value, quality))
        for event, readings in told.items():
            if readings:
                self._on_readings(readings, event)
        return values

    def missed(self, points: Iterable[str], quality: str, *, time_ms: int, now: float) -> None:
        """Reports that these points could not be read."""
        told: dict[bool, list[Reading]] = {True: [], False: []}
        for name in points:
            why = self._why(name, now, time_ms, None, quality)
            if why is not None:
                event = self._points[name].event and why != SILENCE
                told[event].append((self._device, name, time_ms, None, quality))
        for event, readings in told.items():
            if readings:
                self._on_readings(readings, event)

    def _why(
        self, name: str, now: float, time_ms: int, value: Value | None, quality: str | None, again: bool = False
    ) -> str | None:
        if again and time_ms < self._latest_ms.get(name, 0):
            return "late"  # a device that sends again what got lost fills a gap: exceptions do not apply
        self._latest_ms[name] = time_ms
        return self._reports[name].reason(now, value, quality)


def _decoded(point: Point, raw: Raw | DeviceError | None) -> tuple[Value | None, str | None]:
    if raw is None:
        return None, NOT_THERE
    if isinstance(raw, DeviceError):
        return None, raw.quality
    try:
        return items.value(point, raw), None
    except NoValue as reason:
        return None, str(reason)
