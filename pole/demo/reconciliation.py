"""What the demo's nodes produced against what is in the database, counted from the files when all have stopped.

A gateway has a spool, a controller a journal; both are called spool here.

produced  readings that a spool has numbered: durable at that moment
stored    rows in the database, counted, of the devices of that node
pending   readings of packs that are in the spool and not in the database's ledger
dropped   readings of packs that a full spool gave up, where the numbers are explained by its own count
told_again  readings that their device told twice, with one time and value, in two packs: one row
lost      produced - stored - pending - dropped - told_again, node by node, so that one node's surplus hides nothing
duplicated  rows beyond what was produced, and packs under another epoch than the spool's
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from device_profiles import site as sites
from device_profiles.site import Site
from gateway.birth import own_devices
from pole.demo import repeats
from pole.demo.store import reading
from pole.edge.held import held
from simulators.device import EmulatedDevice, Value

MOST_CHECKED = 100_000  # the newest; more would take minutes after a run of days
# A reading is stamped when its answer is in; the device held the value when it answered, an exchange earlier.
TOLERANCE_MS = 1500
LATE_MS = 5000  # a gateway that gets no processor between an answer and its stamp is this late at most
SHOWN = 10  # mismatches that are told one by one
FAR_MS, STEP_MS = 60_000, 100  # how far, and how finely, their values are looked for at other times


@dataclass(frozen=True, kw_only=True)
class Account:
    """One node. Readings, but for packs_dropped."""

    node: str
    produced: int
    stored: int
    pending: int
    packs_dropped: int
    told_again: int
    lost: int
    duplicated: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class Spool:
    """What the disk of a node holds; epoch is empty where it never ran. readings: all that were ever numbered."""

    epoch: str
    head: int
    readings: int
    dropped: int
    kept: dict[int, int]  # number -> readings


@dataclass(frozen=True)
class Mismatch:
    """A stored value that its device did not hold within TOLERANCE_MS of time_ms.

    off_ms: how far from time_ms it did, negative before (up to LATE_MS before, or else the nearest); None where it was
    not found.
    """

    device: str  # pole/device
    point: str
    time_ms: int
    value: Value
    held: set[Value]
    off_ms: int | None

    @property
    def is_late(self) -> bool:
        """The value is right, but its gateway stood still before it stamped it."""
        return self.off_ms is not None and -LATE_MS <= self.off_ms < 0

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
        held = " or ".join(sorted(map(str, self.held)))
        text = f"{self.device} {self.point} at {when}: {self.value} is stored, and it held {held}"
        if self.off_ms is None:
            return text
        return (
            f"{text}; it held {self.value} {abs(self.off_ms) / 1000:.1f} s {'later' if self.off_ms > 0 else 'before'}"
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """late: of right values; wrong: all other mismatches."""

    wrong: list[Mismatch]
    late: list[Mismatch]
    checked: int


_NONE = Spool(epoch="", head=0, readings=0, dropped=0, kept={})


def reconcile(site_file: Path, store: Path) -> list[Account]:
    """One account for each node of the site. None may be running: it has its spool for itself.

    A controller's folder stands beside the site file, under its name.
    """
    site = sites.load(site_file)
    with reading(store) as db:
        rows, again = _rows(db, site), _told_again(db, site)
        spools = {node: _spool(site, node) for node in site.gateways}
        spools |= {node: read_journal(site_file.parent / node) for node in site.controllers}
        return [_account(db, node, spool, rows.get(node, 0), again.get(node, 0)) for node, spool in spools.items()]


def compare(store: Path, devices: dict[str, EmulatedDevice], since_ms: int) -> Comparison:
    """The stored values of the emulated devices since a time with what these held then."""
    found: list[Mismatch] = []
    checked = 0
    with reading(store) as db:
        newest = db.execute(
            "SELECT time, pole, device, point, value FROM points JOIN series ON series = id WHERE time >= ?"
            " ORDER BY time DESC LIMIT ?",
            (since_ms, MOST_CHECKED),
        )
        for time_ms, pole, device, point, value in newest:
            emulated = devices.get(f"{pole}/{device}")
            # what the gateway measures itself, no device holds
            if emulated is not None and not _is_measured(emulated, point):
                checked += 1
                then = emulated.held(point, time_ms, TOLERANCE_MS)
                if value not in then:
                    far_ms = FAR_MS if len(found) < SHOWN else LATE_MS
                    off_ms = _off_ms(emulated, point, time_ms, value, far_ms)
                    found.append(Mismatch(emulated.name, point, time_ms, value, then, off_ms))
    return Comparison(
        wrong=[each for each in found if not each.is_late],
        late=[each for each in found if each.is_late],
        checked=checked,
    )


def latencies(store: Path, since_ms: int) -> list[int]:
    """ms from a pack's oldest reading to its first storing, ascending, of the packs since a time."""
    with reading(store) as db:
        sql = "SELECT latency_ms FROM packs WHERE time >= ? ORDER BY latency_ms"
        return [row[0] for row in db.execute(sql, (since_ms,))]


