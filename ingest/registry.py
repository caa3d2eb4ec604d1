"""What the nodes announced in their births: which node may speak for which device, and the function of each point.

Kept in SQLite, because after a restart packs may arrive before the births do. A device that left a node's birth stays
known: its last readings may still wait in the node's spool.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ingest import durable
from ingest.births import Births, Facts, Named, facts_of
from ingest.errors import IngestError, Unavailable
from ingest.owners import Owners
from ingest.rights import Barred, Rights, Sites
from ingest.rows import Place, Points

MAX_DEVICES = 4096  # that one node may announce over time; beyond it only its latest birth counts

# here and gone: what the latest birth names, and what it names no more: {"pole/device/": number of its points}
_SCHEMA = """
DROP TABLE IF EXISTS births;
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nodes (area TEXT, node TEXT, here TEXT, gone TEXT, PRIMARY KEY (area, node)) WITHOUT ROWID;
"""


Devices = dict[str, tuple[Place, Points]]  # by "pole/device/", as a base name has it
Node = tuple[str, str]  # area, node

_NONE: Devices = {}


class Registry:
    """The births, in memory and on disk. `learn` and `devices` never touch the disk; `keep` runs in a thread."""

    def __init__(self, *, path: Path, owners: Path | None = None, sites: Sites | None = None) -> None:
        """owners: the file that all workers share. Raises IngestError when the file cannot be opened."""
        self._path = path
        self._births = Births()
        self._nodes: dict[Node, Devices] = {}
        self._gone: dict[Node, frozenset[str]] = {}  # those of its devices that its latest birth does not name
        self._numbers: dict[int, int] = {}  # of points, by their identity: in the file
        self._owners = Owners(path=owners or path.with_name("owners"))
        self._rights = Rights(owners=self._owners, sites=sites)
        self._changed: set[Node] = set()
        self._unkept: set[Node] = set()
        try:
            self._open()
        except sqlite3.Error as error:
            raise IngestError(f"births: {path}: {error}. Move the file away: the nodes' births come again.") from error

    def _open(self) -> None:
        self._db = durable.open_file(self._path, _SCHEMA)
        points = {number: self._births.shared(_read(text)) for number, text in self._db.execute("SELECT * FROM points")}
        self._numbers = {id(each): number for number, each in points.items()}
        kept = self._db.execute("SELECT area, node, here, gone FROM nodes").fetchall()
        named = [(area, node, json.loads(here), json.loads(gone)) for area, node, here, gone in kept]
        for area, node, here, _ in named:
            for name in here:
                self._rights.claim(area, name, node)
        for area, node, here, gone in named:
            told = {name: points[number] for name, number in (here | gone).items()}
            self._gone[area, node] = frozenset(gone)
            self._nodes[area, node] = self._judged((area, node), told, {}, had=True)

    def devices(self, area: str, node: str) -> Devices:
        """The devices of a node; empty before its first birth."""
        return self._nodes.get((area, node), _NONE)

    def learn(self, area: str, node: str, body: bytes) -> bool:
        """Takes a birth into memory; False when it says nothing new. Raises MessageError."""
        here, former = self._births.read(body)
        key, known = (area, node), self.devices(area, node)
        named = {name: _real(points) for name, (_, points) in known.items()}
        before = named.keys() - self._gone.get(key, frozenset())
        for name, points in [*former.items(), *here.items()]:
            named[name] = self._births.united(named.get(name), points)
        if len(named) > MAX_DEVICES:
            named = former | here
        gone = frozenset(named.keys() - here.keys())
        if gone == self._gone.get(key) and len(named) == len(known) and _same(named, known):
            return False
        self._gone[key] = gone
        self._claim(key, before, here.keys())
        self._nodes[key] = self._judged(key, named, known)
        self._unkept.add(key)
        self._changed.add(key)
        return True

    def look(self) -> None:
        """Learns what was decided since, by another worker or an operator."""
        for area, name in self._owners.look():
            self._renew(area, self._rights.claimants((area, name)))

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
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?)", [self._row(key) for key in new])
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._unkept |= new
            self._numbers.clear()  # those of this transaction are not in the file
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise Unavailable(f"births: {self._path}: {error}") from error

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
        for name in before - here:
            self._renew(area, self._rights.release(area, name, node))

    def _renew(self, area: str, nodes: Iterable[str]) -> None:
        for node in nodes:
            known = self.devices(area, node)
            named = {name: _real(points) for name, (_, points) in known.items()}
            judged = self._judged((area, node), named, known)
            if any(type(known[name][1]) is not type(points) for name, (_, points) in judged.items()):
                self._changed.add((area, node))
            self._nodes[area, node] = judged

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

    def _row(self, key: Node) -> tuple[str, str, str, str]:
        devices, gone = self._nodes[key], self._gone[key]
        here = {name: self._number(points) for name, (_, points) in devices.items() if name not in gone}
        left = {
            name: self._number(points)
            for name, (_, points) in devices.items()
            if name in gone and not isinstance(points, Barred)
        }
        return *key, json.dumps(here), json.dumps(left)

    def _number(self, points: Points) -> int:
        real = _real(points)
        number = self._numbers.get(id(real))
        if number is None:
            number = (
                self._db.execute("INSERT INTO points (facts) VALUES (?)", (json.dumps(facts_of(real)),)).lastrowid or 0
            )
            self._numbers[id(real)] = number
        return number

    def close(self) -> None:
        self._db.close()


def _real(points: Points) -> Points:
    return points.points if isinstance(points, Barred) else points


def _same(named: Named, known: Devices) -> bool:
    return all(_real(known[name][1]) is points for name, points in named.items())


def _read(text: str) -> Facts:
    return tuple(tuple(fact) for fact in json.loads(text))
