"""What devices taught outlives the process, and is written for all buses together."""

import asyncio
import contextlib

from device_profiles import loader
from device_profiles.blocks import Refused
from gateway.modbus import learned
from gateway.modbus.learned import Learned

PROFILE = loader.profile("sdm120")


async def _ended(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_it_is_written_when_the_gateway_stops(tmp_path):
    path = tmp_path / "learned.json"

    async def scene():
        memory = Learned(path)
        task = asyncio.create_task(memory.run())
        await asyncio.sleep(0.01)
        unit = memory.unit("bus-1", 3, PROFILE)
        unit.slowest = 0.05
        unit.refused.add(Refused(table="input", address=12, count=2))
        await _ended(task)

    asyncio.run(scene())
    again = Learned(path).unit("bus-1", 3, PROFILE)
    assert again.slowest == 0.05
    assert again.refused == {Refused(table="input", address=12, count=2)}


def test_it_is_written_once_a_period_for_all_buses(tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "SAVE_S", 0.05)
    path = tmp_path / "learned.json"

    async def scene():
        memory = Learned(path)
        saves = []
        monkeypatch.setattr(memory, "save", lambda save=memory.save: (saves.append(1), save()))
        for bus in range(20):
            memory.unit(f"bus-{bus}", 1, PROFILE).slowest = 0.05
        task = asyncio.create_task(memory.run())
        async with asyncio.timeout(10):
            while not path.exists():
                await asyncio.sleep(0.005)
        assert len(saves) <= 2
        assert len(Learned(path)._units) == 20
        await _ended(task)

    asyncio.run(scene())
