"""What the nodes announced in their births: which node may speak for which device, and the function of each point.

Kept in SQLite, because after a restart packs may arrive before the births do. A device that left a node's birth stays
known: its last readings may still wait in the node's spool.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

from device_profiles import loader
from device_profiles.schema import Profile
from ingest import durable
from ingest.errors import IngestError, Unavailable
from ingest.rows import Place, Rule
from wire import messages

MAX_DEVICES = 4096  # that one node may announce over time; beyond it only its latest birth counts

_SCHEMA = """
CREATE TABLE IF NOT EXISTS births (area TEXT, node TEXT, devices TEXT NOT NULL, PRIMARY KEY (area, node)) WITHOUT ROWID
"""


Points = dict[str, Rule]
Devices = dict[str, tuple[Place, Points]]  # by "pole/device/", as a base name has it
_Facts = tuple[tuple[str, str, str, float | None, float | None], ...]  # point, function, unit, low, high


class Registry:
    """The births, in memory and on disk. `learn` and `devices` never touch the disk; `keep` runs in a thread."""

    def __init__(self, *, path: Path) -> None:
        """Raises IngestError when the file cannot be opened."""
        self._path = path
        self._profiles = loader.profiles()  # read now: the first birth must not wait for it
        self._nodes: dict[tuple[str, str], Devices] = {}
        self._points: dict[_Facts, Points] = {}  # devices of one profile share them
        self._claims: dict[tuple[str, str], set[str]] = {}  # (area, device) -> the nodes that announced it
        self._unkept: set[tuple[str, str]] = set()
        try:
            self._open()
        except sqlite3.Error as error:
            raise IngestError(f"births: {path}: {error}. Move the file away: the nodes' births come again.") from error

    def _open(self) -> None:
        self._db = durable.open_file(self._path, _SCHEMA)
        for area, node, devices in self._db.execute("SELECT area, node, devices FROM births"):
            facts = {
                name: tuple((point, *rule) for point, rule in points.items())
                for name, points in json.loads(devices).items()
            }
            self._nodes[area, node] = self._devices(area, facts, {})
            self._claim(area, node, {})

    def devices(self, area: str, node: str) -> Devices:
        """The devices of a node; empty before its first birth."""
        return self._nodes.get((area, node), {})

    def learn(self, area: str, node: str, body: bytes) -> bool:
        """Takes a birth into memory; False when it says nothing new. Raises MessageError."""
        told = _told(messages.decode(body, messages.BIRTH), self._profiles)
        known = self.devices(area, node)
        merged = {name: _facts(points) for name, (_, points) in known.items()}
        for name, facts in told.items():
            merged[name] = _united(merged.get(name, ()), facts)
        if len(merged) > MAX_DEVICES:
            merged = told
        devices = self._devices(area, merged, known)
        if devices == known:
            return False
        self._nodes[area, node] = devices
        self._claim(area, node, known)
        self._unkept.add((area, node))
        return True

    def keep(self, nodes: set[tuple[str, str]]) -> None:
        """Writes what these nodes announced to disk, as one transaction. Raises Unavailable."""
        new = nodes & self._unkept
        self._unkept -= new  # before they are read: a birth that comes meanwhile marks its node again
        try:
            self._db.execute("BEGIN")
            rows = ((*key, _text(self._nodes[key])) for key in new)
            self._db.executemany("INSERT OR REPLACE INTO births VALUES (?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._unkept |= new
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise Unavailable(f"births: {self._path}: {error}") from error

    def claimed_twice(self, area: str, node: str) -> list[tuple[str, str]]:
        """(device, other node) for each device of this node that another node of the area announced too."""
        return [
            (name.rstrip("/"), other)
            for name in self.devices(area, node)
            for other in sorted(self._claims[area, name] - {node})
        ]

    def _devices(self, area: str, facts: dict[str, _Facts], known: Devices) -> Devices:
        out: Devices = {}
        for name, of in facts.items():
            points = self._points.get(of)
            if points is None:
                points = self._points[of] = {fact[0]: Rule(*fact) for fact in of}
            before = known.get(name)
            pole, device, _ = name.split("/")
            out[name] = (before[0] if before else Place(area, pole, device)), points
        return out

    def _claim(self, area: str, node: str, before: Devices) -> None:
        now = self.devices(area, node)
        for name in now.keys() - before.keys():
            self._claims.setdefault((area, name), set()).add(node)
        for name in before.keys() - now.keys():
            self._claims[area, name].discard(node)

    def close(self) -> None:
        self._db.close()


def _text(devices: Devices) -> str:
    return json.dumps(
        {name: {point: rule.facts for point, rule in points.items()} for name, (_, points) in devices.items()}
    )


def _facts(points: Points) -> _Facts:
    return tuple((point, *rule.facts) for point, rule in points.items())


def _united(before: _Facts, now: _Facts) -> _Facts:
    """A device that became another one still has readings of before."""
    if before == now or not before:
        return now
    return tuple({**{fact[0]: fact for fact in before}, **{fact[0]: fact for fact in now}}.values())


def _told(birth: dict[str, object], library: dict[str, Profile]) -> dict[str, _Facts]:
    profiles: dict[str, dict[str, Any]] = birth["profiles"]  # type: ignore[assignment]
    points = {name: _announced(library.get(name), told) for name, told in profiles.items()}
    devices: list[dict[str, str]] = birth["devices"]  # type: ignore[assignment]
    former: list[dict[str, str]] = birth.get("former", [])  # type: ignore[assignment]
    out: dict[str, _Facts] = {}
    for device in former + devices:
        name = f"{device['pole']}/{device['device']}/"
        out[name] = _united(out.get(name, ()), points[device["profile"]])
    return out


def _announced(profile: Profile | None, told: dict[str, Any]) -> _Facts:
    if profile is not None and profile.version != told["version"]:
        profile = None  # its ranges may have changed
    out = []
    for point, facts in told["points"].items():
        known = profile.points.get(point) if profile is not None else None
        low, high = known.range if known is not None and known.range is not None else (None, None)
        out.append((point, str(facts.get("function", told["function"])), str(facts["unit"]), low, high))
    return tuple(out)
