"""What times readings get while the clock is unset, wrong, set, set back, and the gateway or the machine restarts."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from gateway import collector as collectors
from gateway.clock import BACK_MS, GRID_MS, NTP_MS, Clock
from gateway.collector import Collector
from gateway.disk import unclocked
from gateway.disk.spool import Spool
from gateway.disk.spool_thread import SpoolThread
from wire import packs

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
POINTS = ["temperature", "humidity", "sos"]
OFF_MS = 6 * GRID_MS  # three times on a grid of 10 ms make a stamp, and readings in one step of it are told apart


@dataclass
class Made:
    """A reading that was made; errors: those that the wall clock had from then on until the reading had its stamp."""

    number: int
    at_ms: int
    boot: int
    point: str
    errors: set[int] = field(default_factory=set)
    durable: bool = False


class World:
    """A machine of which the true time is known, with one gateway that is killed and started."""

    def __init__(self, folder, error_ms):
        self._path = folder / "gw.db"
        self.true_ms = START_MS
        self.error_ms = error_ms  # of the wall clock
        self.boot = 0
        self.began = {0: START_MS - 60_000}
        self.synchronised = False
        self.made: list[Made] = []
        self._count = 0
        self.start()

    def start(self):
        self._disk = SpoolThread(Spool(path=self._path, max_bytes=8 << 20))
        state = self._disk.spool.state()
        boot, began = self.boot, self.began[self.boot]
        self.clock = Clock(
            last_ms=state.last_ms,
            set_back=state.set_back,
            wall_ns=lambda: (self.true_ms + self.error_ms) * 1_000_000,
            boot_ns=lambda: (self.true_ms - began) * 1_000_000,
            synchronised=lambda: self.synchronised,
            boot_id=f"boot-{boot}",
        )
        self.collector = Collector(disk=self._disk, clock=self.clock, on_durable=lambda: None)

    def kill(self):
        self.true_ms += 500  # nothing starts faster again
        self._disk.close()
        self.made = [each for each in self.made if each.durable]

    def reboot(self, off_ms, error_ms):
        """The machine was off for so long; its wall clock has this error now."""
        self.kill()
        self.boot += 1
        self.true_ms += off_ms
        self.began[self.boot] = self.true_ms
        self.synchronised = False
        self.wall_is_off(error_ms)
        self.start()

    def wall_is_off(self, error_ms):
        self.error_ms = error_ms
        for each in self.made:
            each.errors.add(error_ms)

    def read(self, point):
        self.true_ms += 8
        self._count += 1
        self.made.append(Made(self._count, self.true_ms, self.boot, point, {self.error_ms}))
        reading = ("P0001/air-1", point, self.clock.now_ms(), self._count, None)
        self.collector.add([reading], event=point == "sos")

    async def flush(self):
        assert await self.collector._flush()
        for each in self.made:
            each.durable = True

    def stored(self):
        """(value, quality, point, stamp) in the order of their numbers."""
        spool = self._disk.spool
        kept = spool.telemetry(after=0, before=1 << 40, limit=100_000) + spool.events(after=0, limit=100_000)
        readings = [reading for pack in sorted(kept, key=lambda pack: pack.number)
                    for reading in packs.decode(pack.body).readings]  # fmt: skip
        return [(value, quality, point, ms) for _, _, point, ms, value, quality, _ in readings]

    @property
    def state(self):
        return self._disk.spool.state()

    def stamps(self):
        return {value: ms for value, quality, _, ms in self.stored() if quality is None}


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, 60))


def test_what_was_read_without_a_clock_gets_its_time_when_the_clock_is_set(tmp_path):
    async def scenario():
        world = World(tmp_path, -START_MS)
        for _ in range(3):  # killed twice in between
            for point in POINTS:
                world.read(point)
            await world.flush()
            assert not world.clock.known
            assert world.stored() == []
            world.kill()
            world.start()
            world.true_ms += HOUR_MS
        assert world.state.unclocked == 9
        world.wall_is_off(0)
        await world.flush()
        world.read("temperature")
        await world.flush()
        stamps = world.stamps()
        assert sorted(stamps) == list(range(1, 11))
        for each in world.made:
            assert abs(stamps[each.number] - each.at_ms) <= OFF_MS
        assert world.state.unclocked == 0
        assert [value for value, _, point, _ in world.stored() if point == "temperature"] == [1, 4, 7, 10]
        world.kill()

    run(scenario())


def test_what_an_earlier_boot_left_is_told_as_late_as_it_can_have_been_and_marked(tmp_path):
    async def scenario():
        world = World(tmp_path, -START_MS)
        for _ in range(2):
            world.true_ms += HOUR_MS
            for point in POINTS:
                world.read(point)
            await world.flush()
        world.reboot(5 * HOUR_MS, -START_MS)
        world.read("temperature")
        await world.flush()
        world.true_ms += HOUR_MS
        world.wall_is_off(0)
        await world.flush()
        stored = world.stored()
        stamps = world.stamps()
        began = world.began[1]
        assert began - 1000 <= stamps[6] <= began  # the last one, when this boot began: it was 5 h earlier
        assert abs(stamps[4] - stamps[1] - HOUR_MS) <= OFF_MS  # the distances are true
        assert abs(stamps[7] - world.made[6].at_ms) <= OFF_MS
        assert [(quality, point) for value, quality, point, _ in stored if value is None] == [
            ("clock", "sos"), ("clock", "temperature"), ("clock", "humidity"),
        ]  # fmt: skip
        temperature = [(value, quality) for value, quality, point, _ in stored if point == "temperature"]
        assert temperature == [(None, "clock"), (1, None), (4, None), (7, None)]
        world.kill()

    run(scenario())


def test_a_device_that_tells_its_own_time_is_judged_when_the_time_is_known(tmp_path):
    async def scenario():
        world = World(tmp_path, -START_MS)
        told = {"late": START_MS - HOUR_MS, "now": START_MS + 100, "ahead": START_MS + HOUR_MS, "old": START_MS // 2}
        world.true_ms += 1000
        for point, ms in told.items():
            world.collector.add([("P0001/air-1", point, ms, 1, None)], event=False)
        await world.flush()
        world.true_ms += HOUR_MS
        world.wall_is_off(0)
        await world.flush()
        stamps = {point: ms for _, _, point, ms in world.stored()}
        assert stamps["late"] == told["late"]  # it sent again what it had kept
        assert stamps["now"] == told["now"]
        for wrong in ("ahead", "old"):
            assert abs(stamps[wrong] - START_MS - 1000) <= OFF_MS
        world.kill()

    run(scenario())


def test_after_the_start_of_the_machine_ntp_has_time_to_set_a_clock_that_looks_right(tmp_path):
    async def scenario():
        world = World(tmp_path, 0)
        world.reboot(2 * HOUR_MS, -2 * HOUR_MS)  # it goes on where it was switched off
        world.read("sos")
        await world.flush()
        assert not world.clock.known
        world.true_ms += NTP_MS // 2
        world.synchronised = True
        world.wall_is_off(0)
        await world.flush()
        assert abs(world.stamps()[1] - world.made[0].at_ms) <= OFF_MS
        world.reboot(HOUR_MS, -HOUR_MS)  # and now nobody comes to set it
        world.read("sos")
        await world.flush()
        assert not world.clock.known
        world.true_ms += NTP_MS
        await world.flush()
        assert world.clock.known
        assert abs(world.stamps()[2] - world.made[1].at_ms + HOUR_MS) <= OFF_MS
        world.kill()

    run(scenario())


def test_a_clock_that_is_earlier_than_the_last_stamp_is_doubted_for_some_minutes(tmp_path):
    async def scenario():
        world = World(tmp_path, 0)
        world.true_ms += NTP_MS
        world.read("temperature")
        await world.flush()
        world.kill()
        world.wall_is_off(-HOUR_MS)
        world.start()
        world.read("temperature")
        await world.flush()
        assert not world.clock.known
        world.true_ms += BACK_MS
        await world.flush()
        assert world.clock.known
        assert world.clock.set_back == 1
        stamps = world.stamps()
        assert abs(stamps[2] - world.made[1].at_ms + HOUR_MS) <= OFF_MS
        assert stamps[2] % GRID_MS != stamps[1] % GRID_MS  # so that it can be like none that was given
        world.kill()

    run(scenario())


@pytest.mark.parametrize("step_ms", [86_400_000, -HOUR_MS])
def test_a_step_moves_what_is_in_memory(tmp_path, step_ms):
    async def scenario():
        world = World(tmp_path, -step_ms)
        world.true_ms += NTP_MS
        world.read("temperature")
        await world.flush()
        assert world.clock.known
        world.collector.add([("P0001/air-1", "told", START_MS - 40 * HOUR_MS, 0, None)], event=False)
        world.read("temperature")
        world.read("humidity")
        world.true_ms += 300
        world.wall_is_off(0)
        world.read("temperature")
        await world.flush()
        stamps = world.stamps()
        assert abs(stamps[1] - world.made[0].at_ms + step_ms) <= OFF_MS  # it had its number: it stays
        for each in world.made[1:]:
            assert abs(stamps[each.number] - each.at_ms) <= OFF_MS
        assert stamps[0] == START_MS - 40 * HOUR_MS  # a device's own
        assert world.clock.steps == 1
        assert world.clock.set_back == (1 if step_ms < 0 else 0)
        world.kill()

    run(scenario())


def test_a_clock_that_drifts_makes_no_step(tmp_path):
    async def scenario():
        world = World(tmp_path, 0)
        world.true_ms += NTP_MS
        for _ in range(200):
            world.true_ms += 1000
            world.wall_is_off(world.error_ms + 10)  # 1 %
            world.read("temperature")
            world.made[-1].errors = {world.error_ms}
            await world.flush()
        assert world.clock.steps == 0
        stamps = world.stamps()
        for each in world.made:
            assert any(abs(stamps[each.number] - each.at_ms - error) <= OFF_MS for error in each.errors)
        world.kill()

    run(scenario())


def test_a_clock_that_falls_back_to_1970_is_unset_again(tmp_path):
    async def scenario():
        world = World(tmp_path, 0)
        world.true_ms += NTP_MS
        world.read("temperature")
        await world.flush()
        world.wall_is_off(-START_MS)
        world.read("temperature")
        await world.flush()
        assert not world.clock.known
        assert world.state.unclocked == 1
        world.true_ms += HOUR_MS
        world.wall_is_off(0)
        await world.flush()
        stamps = world.stamps()
        for each in world.made:
            assert abs(stamps[each.number] - each.at_ms) <= OFF_MS
        world.kill()

    run(scenario())


def test_what_is_new_queues_on_the_disk_behind_a_long_wait_but_an_event_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(unclocked, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(collectors, "TIMES_S", 0.0)

    async def scenario():
        world = World(tmp_path, -START_MS)
        for _ in range(10):
            world.read("temperature")
            await world.flush()
        world.read("sos")
        await world.flush()
        world.true_ms += NTP_MS
        world.wall_is_off(0)
        await world.flush()
        world.read("temperature")
        world.read("sos")
        await world.flush()
        assert [value for value, _, point, _ in world.stored() if point == "sos"] == [11, 13]
        assert 12 not in world.stamps()
        world.kill()  # in the middle
        world.start()
        for _ in range(8):
            await world.flush()
        assert [value for value, _, point, _ in world.stored() if point == "temperature"] == [*range(1, 11), 12]
        stamps = world.stamps()
        for each in world.made:
            assert abs(stamps[each.number] - each.at_ms) <= OFF_MS
        world.kill()

    run(scenario())


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_every_reading_is_told_once_in_its_order(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(unclocked, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(collectors, "TIMES_S", 0.0)
    chance = random.Random(seed)

    async def scenario():
        world = World(tmp_path, chance.choice([-START_MS, -HOUR_MS, 0, HOUR_MS]))
        for _ in range(60):
            await step(world, chance)
        world.wall_is_off(0)
        world.synchronised = True
        for _ in range(60):
            await world.flush()
        assert world.state.unclocked == 0
        judge(world)
        world.kill()

    run(scenario())


async def step(world, chance):
    what = chance.choices(
        ["read", "flush", "wait", "kill", "reboot", "set", "wrong", "unset"], [12, 8, 4, 2, 1, 2, 2, 1]
    )[0]
    if what == "read":
        for _ in range(chance.randint(1, 5)):
            world.read(chance.choice(POINTS))
    elif what == "flush":
        await world.flush()
    elif what == "wait":
        world.true_ms += chance.choice([7, 900, 30_000, HOUR_MS])
    elif what == "kill":
        world.kill()
        world.start()
    elif what == "reboot":
        world.reboot(chance.choice([5_000, HOUR_MS]), chance.choice([-START_MS, -HOUR_MS, 0]))
    elif what == "set":
        world.synchronised = True
        world.wall_is_off(0)
    elif what == "wrong":
        world.wall_is_off(world.error_ms + chance.choice([-HOUR_MS, -2500, -40, 40, 2500, HOUR_MS]))
    else:
        world.wall_is_off(-START_MS)


def judge(world):
    stored = [each for each in world.stored() if each[1] is None]
    made = {each.number: each for each in world.made}
    assert sorted(value for value, _, _, _ in stored) == sorted(made)
    for point in POINTS:
        mine = [(value, ms) for value, _, of, ms in stored if of == point]
        assert [value for value, _ in mine] == sorted(value for value, _ in mine)
        assert len({ms for _, ms in mine}) == len(mine), sorted(mine, key=lambda each: each[1])
    marked = {point for _, quality, point, _ in world.stored() if quality == "clock"}
    for value, _, point, ms in stored:
        each = made[value]
        if any(abs(ms - each.at_ms - error) <= OFF_MS for error in each.errors):
            continue
        # Nobody knew the time until the machine restarted, perhaps more than once.
        assert each.boot < world.boot, (value, ms - each.at_ms, each)
        assert point in marked
        assert ms <= max(world.began[world.boot] + error for error in each.errors) + OFF_MS
