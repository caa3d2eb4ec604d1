"""A month of a city as fast as it goes: the world steps, what its poles read goes straight into a store.

There is no broker and no pack: a store gets rows, many steps of them in one write, series by series. While they are
written the world goes on. SQLite takes one writer and large transactions; an InfluxDB several writes at once, each of
them small enough for its limits.
"""

import asyncio
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from device_profiles import loader
from ingest.errors import Unavailable
from ingest.rows import Run
from ingest.store_url import open_store
from ingest.stores import Store
from pole.fleet.backfill_plan import STEP_MS, BackfillError, Folder
from pole.fleet.backfill_rows import Rows, series
from simulators.causes import STEP_S
from simulators.fleet.production import Production
from simulators.sensing.sensors import Sensors
from simulators.truth.blocks import FILE
from simulators.truth.recorder import Recorder
from simulators.world.city_map import city_map
from simulators.world.world import World
from wire.backoff import Backoff

ROWS_A_WRITE = {"sqlite": 400_000, "influx": 25_000}  # an InfluxDB 1 takes bodies of 25 MB at most
WRITERS = {"sqlite": 1, "influx": 4}
ATTEMPTS = 8  # to write, over about a minute
BYTES_A_READING = 32  # in a SQLite file: 25 were measured
MANY_SERIES = 1_000_000  # max-series-per-database of an InfluxDB 1 as it is shipped


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Steps that the world has made and is to make; readings that were stored, and how long that took."""

    step: int
    steps: int
    readings: int
    seconds: float
    catching_up: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """stored: steps of which everything is in the store. store_bytes: None where it is not a file."""

    complete: bool
    steps: int
    stored: int
    readings: int
    seconds: float
    readings_per_s: float
    series: int
    store: str
    store_bytes: int | None
    truth_bytes: int
    folder: str


class Backfill:
    """show(progress) is called as it goes. Raises BackfillError, FileProblem, OSError."""

    def __init__(self, *, folder: Folder, token: str, show: Callable[[Progress], None]) -> None:
        plan = folder.plan
        self._folder, self._plan, self._show = folder, plan, show
        self._kind = "sqlite" if plan.store.startswith("sqlite:") else "influx"
        causes = plan.causes()
        city = city_map(seed=plan.seed, poles=plan.poles)
        world = World(seed=plan.seed, city=city, causes=causes, start=plan.start)
        every = np.full(plan.poles, plan.every_s // STEP_S, dtype=np.int64)
        sensors = Sensors(seed=plan.seed, city=city, profiles=loader.profiles(), causes=causes, every=every)
        self.series = series(sensors.tables)[self._kind]
        self.estimate = sum(len(table.poles) * len(table.columns) for table in sensors.tables) * (
            plan.steps * STEP_S // plan.every_s
        )
        self._check_room()
        # Beside the one that is there, which stays the store's until this one has come as far.
        self._truth = folder.path / "truth.new"
        self._recorder = Recorder(folder=self._truth, header=self._header(sensors))
        self._production = Production(
            world=world, city=city, sensors=sensors, every=every, nodes=np.ones(plan.poles, dtype=np.bool_),
            truth=self._recorder, spread=False,
        )  # fmt: skip
        self._rows = Rows(city=city, tables=sensors.tables, by_instant=self._kind == "influx")
        self._stores = [open_store(plan.store, token=token) for _ in range(WRITERS[self._kind])]
        self._free: asyncio.Queue[Store] = asyncio.Queue()
        self._under_way: deque[tuple[int, asyncio.Task[int]]] = deque()  # (its last step, a write), in order
        self._readings = 0
        self._began = self._writing_since = time.monotonic()

    async def run(self, stop: asyncio.Event) -> Outcome:
        """Until the last step, or until stop is set: what was read until then is stored."""
        before = self._folder.stored
        for store in self._stores:
            self._free.put_nowait(store)
        step = -1
        try:
            while step + 1 < self._plan.steps and not stop.is_set():
                step = self._step(before)
                if self._rows.readings >= ROWS_A_WRITE[self._kind]:
                    await self._write(step)
                await asyncio.sleep(0)  # a signal, or a write that is done
            if step > before:
                await self._write(step)
            await self._settle(0)
        finally:
            for _, task in self._under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in self._under_way), return_exceptions=True)
            await asyncio.gather(*(store.close() for store in self._stores), return_exceptions=True)
        self._keep_truth(step, before)
        return self._outcome()

    def _step(self, before: int) -> int:
        step, readings = self._production.advance()
        if step > before:  # what is stored already goes through the world again, which costs little
            for each in readings:
                self._rows.add(self._plan.began_ms + step * STEP_MS, each)
        else:
            self._writing_since = time.monotonic()
            if step % 1000 == 0:
                self._tell(step, catching_up=True)
        return step

    async def _write(self, step: int) -> None:
        await self._settle(len(self._stores) - 1)
        store = await self._free.get()
        self._under_way.append((step, asyncio.create_task(self._put(store, self._rows.take()))))

    async def _put(self, store: Store, runs: list[Run]) -> int:
        waits = Backoff(first=0.5, most=16.0)
        for attempt in range(ATTEMPTS):
            try:
                await store.write(runs, [])
                break
            except Unavailable as error:
                if attempt + 1 == ATTEMPTS:
                    raise BackfillError(
                        f"{error}. What is stored stays; the same command goes on from there"
                    ) from error
                await asyncio.sleep(waits.next())
        self._free.put_nowait(store)
        return sum(len(values) for _, _, _, values, _ in runs)

    async def _settle(self, most: int) -> None:
        """Waits until so many writes are under way at most, and notes what is stored without a gap."""
        while self._under_way and (len(self._under_way) > most or self._under_way[0][1].done()):
            step, task = self._under_way[0]
            self._readings += await task
            self._under_way.popleft()
            self._folder.note(step, complete=step + 1 == self._plan.steps)
            self._tell(step)

    def _tell(self, step: int, *, catching_up: bool = False) -> None:
        self._show(
            Progress(
                step=step + 1, steps=self._plan.steps, readings=self._readings, catching_up=catching_up,
                seconds=time.monotonic() - self._writing_since,
            )
        )  # fmt: skip

    def _keep_truth(self, step: int, before: int) -> None:
        self._recorder.close()
        if step < before:  # stopped while it was catching up
            shutil.rmtree(self._truth)
            return
        kept = self._folder.path / "truth"
        kept.mkdir(exist_ok=True)
        (self._truth / FILE).replace(kept / FILE)
        self._truth.rmdir()

    def _outcome(self) -> Outcome:
        seconds = time.monotonic() - self._writing_since
        return Outcome(
            complete=self._folder.complete, steps=self._plan.steps, stored=self._folder.stored + 1,
            readings=self._readings, seconds=round(time.monotonic() - self._began, 2),
            readings_per_s=round(self._readings / max(seconds, 1e-9)), series=self.series, store=self._plan.store,
            store_bytes=size(self._plan.store), truth_bytes=(self._folder.path / "truth" / FILE).stat().st_size,
            folder=str(self._folder.path),
        )  # fmt: skip

    def _header(self, sensors: Sensors) -> Mapping[str, object]:
        plan = self._plan
        return {
            "seed": plan.seed, "scenario": list(plan.scenarios), "poles": plan.poles, "start": plan.start.isoformat(),
            "every": plan.every_s, "depths": {"agent": 0, "wire": 0},
            "tables": [
                {
                    "kit": table.kit, "poles": table.poles.tolist(),
                    "columns": [asdict(column) for column in table.columns],
                }
                for table in sensors.tables
            ],
        }  # fmt: skip

    def _check_room(self) -> None:
        if self._kind != "sqlite":
            return
        path = file_of(self._plan.store)
        needed = self.estimate * BYTES_A_READING * (1 - (self._folder.stored + 1) / self._plan.steps)
        free = shutil.disk_usage(path.parent).free
        if needed > free:
            raise BackfillError(
                f"{path} would grow by about {needed / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free;"
                " take fewer --poles or --days, or a longer --every"
            )


def file_of(store: str) -> Path:
    """Of a SQLite store's URL."""
    return Path(store.removeprefix("sqlite:").partition("?")[0])


def size(store: str) -> int | None:
    """Bytes of a SQLite store on the disk; None of another."""
    if not store.startswith("sqlite:"):
        return None
    path = file_of(store)
    return sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())