def pending(spool: Path) -> int:
    """Packs that a stopped gateway still holds."""
    return len(read_spool(spool).kept)


def unstored(root: Path, store: Path) -> int:
    """Packs of a stopped controller that the store has not. What is confirmed it notes now and then, for its flash."""
    spool = read_journal(root)
    with reading(store) as db:
        stored = {number for (number,) in db.execute("SELECT number FROM packs WHERE epoch = ?", (spool.epoch,))}
    return len(spool.kept.keys() - stored)


def _account(db: sqlite3.Connection, node: str, spool: Spool, rows: int, told_again: int) -> Account:
    ledger = {
        number: (readings, refused)
        for number, readings, refused in db.execute(
            "SELECT number, readings, refused FROM packs WHERE node = ? AND epoch = ?", (node, spool.epoch)
        )
    }
    foreign = db.execute("SELECT count(*) FROM packs WHERE node = ? AND epoch <> ?", (node, spool.epoch)).fetchone()[0]
    waiting = {number: readings for number, readings in spool.kept.items() if number not in ledger}
    pending = sum(waiting.values())
    refused = sum(refused for _, refused in ledger.values())
    dropped = 0
    if spool.dropped and spool.head - len(ledger) - len(waiting) <= spool.dropped:
        dropped = max(0, spool.readings - pending - refused - sum(readings for readings, _ in ledger.values()))
    rest = spool.readings - rows - pending - dropped - told_again
    return Account(
        node=node, produced=spool.readings, stored=rows, pending=pending, packs_dropped=spool.dropped,
        told_again=told_again, lost=max(0, rest), duplicated=max(0, -rest) + foreign, refused=refused,
    )  # fmt: skip


def _rows(db: sqlite3.Connection, site: Site) -> dict[str, int]:
    """Node -> rows in the database, values and bad qualities."""
    return _by_node(db.execute("SELECT pole, device, count(*) FROM readings GROUP BY pole, device"), site)


def _told_again(db: sqlite3.Connection, site: Site) -> dict[str, int]:
    """Node -> rows that came again as they were, but for those of packs that came again."""
    counts = _by_node(repeats.devices(db), site)
    for node, readings in repeats.nodes(db):
        counts[node] = counts.get(node, 0) - readings
    return counts


def _by_node(found: Iterable[tuple[str, str, int]], site: Site) -> dict[str, int]:
    node_of = {(device.pole, device.device): site.node_of(device.bus) for device in site.devices}
    node_of |= {(pole, device): node for node in site.gateways for pole, device, _ in own_devices(site, node)}
    node_of |= {(controller.pole, node): node for node, controller in site.controllers.items()}
    counts: dict[str, int] = {}
    for pole, device, rows in found:
        node = node_of[pole, device]
        counts[node] = counts.get(node, 0) + rows
    return counts


def _spool(site: Site, node: str) -> Spool:
    path = site.gateways[node].spool
    assert path is not None
    return read_spool(path)


def read_spool(path: Path) -> Spool:
    """A stopped gateway's, by the path of its file."""
    if not path.exists():
        return _NONE
    with contextlib.closing(sqlite3.connect(path)) as db:
        epoch, head, readings, dropped = db.execute("SELECT epoch, head, readings, dropped FROM state").fetchone()
        kept = dict(db.execute("SELECT sq, readings FROM packs").fetchall())
    return Spool(epoch=epoch, head=head, readings=readings, dropped=sum(json.loads(dropped).values()), kept=kept)


def read_journal(root: Path) -> Spool:
    """A stopped controller's, by its folder."""
    if not (root / "journal").exists():
        return _NONE
    kept = held(root)
    return Spool(epoch=kept.epoch, head=kept.head, readings=kept.readings, dropped=kept.dropped, kept=kept.pending)


def _off_ms(device: EmulatedDevice, point: str, time_ms: int, value: Value, far_ms: int) -> int | None:
    # a value that comes and goes was held before and later: a gateway that stood still explains it
    late = [-distance for distance in range(TOLERANCE_MS, LATE_MS + 1, STEP_MS)]
    nearest = [sign * distance for distance in range(TOLERANCE_MS, far_ms + 1, STEP_MS) for sign in (-1, 1)]
    return next((off for off in late + nearest if value in device.held(point, time_ms + off)), None)


def _is_measured(device: EmulatedDevice, point: str) -> bool:
    item = device.points[point].item
    return item is not None and item.measured
