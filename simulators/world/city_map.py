"""Where the poles of an invented Chengdu stand: streets, districts, feeders, network cells, drain basins.

Streets form a bent grid; every fourth is a main road, and where two of those cross is a square. Poles stand 30 to 45 m
apart, as street lamps do (CJJ 45-2015 has spacing at three to four times the mounting height of 8 to 12 m).
"""

import math
from dataclasses import dataclass

import numpy as np

from simulators.world.arrays import FloatArray, IntArray
from simulators.world.kits import KITS
from simulators.world.noise import chance, field
from simulators.world.zones import within, zones

DISTRICTS = (
    ("wuhou", "Wuhou", "武侯区"), ("jinjiang", "Jinjiang", "锦江区"), ("qingyang", "Qingyang", "青羊区"),
    ("jinniu", "Jinniu", "金牛区"), ("chenghua", "Chenghua", "成华区"),
)  # fmt: skip
LANE, STREET, MAIN_ROAD, SQUARE = range(4)
CENTRE = (30.65740, 104.06590)  # Tianfu Square, degrees north and east (WGS 84)

_SPACING_M = {LANE: 30.0, STREET: 35.0, MAIN_ROAD: 38.0}  # and up to 7 m more
_BLOCK_M = 220.0  # between two streets
_SIDES = 1.25  # width over height
_CROSSING_M = 18.0
_SQUARE_M = 45.0  # around a crossing of main roads
_COLUMNS, _ROWS, _COLUMN_M, _ROW_M = 40, 20, 30.0, 60.0  # a character of a terminal is twice as high as wide
# Where the sector of a district ends, degrees clockwise from north, seen from the centre.
_SECTORS = (("chenghua", 85.0), ("jinjiang", 165.0), ("wuhou", 245.0), ("qingyang", 300.0), ("jinniu", 360.0))


@dataclass(frozen=True, kw_only=True)
class CityMap:
    """Arrays by pole. x, y: metres from the south-west corner. hollow: 0 (water runs off) to 1 (water gathers).

    feeder, circuit, network_cell, basin: numbers from 0 over the whole city. cell: row * columns + column, row 0 in the
    north. far: 0 (at its circuit's cabinet) to 1 (at its end). kit: index into KITS. road: LANE to SQUARE.
    """

    poles: int
    names: list[str]
    area: list[str]
    districts: tuple[tuple[str, str, str], ...]
    district: IntArray
    north: FloatArray
    east: FloatArray
    x: FloatArray
    y: FloatArray
    width_m: float
    height_m: float
    road: IntArray
    columns: int
    rows: int
    cell: IntArray
    feeder: IntArray
    circuit: IntArray
    network_cell: IntArray
    basin: IntArray
    far: FloatArray
    hollow: FloatArray
    kit: IntArray


def city_map(*, seed: int, poles: int) -> CityMap:
    """The same seed and number of poles give the same city. Raises ValueError where poles is below 1."""
    if poles < 1:
        raise ValueError(f"a city of {poles} poles: it has 1 at least")
    width, height, x, y, road = _streets(seed, poles)
    columns, rows = (
        max(1, min(most, round(size / least)))
        for most, size, least in ((_COLUMNS, width, _COLUMN_M), (_ROWS, height, _ROW_M))
    )
    district = _districts(x, y, width, height)
    feeder = zones(x, y, _limit(poles, 4, 25, 400))
    circuit = within(feeder, x, y, _limit(poles, 16, 8, 60))
    north, east = _degrees(x - width / 2, y - height / 2)
    return CityMap(
        poles=poles, names=[f"P{index + 1:05}" for index in range(poles)],
        area=[DISTRICTS[number][0] for number in district.tolist()], districts=DISTRICTS, district=district,
        north=north, east=east, x=x, y=y, width_m=width, height_m=height, road=road, columns=columns, rows=rows,
        cell=_cells(x / width, y / height, columns, rows), feeder=feeder, circuit=circuit,
        network_cell=zones(x, y, _limit(poles, 5, 20, 250)), basin=zones(x, y, _limit(poles, 10, 10, 60)),
        far=_far(x, y, circuit), hollow=_hollow(seed, x, y), kit=_kits(seed, road),
    )  # fmt: skip


def _limit(poles: int, parts: int, least: int, most: int) -> int:
    """A small city has a few zones too, so that one can fail beside others."""
    return min(most, max(least, math.ceil(poles / parts)))


def _streets(seed: int, poles: int) -> tuple[float, float, FloatArray, FloatArray, IntArray]:
    """Width, height and every pole: the city grows until its streets have room for them, a few places stay free."""
    area = poles * 36.0 * _BLOCK_M / 2
    while True:
        height = max(_BLOCK_M, math.sqrt(area / _SIDES))
        width = height * _SIDES
        x, y, road = _places(seed, width, height)
        if len(x) >= poles:
            break
        area *= 1.02
    taken = np.sort(np.argsort(chance(seed, "free places", np.arange(len(x))), kind="stable")[:poles])
    return width, height, x[taken], y[taken], road[taken]


