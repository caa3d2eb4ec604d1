"""The folder of a small run whose store is as it should be, for tests that then spoil it."""

import asyncio
import contextlib
import json
import sqlite3
from types import SimpleNamespace

import numpy as np

from ingest.rows import Ledger, Names
from ingest.sqlite_store import SqliteStore
from simulators.truth.recorder import Recorder
from simulators.world.city_map import city_map
from wire.packs import QUALITIES

BEGAN_MS = 1_784_106_000_000
EPOCH = "9f3c21aa"
COLUMNS = (
    {"device": "lamp-1", "function": "lighting", "point": "level", "unit": "%", "kind": "number", "decimals": 0},
    {"device": "lamp-1", "function": "lighting", "point": "on", "unit": "", "kind": "bool", "decimals": 0},
    {"device": "air-1", "function": "air", "point": "temperature", "unit": "Cel", "kind": "number", "decimals": 1},
)


class StoredRun:
    """poles, every third step each, in two kits. packs: (pole, number) -> [(row of the store), …]; `lacking` ones were
    produced and are neither in the store nor in the ledger."""

    def __init__(self, folder, *, poles=7, steps=12, offsets=None, lacking=(), seed=1, not_good=0.1):
        self.folder = folder
        self.city = city_map(seed=1, poles=poles)
        self.order = {
            "seed": 1, "poles": poles, "agents": 0, "wires": 0, "began_ms": BEGAN_MS, "every_s": 30,
        }  # fmt: skip
        self.tables = [
            {"kit": "lane", "columns": list(COLUMNS[:2]), "poles": list(range(0, poles, 2))},
            {"kit": "street", "columns": list(COLUMNS), "poles": list(range(1, poles, 2))},
        ]
        self.packs = {}
        self.account = {}
        chance = np.random.default_rng(seed)
        recorder = Recorder(folder=folder / "truth", header={**self.order, "began_ms": 0, "tables": self.tables})
        for step in range(steps):
            recorder.step(step, [self._taken(step, number, chance, offsets, not_good) for number in range(2)])
        recorder.close()
        for pole in range(poles):
            head = max(number for other, number in self.packs if other == pole)
            self.account[self.node(pole)] = {"ep": EPOCH, "head": head, "stored": head, "pending": [], "dropped": []}
        self.write(lacking)

    def node(self, pole):
        return f"{self.city.names[pole]}-node"

    @property
    def readings(self):
        return sum(len(rows) for rows in self.packs.values())

    def write(self, lacking=()):
        """run.json, account.json and the store."""
        run = {"order": self.order, "store": "sqlite:readings.db"}
        (self.folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
        self.tell()
        kept = {pack: rows for pack, rows in self.packs.items() if pack not in lacking}
        asyncio.run(self.store(SqliteStore(path=self.folder / "readings.db"), kept))

    def tell(self):
        """account.json as `account` is now."""
        (self.folder / "account.json").write_text(json.dumps({"nodes": self.account}), encoding="utf-8")

    def has(self, pole, key, *ranges):
        """The node says that it has these packs, pending or dropped."""
        node = self.account[self.node(pole)]
        node[key] = [list(each) for each in ranges]
        node["stored"] -= sum(last - first + 1 for first, last in ranges)
        self.tell()

    async def store(self, store, packs):
        try:
            for (pole, number), rows in packs.items():
                area, newest = self.city.area[pole], rows[0][5]
                await store.write(
                    Names().runs(rows), [Ledger(area, self.node(pole), EPOCH, number, len(rows), 0, 90, newest)]
                )
        finally:
            await store.close()

    def sql(self, statement, *values):
        """Spoils the store; how many rows it changed."""
        with contextlib.closing(sqlite3.connect(self.folder / "readings.db", isolation_level=None)) as db:
            return db.execute(statement, values).rowcount

    def _taken(self, step, number, chance, offsets, not_good):
        table = self.tables[number]
        rows = np.array([row for row, pole in enumerate(table["poles"]) if pole % 3 == step % 3], dtype=np.int64)
        shape = (len(rows), len(table["columns"]))
        raw = chance.integers(10, 400, shape)
        raw[:, 1] %= 2
        quality = (chance.random(shape) < not_good).astype(np.uint8) * chance.integers(1, 5, shape).astype(np.uint8)
        offset = np.array([(offsets or {}).get((table["poles"][row], step), 100 + row) for row in rows], dtype=np.int64)
        for row, table_row in enumerate(rows.tolist()):
            self._keep(table, table["poles"][table_row], step, int(offset[row]), raw[row], quality[row])
        return number, rows, offset, raw, quality

    def _keep(self, table, pole, step, offset, raw, quality):
        number = 1 + sum(other == pole for other, _ in self.packs)
        time_ms = BEGAN_MS + step * 10_000 + offset
        rows = []
        for column, value, code in zip(table["columns"], raw.tolist(), quality.tolist(), strict=True):
            good = bool(value) if column["kind"] == "bool" else value / 10 ** column["decimals"]
            rows.append((
                column["function"], self.city.area[pole], self.city.names[pole], column["device"], column["point"],
                time_ms, None if code else good, QUALITIES[code - 1] if code else None,
            ))  # fmt: skip
        self.packs[pole, number] = rows


def one(rows, *, point, coded=False):
    """(pole, device, time, value, quality) of the only row of a pack that is of this point; None where it is not so."""
    found = [SimpleNamespace(pole=row[2], device=row[3], time=row[5], value=row[6], quality=row[7]) for row in rows
             if row[4] == point and (row[7] is not None) == coded]  # fmt: skip
    return found[0] if found else None
