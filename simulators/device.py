"""An emulated device: a profile's points become register words or items that move, and it remembers what it held when.

held(point, time)  <-  pinned (a command, a freeze, a test's hand)
                       or else  the source (a world that the device stands in)  or else  the wave of (seed, point, tick)
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator

from device_profiles import items, registers, wired
from device_profiles.blocks import address
from device_profiles.schema import Location, ModbusDefaults, Point, Profile
from simulators import wave

Value = int | float | bool | str | None  # None: the words hold no valid value
Image = dict[tuple[str, int], int]  # (table, address) -> word or bit

_PINS_KEPT = 10_000  # per point; commands and faults are rare, so this is days of them


def now_ms() -> int:
    """Milliseconds since 1970 UTC: the clock that gateways stamp their readings with."""
    return time.time_ns() // 1_000_000


class EmulatedDevice:
    """One device of a site. Its values are step functions of time: they change at each tick and never between."""

    def __init__(
        self,
        *,
        profile: Profile,
        pole: str,
        name: str,
        unit: int | None = None,
        address: str = "",
        channel: int = 0,
        seed: int = 0,
        tick_ms: int = 1000,
        clock: Callable[[], int] = now_ms,
        source: Callable[[str, int], Value] | None = None,
    ) -> None:
        """address: where a device answers that is not a Modbus device. source: (point, ms since 1970) -> what the point
        is to hold, None where it does not say. Raises ValueError where the emulation of a point does not fit its
        registers or its item, or the profile is a gateway's."""
        if profile.protocol == "gateway":
            raise ValueError(f"profile {profile.profile}: a gateway is not emulated, it is run")
        self.profile = profile
        self.modbus: ModbusDefaults = profile.modbus or ModbusDefaults.model_validate({})
        self.unit = self.modbus.unit if unit is None else unit
        self.address = address
        self.channel = channel
        self.name = f"{pole}/{name}"
        self._seed = f"{seed}/{self.name}"
        self._tick_ms = tick_ms
        self._clock = clock
        self._source = source
        self.points: dict[str, Point] = dict(profile.points)
        self._moves = {key: wave.movement(point) for key, point in self.points.items()}
        self._pins: dict[str, list[tuple[int, Value]]] = {}  # from when, value; None: the wave again
        self._frozen: dict[str, Value] = {}  # point -> the pin that a freeze covers
        self._image: Image = {}
        self._image_tick = -1
        self._check()

    def value(self, point: str) -> Value:
        """What the point holds now, exactly as its registers say it."""
        return self._held_at(point, self._clock())

    def wanted(self, point: str) -> float | bool | str:
        """What the point would hold now if its registers, or its item, could say it exactly."""
        return self._wanted_at(point, self._clock())

    def held(self, point: str, time_ms: int, tolerance_ms: int = 0) -> set[Value]:
        """Every value that the point held between time_ms - tolerance_ms and time_ms + tolerance_ms."""
        return set(self._held_between(point, time_ms - tolerance_ms, time_ms + tolerance_ms))

    def hold(self, point: str, value: float | bool | str) -> None:
        """From now on the point holds this value: what a command, or a hand at the device, does."""
        self._fits(point, value)
        if point in self._frozen:
            self._frozen[point] = value
        else:
            self._pin(point, value)

    def release(self, point: str) -> None:
        """The point moves by itself again."""
        if point in self._frozen:
            self._frozen[point] = None
        else:
            self._pin(point, None)

    def freeze(self, point: str | None = None) -> None:
        """A point (or all) sticks at what it holds now, whatever is commanded."""
        for key in [point] if point is not None else list(self.points):
            if key not in self._frozen:
                value = self.value(key)
                self._frozen[key] = self._pinned_at(key, self._clock())
                self._pin(key, value)

    def thaw(self, point: str | None = None) -> None:
        """The end of a freeze."""
        for key in [point] if point is not None else list(self._frozen):
            if key in self._frozen:
                self._pin(key, self._frozen.pop(key))

    def image(self) -> Image:
        """All words and bits that the device holds now."""
        now = self._clock()
        if now // self._tick_ms != self._image_tick:
            self._image = self._image_at(now)
            self._image_tick = now // self._tick_ms
        return self._image

    def raws(self) -> dict[str, int | float | bool | str]:
        """What a device that is not a Modbus device would say now: item name -> raw."""
        now = self._clock()
        return {
            point.item.name: items.raw(point.item, self._wanted_at(key, now))
            for key, point in self.points.items()
            if point.item is not None
        }

    def commands_at(self) -> Iterator[tuple[str, Location, int]]:
        """(command, its location, its address on this channel)."""
        for key, command in self.profile.commands.items():
            if command.write is not None:
                yield key, command.write, address(command.write, self.channel)

    def command(self, name: str, argument: float | bool | str | None = None) -> None:
        """What the device does when it is told to: the read-back follows. Raises ValueError where out of range."""
        command = self.profile.commands[name]
        for allowed in command.args.values():
            size, bounds = (
                (len(str(argument)), allowed.length) if allowed.length else (float(argument or 0), allowed.range)
            )
            assert bounds is not None
            if not bounds[0] <= size <= bounds[1]:
                raise ValueError(f"{self.name} {name}: {argument} is not in {bounds[0]} to {bounds[1]}")
        shown = argument if command.expect is None else command.expect
        if command.read_back is not None and shown is not None:
            self.hold(command.read_back, shown)

    def _image_at(self, time_ms: int) -> Image:
        image: Image = {}
        for command in self.profile.commands.values():
            if command.write is not None and command.read_back is not None:
                self._put(image, command.write, self._written(command.read_back, command.write, time_ms))
        at_points: Image = {}
        for key, point in self.points.items():
            if point.at is not None:
                self._put(at_points, point.at, registers.words(point.at, _number(self._wanted_at(key, time_ms))))
        return image | at_points

    def _put(self, image: Image, at: Location, words: list[int]) -> None:
        for index, word in enumerate(words):
            place = (at.table, address(at, self.channel) + index)
            image[place] = image.get(place, 0) | word if at.bit is not None else word

    def _written(self, read_back: str, at: Location, time_ms: int) -> list[int]:
        # a register that is written reads as what is in force
        try:
            return registers.words(at, _number(self._wanted_at(read_back, time_ms)))
        except ValueError:
            return [0]

    def _held_between(self, point: str, first_ms: int, last_ms: int) -> Iterator[Value]:
        edges = [start for start, _ in self._pins.get(point, ()) if first_ms < start <= last_ms]
        for start, end in zip([first_ms, *edges], [*(edge - 1 for edge in edges), last_ms], strict=True):
            yield self._held_at(point, start)
            if self._pinned_at(point, start) is None:
                for tick in range(start // self._tick_ms + 1, end // self._tick_ms + 1):
                    yield self._held_at(point, tick * self._tick_ms)

    def _held_at(self, point: str, time_ms: int) -> Value:
        asked, wanted = self.points[point], self._wanted_at(point, time_ms)
        try:
            if asked.at is not None:
                return registers.value(asked, registers.words(asked.at, _number(wanted)))
            if asked.item is not None:
                return items.value(asked, items.raw(asked.item, wanted))
            return wired.value(asked, wired.raw(asked, _number(wanted)))
        except registers.NoValue:
            return None

    def _wanted_at(self, point: str, time_ms: int) -> float | bool | str:
        pinned = self._pinned_at(point, time_ms)
        if pinned is not None:
            return pinned
        tick = time_ms // self._tick_ms
        told = self._source(point, time_ms) if self._source is not None else None
        if told is not None:
            return told
        return wave.wanted(self.points[point], self._moves[point], self._seed, point, tick * self._tick_ms)

    def _pinned_at(self, point: str, time_ms: int) -> Value:
        pins = self._pins.get(point)
        if not pins:
            return None
        index = bisect_right(pins, time_ms, key=lambda pin: pin[0])
        return pins[index - 1][1] if index else None

    def _pin(self, point: str, value: Value) -> None:
        pins = self._pins.setdefault(point, [])
        pins.append((self._clock(), value))
        if len(pins) > _PINS_KEPT:
            del pins[0]
        self._image_tick = -1

    def _check(self) -> None:
        for key, point in self.points.items():
            if point.kind == "text":
                continue
            move = self._moves[key]
            for value in (move.around - move.swing - move.noise, move.around + move.swing + move.noise):
                self._fits(key, wave.clipped(point, value))

    def _fits(self, key: str, value: float | bool | str) -> None:
        point = self.points[key]
        try:
            if point.at is not None:
                registers.words(point.at, _number(value))
            elif point.item is not None and point.item.type == "number":
                items.raw(point.item, value)
            elif self.profile.protocol == "wired":
                wired.raw(point, _number(value))
        except ValueError as error:
            raise ValueError(f"profile {self.profile.profile}, point {key}: {error}") from error


def _number(value: float | bool | str) -> float | bool:
    """A register, or a pin, holds no text."""
    assert not isinstance(value, str)
    return value
