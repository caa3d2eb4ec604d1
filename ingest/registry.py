"""What the nodes announced in their births: which node may speak for which device, and the function of each point.

Kept in SQLite, because after a restart packs may arrive before the births do. A device that left a node's birth stays
known: its last readings may still wait in the node's spool.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ingest import births, durable
from ingest.births import Births, Facts, Kind, Named, facts_of
from ingest.census import Census
from ingest.errors import IngestError, Unavailable
from ingest.owners import Owners
from ingest.rights import Barred, Rights, Sites
from ingest.rows import Place, Points
from wire.errors import MessageError

MAX_DEVICES = 4096  # that one node may announce over time; beyond it only its latest birth counts
MOST_DEVICES = 1_000_000  # of all nodes

# here and gone: what the latest birth names, and what it names no more: {"pole/device/": number of its points}
_SCHEMA = """
DROP TABLE IF EXISTS births;
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nodes (area TEXT, node TEXT, here TEXT, gone TEXT, PRIMARY KEY (area, node)) WITHOUT ROWID;
"""
_FORGET = """
DELETE FROM points WHERE number NOT IN (
    SELECT value FROM nodes, json_each(here) UNION SELECT value FROM nodes, json_each(gone))
"""

Devices = dict[str, tuple[Place, Points]]  # by "pole/device/", as a base name has it
Node = tuple[str, str]  # area, node

_NONE: Devices = {}
_AGAIN = "the nodes' births come again"


class Registry:
    """The births, in memory and on disk. `learn` and `devices` never touch the disk; `keep` runs in a thread."""

    def __init__(self, *, path: Path, owners: Path | None = None, sites: Sites | None = None) -> None:
        """owners: the file that all workers share. Raises IngestError when the file cannot be opened."""
        self._path = path
        self._births = Births()
        self._nodes: dict[Node, Devices] = {}
        self._census = Census()
        self._devices = 0  # of all nodes
        self._gone: dict[Node, frozenset[str]] = {}  # those of its devices that its latest birth does not name
        self._written = 0  # points that were added to the file since those were deleted that no node has
        self._owners = Owners(path=owners or path.with_name("owners"))
        self._rights = Rights(owners=self._owners, sites=sites)
        self._changed: set[Node] = set()
        self._unkept: set[Node] = set()
        try:
            self._open()
        except (sqlite3.Error, ValueError, LookupError, TypeError) as error:  # no JSON, or not what is written there
            raise IngestError(f"births: {durable.told(path, error, then=_AGAIN)}") from error

    def _open(self) -> None:
        self._db = durable.open_file(self._path, _SCHEMA)
        points = {number: self._kept(number, text) for number, text in self._db.execute("SELECT * FROM points")}
        self._written = sum(map(len, points.values()))
        kept = self._db.execute("SELECT area, node, here, gone FROM nodes").fetchall()
        named = [(area, node, json.loads(here), json.loads(gone)) for area, node, here, gone in kept]
        for area, node, here, _ in named:
            for name in here:
                self._rights.claim(area, name, node)
        for area, node, here, gone in named:
            told = {name: points[number] for name, number in (here | gone).items() if number in points}
            self._gone[area, node] = frozenset(gone)
            self._census.add(area, node)
            self._put((area, node), self._judged((area, node), told, {}, had=True), _kinds(told.values()))
        self._births.settle()

    def _kept(self, number: int, text: str) -> Kind:
        kind = self._births.shared(_read(text), bounded=False)
        kind.number = number
        return kind

    def devices(self, area: str, node: str) -> Devices:
        """The devices of a node; empty before its first birth."""
        return self._nodes.get((area, node), _NONE)

    def learn(self, area: str, node: str, body: bytes) -> bool:
        """Takes a birth into memory; False when it says nothing new. Raises MessageError."""
        try:
            return self._learn((area, node), body)
        finally:
            self._births.settle()

    def _learn(self, key: Node, body: bytes) -> bool:
        if key not in self._nodes:
            self._census.check(*key)
        here, former = self._births.read(body)
        known = self.devices(*key)
        named = {name: _real(points) for name, (_, points) in known.items()}
        before = named.keys() - self._gone.get(key, frozenset())
        for name, points in [*former.items(), *here.items()]:
            named[name] = self._births.united(named.get(name), points)
        if self._says(key, named, here):
            return False
        has = _kinds(named.values())
        if len(named) > MAX_DEVICES or sum(map(len, has)) > births.MOST_POINTS_OF_NODE:
            named = former | here
            has = _kinds(named.values())
            if self._says(key, named, here):
                return False
        if len(named) > len(known) and self._devices + len(named) - len(known) > MOST_DEVICES:
            raise MessageError("full", f"the births of all nodes name {MOST_DEVICES} devices, which is the most")
        if key not in self._nodes:
            self._census.add(*key)
        self._gone[key] = frozenset(named.keys() - here.keys())
        self._claim(key, before, here.keys())
        self._put(key, self._judged(key, named, known), has)
        self._unkept.add(key)
        self._changed.add(key)
        return True

    def _says(self, key: Node, named: Named, here: Named) -> bool:
        # What is known says the same already.
        return _same(named, self.devices(*key)) and frozenset(named.keys() - here.keys()) == self._gone.get(key)

    def look(self) -> None:
        """Learns what was decided since, by another worker or an operator; and forgets what is too much."""
        self._births.look()
        concerned = {
            (area, node) for area, name in self._owners.look() for node in self._rights.claimants((area, name))
        }
        for area, node in concerned:
            self._renew(area, [node])

    def take_changed(self) -> set[Node]:
        """The nodes of which more may be accepted than before, since this was asked last."""
        changed, self._changed = self._changed, set()
        return changed

    def keep(self, nodes: set[Node]) -> None:
        """Writes what these nodes announced to disk, as one transaction. Raises Unavailable."""
        decisions = self._rights.take_unwritten()
        try:
            if decisions:
                self._owners.write(decisions)
        except Unavailable:
            self._rights.put_back(decisions)
            raise
        new = nodes & self._unkept
        self._unkept -= new  # before they are read: a birth that comes meanwhile marks its node again
        fresh: list[Kind] = []
        try:
            self._db.execute("BEGIN")
            rows = [self._row(key, fresh) for key in new]
            self._db.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?)", rows)
            self._written += sum(map(len, fresh))
            if self._written > births.MOST_POINTS:
                self._forget_points()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._unkept |= new
            for kind in fresh:
                kind.number = 0  # those of this transaction are not in the file
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise Unavailable(f"births: {durable.told(self._path, error, then=_AGAIN)}") from error

    def _forget_points(self) -> None:
        # A node may tell ever new profiles: those that none has any more must not fill the disk.
        self._db.execute(_FORGET)
        left = {number for (number,) in self._db.execute("SELECT number FROM points")}
        for kind in self._births.kinds():
            if kind.number not in left:
                kind.number = 0
        self._written = 0

    def barred(self, area: str, node: str) -> list[tuple[str, str, str]]:
        """(device, reason, detail) for each device that this node announced and may not speak for."""
        return [
            (name.rstrip("/"), points.reason, points.detail)
            for name, (_, points) in self.devices(area, node).items()
            if isinstance(points, Barred)
        ]

    def nodes(self) -> list[Node]:
        """All that sent a birth."""
        return list(self._nodes)

    def take_sites(self, sites: Sites | None) -> None:
        """Another inventory; `renew` has it looked at for a node."""
        self._rights.sites = sites

    def renew(self, area: str, node: str) -> None:
        """Judges again what a node may speak for."""
        self._renew(area, [node])

    def _claim(self, key: Node, before: Iterable[str], here: Iterable[str]) -> None:
        area, node = key
        before, here = set(before), set(here)
        for name in here - before:
            self._rights.claim(area, name, node)
        concerned: set[str] = set()
        for name in before - here:
            concerned.update(self._rights.release(area, name, node))
        self._renew(area, concerned)

    def _renew(self, area: str, nodes: Iterable[str]) -> None:
        for node in nodes:
            known = self.devices(area, node)
            named = {name: _real(points) for name, (_, points) in known.items()}
            judged = self._judged((area, node), named, known)
            if any(type(known[name][1]) is not type(points) for name, (_, points) in judged.items()):
                self._changed.add((area, node))
            self._nodes[area, node] = judged

    def _put(self, key: Node, judged: Devices, has: list[Kind]) -> None:
        before = self.devices(*key)
        self._devices += len(judged) - len(before)
        self._nodes[key] = judged
        self._births.use(_kinds(_real(points) for _, points in before.values()), has)

    def _judged(self, key: Node, named: Named, known: Devices, *, had: bool = False) -> Devices:
        # had: what it left was allowed when it was written to the file
        (area, node), gone = key, self._gone[key]
        out: Devices = {}
        for name, points in named.items():
            before = known.get(name)
            may = had if before is None else not isinstance(before[1], Barred)
            refused = self._rights.refused(area, name, node, here=name not in gone, had=may)
            pole, device, _ = name.split("/")
            place = before[0] if before is not None else Place(area, pole, device)
            out[name] = place, points if refused is None else Barred(points=points, refused=refused)
        return out

    def _row(self, key: Node, fresh: list[Kind]) -> tuple[str, str, str, str]:
        devices, gone = self._nodes[key], self._gone[key]
        here = {name: self._number(points, fresh) for name, (_, points) in devices.items() if name not in gone}
        left = {
            name: self._number(points, fresh)
            for name, (_, points) in devices.items()
            if name in gone and not isinstance(points, Barred)
        }
        return *key, json.dumps(here), json.dumps(left)

    def _number(self, points: Points, fresh: list[Kind]) -> int:
        kind = _real(points)
        if not kind.number:
            text = json.dumps(facts_of(kind))
            kind.number = self._db.execute("INSERT INTO points (facts) VALUES (?)", (text,)).lastrowid or 0
            fresh.append(kind)
        return kind.number

    def close(self) -> None:
        self._db.close()


def _real(points: Points) -> Kind:
    return points.points if isinstance(points, Barred) else points  # type: ignore[return-value]


def _kinds(each: Iterable[Kind]) -> list[Kind]:
    return list({id(kind): kind for kind in each}.values())


def _same(named: Named, known: Devices) -> bool:
    if named.keys() != known.keys():
        return False
    return all(_real(known[name][1]) is points for name, points in named.items())


def _read(text: str) -> Facts:
    return tuple(tuple(fact) for fact in json.loads(text))
