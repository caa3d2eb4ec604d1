"""What goes into a store: rows of readings, and one line of the pack ledger for each pack."""

from typing import NamedTuple

# function, area, pole, device, point, time_ms, value, quality. The value is a float, bool or str, or None where
# there is a quality. Whole numbers are floats too: a field of InfluxDB keeps the type of its first value.
Row = tuple[str, str, str, str, str, int, float | bool | str | None, str | None]

LANES = 16  # packs of one lane follow each other by 16 numbers, so two never share the time of one point


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
