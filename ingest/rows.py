"""What goes into a store: rows of readings, and one line of the pack ledger for each pack."""

from collections.abc import Iterable
from typing import NamedTuple

Value = float | bool | str | None

# What a store tells: function, area, pole, device, point, time_ms, value, quality. The value is a float, bool or str,
# or None where there is a quality. Whole numbers are floats too: a field of InfluxDB keeps the type of its first value.
Row = tuple[str, str, str, str, str, int, Value, str | None]


class Place:
    """A device on its pole: one object for each, so that it is its own key. heads: text that a store keeps with it."""

    __slots__ = ("area", "device", "heads", "pole")

    def __init__(self, area: str, pole: str, device: str) -> None:
        self.area = area
        self.pole = pole
        self.device = device
        self.heads: dict[str, str] = {}  # by function


class Rule:
    """What is known of a point, shared by all devices of its profile. low and high are in its unit; None where its
    profile is unknown or has no range."""

    __slots__ = ("field", "function", "high", "low", "point", "unit")

    def __init__(self, point: str, function: str, unit: str, low: float | None, high: float | None) -> None:
        self.point = point
        self.function = function
        self.unit = unit
        self.low = low
        self.high = high
        self.field = ""  # text that a store keeps with it

    @property
    def facts(self) -> tuple[str, str, float | None, float | None]:
        """All but its name, for a file."""
        return self.function, self.unit, self.low, self.high


# What is to be stored: as Row, its names held by the two objects that all readings of a device and a point share.
Reading = tuple[Place, Rule, int, Value, str | None]


def named(reading: Reading) -> Row:
    """The same with its names."""
    place, rule, time_ms, value, quality = reading
    return rule.function, place.area, place.pole, place.device, rule.point, time_ms, value, quality


LANES = 16  # packs of one lane follow each other by 16 numbers, so two never share the time of one point


class Names:
    """Places and rules for those who have names: the same object for the same name."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], Place] = {}
        self._rules: dict[tuple[str, str], Rule] = {}

    def place(self, area: str, pole: str, device: str) -> Place:
        """Of a device."""
        key = area, pole, device
        return self._places.setdefault(key, self._places.get(key) or Place(*key))

    def rule(self, function: str, point: str) -> Rule:
        """Of a point, without unit and range."""
        key = function, point
        return self._rules.setdefault(key, self._rules.get(key) or Rule(point, function, "", None, None))

    def readings(self, rows: Iterable[Row]) -> list[Reading]:
        """Rows -> what a store takes."""
        return [
            (self.place(area, pole, device), self.rule(function, point), time_ms, value, quality)
            for function, area, pole, device, point, time_ms, value, quality in rows
        ]


class Ledger(NamedTuple):
    """One pack in the database. readings and refused count its records, latency_ms is the age of its oldest
    reading, so that no reading of it was later."""

    area: str
    node: str
    epoch: str
    number: int
    readings: int
    refused: int
    latency_ms: int
    time_ms: int


class Counts(NamedTuple):
    """What a store holds: points with a value, points of bad quality, packs, and the readings of those packs."""

    points: int
    qualities: int
    packs: int
    readings: int
    refused: int


class Packs(NamedTuple):
    """What the ledger holds of one spool epoch of one node; ranges ascend, [[first, last], …]."""

    area: str
    node: str
    epoch: str
    ranges: list[list[int]]
    readings: int
    refused: int
    newest_ms: int