def _places(seed: int, width: float, height: float) -> tuple[FloatArray, FloatArray, IntArray]:
    """Places along every street, one street after the other: those from west to east first."""
    lines: list[tuple[FloatArray, FloatArray, IntArray]] = []
    crossings = [_positions(seed, way, across) for way, across in (("row", height), ("column", width))]
    for way, (length, across) in enumerate(((width, height), (height, width))):
        mains = crossings[1 - way][::4]
        for number, position in enumerate(crossings[way].tolist()):
            kind = MAIN_ROAD if number % 4 == 0 else STREET if number % 2 == 0 else LANE
            along = _along(seed, f"street {way} {number}", length, _SPACING_M[kind])
            if way == 1:  # a crossing has its poles already, those of the streets from west to east
                along = along[np.abs(along[:, None] - crossings[0][None, :]).min(axis=1) > _CROSSING_M]
            bent = position + 0.04 * _BLOCK_M * np.sin(2 * np.pi * along / 1700.0 + number)
            beside = np.clip(bent + np.where(np.arange(len(along)) % 2, 5.0, -5.0), 0.0, across)
            road = np.full(len(along), kind, dtype=np.int64)
            if kind == MAIN_ROAD:
                road[np.abs(along[:, None] - mains[None, :]).min(axis=1) <= _SQUARE_M] = SQUARE
            lines.append((along, beside, road) if way == 0 else (beside, along, road))
    return (
        np.concatenate([line[0] for line in lines]),
        np.concatenate([line[1] for line in lines]),
        np.concatenate([line[2] for line in lines]),
    )


def _positions(seed: int, way: str, across: float) -> FloatArray:
    """Where the streets of one way lie."""
    count = max(1, round(across / _BLOCK_M))
    shift = 0.5 * chance(seed, f"streets {way}", np.arange(count)) - 0.25
    out: FloatArray = (np.arange(count) + 0.5 + shift) * (across / count)
    return out


def _along(seed: int, stream: str, length: float, spacing: float) -> FloatArray:
    gaps = spacing + 7.0 * chance(seed, stream, np.arange(int(length / spacing) + 1))
    places = np.cumsum(gaps) - spacing / 2
    out: FloatArray = places[places < length]
    return out


def _districts(x: FloatArray, y: FloatArray, width: float, height: float) -> IntArray:
    bearing = np.degrees(np.arctan2(x - width / 2, y - height / 2)) % 360.0
    names = [name for name, _, _ in DISTRICTS]
    sector = np.searchsorted([end for _, end in _SECTORS], bearing, side="right")
    out: IntArray = np.array([names.index(name) for name, _ in _SECTORS], dtype=np.int64)[sector]
    return out


def _degrees(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Metres from the centre -> degrees north and east, by the length of a degree on WGS 84 at that latitude."""
    latitude = math.radians(CENTRE[0])
    north_m = 111_132.95 - 559.85 * math.cos(2 * latitude) + 1.17 * math.cos(4 * latitude)
    east_m = 111_412.88 * math.cos(latitude) - 93.5 * math.cos(3 * latitude)
    return np.round(CENTRE[0] + y / north_m, 6), np.round(CENTRE[1] + x / east_m, 6)


def _cells(right: FloatArray, up: FloatArray, columns: int, rows: int) -> IntArray:
    column = np.minimum((right * columns).astype(np.int64), columns - 1)
    row = np.minimum(((1.0 - up) * rows).astype(np.int64), rows - 1)
    out: IntArray = row * columns + column
    return out


def _far(x: FloatArray, y: FloatArray, circuit: IntArray) -> FloatArray:
    """A circuit's cabinet stands at its south-west pole; its lines run along the streets."""
    count = int(circuit.max()) + 1
    west, south = np.full(count, np.inf), np.full(count, np.inf)
    np.minimum.at(west, circuit, x)
    np.minimum.at(south, circuit, y)
    length = (x - west[circuit]) + (y - south[circuit])
    longest = np.zeros(count)
    np.maximum.at(longest, circuit, length)
    out: FloatArray = length / np.maximum(longest[circuit], 1.0)
    return out


def _hollow(seed: int, x: FloatArray, y: FloatArray) -> FloatArray:
    wide = field(seed, "hollow", x, y, 0.0, scale_m=400.0, period_s=1.0)
    close = field(seed, "hollow close", x, y, 0.0, scale_m=90.0, period_s=1.0)
    out: FloatArray = np.clip(0.45 + 0.6 * wide + 0.25 * close, 0.0, 1.0)
    return out


def _kits(seed: int, road: IntArray) -> IntArray:
    """Each road's poles get its kits in their exact shares, in an order that chance makes."""
    out = np.zeros(len(road), dtype=np.int64)
    order = np.argsort(chance(seed, "kit", np.arange(len(road))), kind="stable")
    for number in range(4):
        poles = order[road[order] == number]
        ends = np.cumsum([kit.shares[number] for kit in KITS])
        out[poles] = np.searchsorted(ends, (np.arange(len(poles)) + 0.5) / max(len(poles), 1) * ends[-1], side="right")
    return out
