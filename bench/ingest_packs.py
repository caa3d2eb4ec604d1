"""What the nodes of `pole bench ingest` say: packs that are all alike, or those of a city's poles.

A city's packs are like those that were counted on the wire (docs/bench-ingest.md): a pole of `pole fleet` says all
numbers and bools of its devices in a pack; gateways and controllers of `pole demo` read one device after the other, and
tell texts now and then; a device that does not answer is told as such.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple, Protocol

from device_profiles.announcement import announced
from device_profiles.schema import Point, Profile
from simulators.load.packs import Packs
from simulators.sensing.columns import columns
from simulators.sensing.scale import scale
from simulators.world.city_map import city_map
from simulators.world.kits import KITS
from wire import messages, packs

USUAL, LARGE, CITY = "10", "50", "city"  # mixes; those that are all alike are their number of readings
CITY_READINGS, CITY_LINES = 17, 4  # of its packs, on the average
ROWS = 40  # different packs of a kit; they follow one another
# Of so many packs one is of that kind. Of those on the wire 25 % had relative times (`pole demo`), and 3 % told of a
# device that did not answer (`pole fleet run --scenario sensor-rot`).
READ_IN_TURN, WITH_TEXTS, SILENT = 4, 10, 40
DEVICE_MS, LATE_MS = 60, 90  # from one device to the next, and to the last quarter of its points
_TEXTS = ("NoError", "Air quality good 空气优", "V1.0.0 build 261121", "EMU0001")
_TIME_MS = 1_763_683_200_000  # any that wire.packs takes

Devices = tuple[tuple[str, str], ...]  # name, profile
Value = float | bool | str | None
Told = tuple[str, str, int, Value, str | None]  # device, point, ms after the pack's time, value, quality


def named(mix: str) -> str:
    """A mix, for people."""
    return "a city's packs" if mix == CITY else f"packs of {mix}"


class Count(NamedTuple):
    """lines: of ingest's line protocol, one for each measurement, device and time, and for each bad quality.
    instants: times at which a device says something."""

    packs: int
    readings: int
    lines: int
    instants: int

    def __add__(self, other: "Count") -> "Count":  # type: ignore[override]
        return Count(*(mine + more for mine, more in zip(self, other, strict=True)))


class Maker(Protocol):
    """place: of a node in the list of all, from 0; number: of its pack, from 1."""

    def birth(self, place: int, node: str, now_ms: int) -> bytes: ...
    def pack(self, place: int, node: bytes, number: int, time_ms: int) -> bytes: ...
    def count(self, place: int, number: int) -> Count: ...


def maker(mix: str, *, profiles: Mapping[str, Profile], nodes: int, epoch: str) -> Maker:
    """mix: CITY, or a number of readings."""
    if mix == CITY:
        return City(profiles=profiles, nodes=nodes, epoch=epoch)
    return Alike(profiles=profiles, readings=int(mix), epoch=epoch)


class Alike:
    """So many readings of weather stations in each pack, at one time."""

    def __init__(self, *, profiles: Mapping[str, Profile], readings: int, epoch: str) -> None:
        self._packs = Packs(profiles=profiles, readings=readings, epoch=epoch)
        self._count = Count(1, readings, *(len(self._packs.devices),) * 2)

    def birth(self, place: int, node: str, now_ms: int) -> bytes:
        return self._packs.birth(node, now_ms)

    def pack(self, place: int, node: bytes, number: int, time_ms: int) -> bytes:
        return self._packs.pack(node, number, time_ms)

    def count(self, place: int, number: int) -> Count:
        return self._count


class City:
    """Each node is a pole of an invented city, with the devices of its kit."""

    def __init__(self, *, profiles: Mapping[str, Profile], nodes: int, epoch: str) -> None:
        self._profiles = profiles
        self._epoch = epoch
        self._kits: list[int] = city_map(seed=1, poles=nodes).kit.tolist()
        self._rows = {
            kit: [_Row(KITS[kit].devices, profiles, epoch, row) for row in range(ROWS)] for kit in set(self._kits)
        }

    def birth(self, place: int, node: str, now_ms: int) -> bytes:
        devices = [(node, device, profile) for device, profile in KITS[self._kits[place]].devices]
        birth = {"ep": self._epoch, "version": "load", "time": now_ms} | announced(devices, self._profiles)
        return messages.encode(birth, messages.BIRTH)

    def pack(self, place: int, node: bytes, number: int, time_ms: int) -> bytes:
        return self._row(place, number).payload(node, number, time_ms)

    def count(self, place: int, number: int) -> Count:
        return self._row(place, number).count

    def _row(self, place: int, number: int) -> "_Row":
        return self._rows[self._kits[place]][(place + number) % ROWS]


class _Row:
    """One pack as wire.packs writes it, with gaps for the pole, the number and the times."""

    def __init__(self, devices: Devices, profiles: Mapping[str, Profile], epoch: str, row: int) -> None:
        told = _told(devices, profiles, row)
        body = packs.encode(
            epoch, 1, [(f"P/{name}", point, _TIME_MS + ms, value, code) for name, point, ms, value, code in told]
        )
        for found, gap in ((b"%", b"%%"), (b'"bn":"P/', b'"bn":"%(pole)b/'), (b'"sq":1,', b'"sq":%(number)d,')):
            body = body.replace(found, gap)
        self._times: dict[bytes, int] = {}
        self._text = re.sub(rb'"bt":(\d+)\.(\d{3})', self._time, body)
        functions = {device: profiles[profile].function_of for device, profile in devices}
        good = [(device, ms, functions[device](point)) for device, point, ms, _, code in told if code is None]
        instants = [(device, ms) for device, _, ms, _, _ in told]
        lines = _changes(good) + len(told) - len(good)
        self.count = Count(1, len(told), lines, _changes(instants))

    def payload(self, pole: bytes, number: int, time_ms: int) -> bytes:
        gaps: dict[bytes, bytes | int] = {b"pole": pole, b"number": number}
        for name, ms in self._times.items():
            gaps[name] = b"%d.%03d" % divmod(time_ms + ms, 1000)
        return self._text % gaps

    def _time(self, found: re.Match[bytes]) -> bytes:
        ms = int(found[1] + found[2]) - _TIME_MS
        self._times[b"ms%d" % ms] = ms
        return b'"bt":%%(ms%d)b' % ms


def _changes(of: Iterable[object]) -> int:
    return sum(1 for _ in groupby(of))


def _told(devices: Devices, profiles: Mapping[str, Profile], row: int) -> list[Told]:
    in_turn, texts, silent = row % READ_IN_TURN == 0, row % WITH_TEXTS == 1, row % SILENT == 2
    out: list[Told] = []
    for number, (device, name) in enumerate(devices):
        profile = profiles[name]
        names = [column.point for column in columns(device, profile)]
        if texts:
            names += [point for point, each in profile.points.items() if each.kind == "text"]
        for place, point in enumerate(names):
            ms = in_turn * (number * DEVICE_MS + (4 * place >= 3 * len(names)) * LATE_MS)
            bad = silent and number == len(devices) - 1
            value = None if bad else _value(profile.points[point], row + place)
            out.append((device, point, ms, value, "timeout" if bad else None))
    return out


def _value(point: Point, step: int) -> Value:
    if point.kind == "text":
        return _TEXTS[step % len(_TEXTS)]
    share = 0.25 + 0.5 * (step * 7 % ROWS) / ROWS
    if point.kind == "bool":
        return share > 0.5
    low, high = point.range or (0.0, 100.0)
    return round(low + (high - low) * share, scale(point).decimals or None)
