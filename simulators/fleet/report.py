"""What the process says once a second: one line of JSON, for whoever shows the city or counts."""

import json
import resource
import time
from collections import deque
from typing import Any

import numpy as np

from simulators.fleet.engine import Engine
from simulators.world.arrays import FloatArray
from simulators.world.happenings import Happening
from simulators.world.world import STEP_S

ALARMS, NEWS = 20, 10  # the latest ones are told
ALARMING = frozenset(("sos", "cover", "hit", "flood", "outage", "offline", "trip"))


def memory() -> int:
    """Bytes that this process holds now (proc(5), statm)."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Report:
    """base: bytes that the process held before there was a city."""

    def __init__(self, *, base: int) -> None:
        self._base = base
        self._began = time.monotonic()
        self._alarms: deque[dict[str, str]] = deque(maxlen=ALARMS)
        self._news: deque[dict[str, str]] = deque(maxlen=NEWS)
        self._step = -1
        self._map: dict[str, Any] = {}
        self._weather: dict[str, float] = {}

    def happening(self, told: Happening, engine: Engine) -> None:
        """Something began or ended in the world."""
        line = {"time": engine.world.local().strftime("%H:%M:%S"), "en": told.en, "zh": told.zh}
        if told.kind in ALARMING and len(told.poles):
            pole = engine.city.names[int(told.poles[0])]
            more = f" +{len(told.poles) - 1}" if len(told.poles) > 1 else ""
            self._alarms.append({"pole": pole + more, **line})
        else:
            self._news.append(line)

    def state(self, engine: Engine) -> str:
        """A line of kind "state"."""
        if engine.world.step != self._step and engine.world.step >= 0:
            self._step = engine.world.step
            self._map, self._weather = city_map(engine), weather(engine)
        return json.dumps({
            "kind": "state", **self._counts(engine), "local": engine.world.local().isoformat(),
            "latency_ms": engine.latency.recent(), "map": self._map, "weather": self._weather,
            "alarms": list(self._alarms), "news": list(self._news), "failures": engine.connections.failures,
        })  # fmt: skip

    def end(self, engine: Engine, truth_sha256: str) -> str:
        """The last line."""
        return json.dumps({
            "kind": "end", **self._counts(engine), "latency_ms": engine.latency.whole(),
            "truth_sha256": truth_sha256, "seconds": round(time.monotonic() - self._began, 1),
            "memory_per_node": (memory() - self._base) // max(1, len(engine.nodes)),
        })  # fmt: skip

    def _counts(self, engine: Engine) -> dict[str, Any]:
        world = engine.world
        nodes = len(engine.nodes)
        return {
            "world_s": max(0, world.step) * STEP_S, "poles": engine.city.poles, "nodes": nodes,
            "connected": engine.connections.connected, "dark": int((~world.powered).sum()),
            "offline": int((world.powered & ~world.reachable).sum()), "packs": engine.made,
            "readings": engine.readings, "stored": engine.stored,
            "pending": engine.made - engine.stored - engine.dropped, "dropped": engine.dropped,
            "resent": engine.resent, "behind_s": round(engine.behind_s, 2),
            "cpu_s": round(time.process_time(), 2), "rss_mb": memory() >> 20,
        }  # fmt: skip


def city_map(engine: Engine) -> dict[str, Any]:
    """The map's cells, row by row from the north; what the poles in each have in the mean, null where none stands."""
    city, world = engine.city, engine.world
    poles = np.arange(city.poles, dtype=np.int64)
    alarms = np.sum([world.quantity(name, poles) for name in ("sos_pressed", "cover_open", "flooded")], axis=0)
    told = {
        "rain": world.quantity("rain_rate", poles), "temperature": world.quantity("temperature", poles),
        "lit": world.quantity("lamp_on", poles), "dark": ~world.powered, "offline": ~world.reachable,
        "water": world.quantity("water_level", poles), "alarms": alarms,
    }  # fmt: skip
    cells = city.columns * city.rows
    count = np.bincount(city.cell, minlength=cells)
    out: dict[str, Any] = {"columns": city.columns, "rows": city.rows, "poles": _grid(count, engine)}
    for name, values in told.items():
        total = np.bincount(city.cell, weights=np.asarray(values, dtype=np.float64), minlength=cells)
        shown = total if name == "alarms" else total / np.maximum(count, 1)
        out[name] = [
            [value if here else None for value, here in zip(row, counted, strict=True)]
            for row, counted in zip(_grid(np.round(shown, 2), engine), out["poles"], strict=True)
        ]
    return out


def weather(engine: Engine) -> dict[str, float]:
    """In the middle of the poles."""
    names = {
        "temperature": "temperature", "rain": "rain_rate", "wind": "wind_speed", "pm2_5": "pm2_5",
        "sun": "sun_elevation",
    }  # fmt: skip
    pole = np.array([engine.city.poles // 2], dtype=np.int64)
    return {name: round(float(engine.world.quantity(quantity, pole)[0]), 1) for name, quantity in names.items()}


def _grid(cells: FloatArray | Any, engine: Engine) -> list[list[Any]]:
    rows: list[list[Any]] = np.asarray(cells).reshape(engine.city.rows, engine.city.columns).tolist()
    return rows
