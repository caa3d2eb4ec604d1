"""What goes into a store: what devices said at one instant, and one line of the pack ledger for each pack."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from wire.numbers import EXACT_INTEGER

# What a store tells: function, area, pole, device, point, time_ms, value, quality. The value is a float, bool or str,
# or None where there is a quality. Whole numbers are floats too: a field of InfluxDB keeps the type of its first value.
Row = tuple[str, str, str, str, str, int, float | bool | str | None, str | None]

OWN = ("pack", "quality")  # measurements that are no function: the ledger, and readings without a value

_EXACT = EXACT_INTEGER - 1
REMEMBERED = 5_000  # steps of one profile; a node that tells its points in ever new orders must not fill us
RULES = 4  # in what is told at the end of a way, with their text, take the room of a step; and so does each shape


class Bad(str):
    """The code of a bad quality, where a value would stand."""

    __slots__ = ()


Value = float | bool | str | Bad


class Place:
    """A device on its pole: one object for each, so that it is its own key. tags: text that a store keeps with it."""

    __slots__ = ("area", "device", "pole", "tags")

    def __init__(self, area: str, pole: str, device: str) -> None:
        self.area = area
        self.pole = pole
        self.device = device
        self.tags = ""


class Rule:
    """What is known of a point, shared by all devices of its profile. low and high are in its unit; None where its
    profile is unknown or has no range. least and most bound what is read fast: beyond an exact integer a float can no
    longer tell whether it was one."""

    __slots__ = ("function", "high", "least", "low", "most", "point", "unit")

    def __init__(self, point: str, function: str, unit: str, low: float | None, high: float | None) -> None:
        self.point = point
        self.function = function
        self.unit = unit
        self.low = low
        self.high = high
        self.least = -_EXACT if low is None else max(low, -_EXACT)
        self.most = _EXACT if high is None else min(high, _EXACT)

    @property
    def facts(self) -> tuple[str, str, float | None, float | None]:
        """All but its name, for a file."""
        return self.function, self.unit, self.low, self.high


class Shape:
    """Points of one function that a device tells together. line: text that a store keeps with it."""

    __slots__ = ("function", "line", "rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.function = rules[0].function
        self.line = ""


# What a device said at one instant: ms since 1970, the value of each point, and whether none is a text or bad.
Run = tuple[Place, Shape, int, list[Value], bool]
Reading = tuple[Place, Rule, int, Value]


def _line_of(rule: Rule) -> tuple[str, bool]:
    # InfluxDB leaves a field "time" out of a line without a word; alone in its line it refuses it, and that we hear.
    return rule.function, rule.point == "time"


_NONE = Rule("", "", "", None, None)  # the step before the first
_Told = tuple[()] | tuple[Rule, "_Told"]  # the latest, and those before it


class Step(dict[str, "Step"]):
    """Where a device stands that has told some of its points: what it tells next is the next step.

    Devices of a profile tell the same points again and again, in few orders: the way is made once, and at its end
    stands what was told, without a list of it. shape: the only one, or None where it has not been looked for, or there
    are several.
    """

    __slots__ = ("_points", "_shapes", "_told", "least", "most", "rule", "shape")

    def __init__(self, points: "Points", rule: Rule, told: _Told = ()) -> None:
        super().__init__()
        self.rule = rule
        self.least, self.most = rule.least, rule.most
        self.shape: Shape | None = None
        self._points = points
        self._told = told
        self._shapes: list[Shape] | None = None

    def __missing__(self, name: str) -> "Step":
        # Raises KeyError for a point that the device does not have.
        rule = self._points[name]
        step = Step(self._points, rule, (rule, self._told))
        self._points.walked(1)
        self[name] = step
        return step

    def shapes(self) -> list[Shape]:
        """One for each line, in the order in which the points were told."""
        if self._shapes is None:
            rules = self._rules()
            self._shapes = [Shape(list(alike)) for _, alike in groupby(rules, key=_line_of)]
            self.shape = self._shapes[0] if len(self._shapes) == 1 else None
            self._points.walked(len(self._shapes) + len(rules) // RULES)
        return self._shapes

    def _rules(self) -> list[Rule]:
        found: list[Rule] = []
        told = self._told
        while told:
            rule, told = told
            found.append(rule)
        return found[::-1]


class Points(dict[str, Rule]):
    """What is known of a device's points, by their names; shared by all devices of a profile. start: before it has
    told any; steps: that are remembered."""

    __slots__ = ("start", "steps")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        super().__init__((rule.point, rule) for rule in rules)
        self.start = Step(self, _NONE)
        self.steps = 0

    def walked(self, steps: int) -> None:
        """So many more are remembered; beyond those that may be, the ways are made anew."""
        self.steps += steps
        if self.steps > REMEMBERED:
            self.forget()

    def forget(self) -> None:
        """All ways. None of their steps refers to one before it, or they would wait for a collector that rests."""
        self.start.clear()
        self.steps = 0


def readings(runs: Iterable[Run]) -> list[Reading]:
    """Each by itself, in the same order."""
    return [
        (place, rule, time_ms, value)
        for place, shape, time_ms, values, _ in runs
        for rule, value in zip(shape.rules, values, strict=True)
    ]


def together(each: Iterable[Reading]) -> list[Run]:
    """Readings of a device at one instant are one run where they follow each other."""
    out: list[Run] = []
    for (place, _, time_ms), alike in groupby(each, key=lambda reading: (reading[0], _line_of(reading[1]), reading[2])):
        some = list(alike)
        values = [value for _, _, _, value in some]
        shape = Shape([rule for _, rule, _, _ in some])
        out.append((place, shape, time_ms, values, not any(isinstance(value, str) for value in values)))
    return out


def named(runs: Iterable[Run]) -> Iterator[Row]:
    """Each reading with its names, as a store tells it."""
    for place, rule, time_ms, value in readings(runs):
        told, quality = (None, str(value)) if isinstance(value, Bad) else (value, None)
        yield rule.function, place.area, place.pole, place.device, rule.point, time_ms, told, quality


LANES = 16  # where a time has milliseconds, packs that follow each other are points of different lanes


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

    def runs(self, rows: Iterable[Row]) -> list[Run]:
        """Rows -> what a store takes."""
        return together(
            (
                self.place(area, pole, device),
                self.rule(function, point),
                time_ms,
                Bad(quality) if value is None else value,
            )
            for function, area, pole, device, point, time_ms, value, quality in rows
        )


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
