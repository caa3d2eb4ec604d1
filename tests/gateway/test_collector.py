import asyncio

from gateway import collector as collectors
from gateway.clock import Clock
from gateway.collector import Collector
from gateway.disk.spool import Spool, SpoolFull
from gateway.disk.spool_thread import SpoolThread
from tests.gateway.spool_thread import on_its_thread
from wire import packs


def reading(index, point="x"):
    return ("P0001/air-1", point, 1_800_000_000_000 + index * 10, index, None)


class FullSpool(Spool):
    """A disk without room until `room` is set."""

    room = False

    def append(self, **arguments):
        if not self.room:
            raise SpoolFull("no room")
        return super().append(**arguments)


def run(tmp_path, scenario, kind=Spool):
    async def main():
        disk = SpoolThread(kind(path=tmp_path / "gw.db", max_bytes=8 << 20))
        told = []
        collector = Collector(disk=disk, clock=Clock(), on_durable=lambda: told.append(1))
        task = asyncio.create_task(collector.run())
        try:
            await scenario(collector, disk, told)
        finally:
            collector.stop()
            await task
            disk.close()

    asyncio.run(main())


def stored(spool):
    kept = spool.telemetry(after=0, before=1 << 40, limit=10_000) + spool.events(after=0, limit=10_000)
    return [(pack.event, reading[4]) for pack in kept for reading in packs.decode(pack.body).readings]


def held(disk):
    """What is stored, read on the thread that writes it."""
    return on_its_thread(disk, stored)


def test_events_do_not_wait_for_the_second_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(collectors, "FLUSH_S", 3600.0)

    async def scenario(collector, disk, told):
        collector.add([reading(1)], event=False)
        await asyncio.sleep(0.05)
        assert held(disk) == []
        collector.add([reading(2)], event=True)
        while not told:
            await asyncio.sleep(0.01)
        assert (True, 2) in held(disk)

    run(tmp_path, scenario)


def test_a_stop_writes_what_is_held(tmp_path):
    async def scenario(collector, disk, told):
        collector.add([reading(index) for index in range(450)], event=False)

    run(tmp_path, scenario)
    spool = Spool(path=tmp_path / "gw.db", max_bytes=8 << 20)
    assert [value for _, value in stored(spool)] == list(range(450))
    assert spool.state().head == 3
    spool.close()


def test_what_the_disk_refuses_is_held_in_order_and_written_when_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(collectors, "FLUSH_S", 0.01)

    async def scenario(collector, disk, told):
        for index in range(300):
            collector.add([reading(index)], event=index % 50 == 0)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert not told
        disk.spool.room = True
        while len(held(disk)) < 300:
            await asyncio.sleep(0.01)
        values = held(disk)
        assert [value for event, value in values if event] == list(range(0, 300, 50))
        assert [value for event, value in values if not event] == [index for index in range(300) if index % 50]
        assert collector.unspooled == 0

    run(tmp_path, scenario, FullSpool)


def test_memory_is_bounded_and_events_outlast_telemetry(tmp_path, monkeypatch):
    monkeypatch.setattr(collectors, "FLUSH_S", 0.01)
    monkeypatch.setattr(collectors, "MAX_HELD", 100)

    async def scenario(collector, disk, told):
        collector.add([reading(index, "event") for index in range(30)], event=True)
        collector.add([reading(index) for index in range(200)], event=False)
        while not collector.unspooled:
            await asyncio.sleep(0.01)
        assert collector.unspooled == 130
        disk.spool.room = True
        while len(held(disk)) < 100:
            await asyncio.sleep(0.01)
        values = held(disk)
        assert [value for event, value in values if event] == list(range(30))
        assert [value for event, value in values if not event] == list(range(130, 200))

    run(tmp_path, scenario, FullSpool)


def test_what_a_stop_finds_no_room_for_is_counted(tmp_path):
    kept = []

    async def scenario(collector, disk, told):
        collector.add([reading(index) for index in range(450)], event=False)
        kept.append(collector)

    run(tmp_path, scenario, FullSpool)
    assert kept[0].unspooled == 450


def test_durable_returns_when_what_was_added_is_on_the_disk(tmp_path):
    async def scenario(collector, disk, told):
        collector.add([reading(1)], False)
        await collector.durable()
        assert held(disk) == [(False, 1)]
        disk.spool.room = False
        collector.add([reading(2)], False)
        waiting = asyncio.create_task(collector.durable())
        await asyncio.sleep(2.5)
        assert not waiting.done()
        disk.spool.room = True
        await waiting
        assert held(disk) == [(False, 1), (False, 2)]

    class Room(FullSpool):
        room = True

    run(tmp_path, scenario, Room)
