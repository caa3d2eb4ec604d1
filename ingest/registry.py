"""What the nodes announced in their births: which node may speak for which device, and the function of each point.

Kept in SQLite, because after a restart packs may arrive before the births do. A device that left a node's birth stays
known: its last readings may still wait in the node's spool.
"""

import json
import sqlite3
from pathlib import Path
from typing import NamedTuple

from device_profiles import loader
from device_profiles.schema import Profile
from ingest import durable
from ingest.errors import IngestError, Unavailable
from wire import messages

MAX_DEVICES = 4096  # that one node may announce over time; beyond it only its latest birth counts

_SCHEMA = """
CREATE TABLE IF NOT EXISTS births (area TEXT, node TEXT, devices TEXT NOT NULL, PRIMARY KEY (area, node)) WITHOUT ROWID
"""


class Rule(NamedTuple):
    """What is known of one point. low and high are in its unit; None where its profile is unknown or has no range."""

    function: str
    unit: str
    low: float | None
    high: float | None


Points = dict[str, Rule]
Devices = dict[str, Points]  # by "pole/device"


class Registry:
    """The births, in memory and on disk. `learn` and `devices` never touch the disk; `keep` runs in a thread."""

    def __init__(self, *, path: Path) -> None:
        """Raises IngestError when the file cannot be opened."""
        self._path = path
        self._profiles = loader.profiles()  # read now: the first birth must not wait for it
        self._nodes: dict[tuple[str, str], Devices] = {}
        self._claims: dict[tuple[str, str], set[str]] = {}  # (area, device) -> the nodes that announced it
        self._unkept: set[tuple[str, str]] = set()
        try:
            self._open()
        except sqlite3.Error as error:
            raise IngestError(f"births: {path}: {error}. Move the file away: the nodes' births come again.") from error

    def _open(self) -> None:
        self._db = durable.open_file(self._path, _SCHEMA)
        for area, node, devices in self._db.execute("SELECT area, node, devices FROM births"):
            self._nodes[area, node] = _load(devices)
            self._claim(area, node, {})

    def devices(self, area: str, node: str) -> Devices:
        """The devices of a node; empty before its first birth."""
        return self._nodes.get((area, node), {})

    def learn(self, area: str, node: str, body: bytes) -> bool:
        """Takes a birth into memory; False when it says nothing new. Raises MessageError."""
        told = _devices(messages.decode(body, messages.BIRTH), self._profiles)
        known = self.devices(area, node)
        merged = dict(known)
        for name, points in told.items():
            merged[name] = {**known.get(name, {}), **points}
        if len(merged) > MAX_DEVICES:
            merged = told
        if merged == known:
            return False
        self._nodes[area, node] = merged
        self._claim(area, node, known)
        self._unkept.add((area, node))
        return True

    def keep(self, nodes: set[tuple[str, str]]) -> None:
        """Writes what these nodes announced to disk. Raises Unavailable."""
        for key in nodes & self._unkept:
            self._unkept.discard(key)  # before it is read: a birth that comes meanwhile marks it again
            try:
                self._db.execute("INSERT OR REPLACE INTO births VALUES (?, ?, ?)", (*key, json.dumps(self._nodes[key])))
            except sqlite3.Error as error:
                self._unkept.add(key)
                raise Unavailable(f"births: {self._path}: {error}") from error

    def claimed_twice(self, area: str, node: str) -> list[tuple[str, str]]:
        """(device, other node) for each device of this node that another node of the area announced too."""
        return [
            (name, other) for name in self.devices(area, node) for other in sorted(self._claims[area, name] - {node})
        ]

    def _claim(self, area: str, node: str, before: Devices) -> None:
        now = self.devices(area, node)
        for name in now.keys() - before.keys():
            self._claims.setdefault((area, name), set()).add(node)
        for name in before.keys() - now.keys():
            self._claims[area, name].discard(node)

    def close(self) -> None:
        self._db.close()


def _load(text: str) -> Devices:
    shared: dict[str, Points] = {}  # most devices share the points of their profile
    out: Devices = {}
    for name, points in json.loads(text).items():
        rules = {point: Rule(*rule) for point, rule in points.items()}
        out[name] = shared.setdefault(repr(rules), rules)
    return out


def _devices(birth: dict[str, object], library: dict[str, Profile]) -> Devices:
    profiles: dict[str, dict[str, object]] = birth["profiles"]  # type: ignore[assignment]
    points = {name: _points(library.get(name), told) for name, told in profiles.items()}
    devices: list[dict[str, str]] = birth["devices"]  # type: ignore[assignment]
    former: list[dict[str, str]] = birth.get("former", [])  # type: ignore[assignment]
    out: Devices = {}
    for device in former + devices:  # a device that became another one still has readings of before
        name = f"{device['pole']}/{device['device']}"
        out[name] = {**out.get(name, {}), **points[device["profile"]]}
    return out


def _points(profile: Profile | None, told: dict[str, object]) -> Points:
    if profile is not None and profile.version != told["version"]:
        profile = None  # its ranges may have changed
    points: dict[str, dict[str, str]] = told["points"]  # type: ignore[assignment]
    out: Points = {}
    for point, facts in points.items():
        known = profile.points.get(point) if profile is not None else None
        low, high = known.range if known is not None and known.range is not None else (None, None)
        out[point] = Rule(facts.get("function", str(told["function"])), facts["unit"], low, high)
    return out
