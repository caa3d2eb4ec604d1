"""What devices taught outlives the process, and is written for all buses together."""

import asyncio
import contextlib

import pytest
import structlog

from device_profiles import loader
from device_profiles.blocks import MAX_REGISTERS, Limits, Refused
from gateway.modbus import learned
from gateway.modbus.exploring import Lesson
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


def taught(path):
    memory = Learned(path)
    unit = memory.unit("bus-1", 3, PROFILE)
    unit.take(Lesson(refused=[Refused(table="input", address=12, count=2)], block=40, given=40))
    memory.save()
    return memory


def is_empty(unit):
    return (unit.block, unit.slowest, unit.refused) == (MAX_REGISTERS, 0.0, set())


def test_what_was_learned_bounds_the_next_plan(tmp_path):
    taught(tmp_path / "l.json")
    limits = Learned(tmp_path / "l.json").unit("bus-1", 3, PROFILE).within(Limits(block=60, gap=4, overhead=9.0))
    refused = frozenset({Refused(table="input", address=12, count=2)})
    assert limits == Limits(block=40, gap=4, overhead=9.0, refused=refused)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "[]", "7", '"x"', "\x00\xff", '{"bus-1": 1}', '{"bus-1": []}', '{"bus-1": {"3": {}}}',
        '{"bus-1": {"3": null}}', "[" * 100_000, '{"bus-1": {"3": {"profile": "p 1"}}}',
        *(
            '{{"bus-1": {{"3": {{"profile": "p 1", "block": {}, "slowest": {}, "refused": {}}}}}}}'.format(*bad)
            for bad in [
                ('"x"', "0", "[]"), ("1e999", "0", "[]"), ("9", "NaN", "[]"), ("9", "-1", "[]"), ("9", "1e9", "[]"),
                ("9", "0", "7"), ("9", "0", "[7]"), ("9", "0", '[["input", 1]]'), ("9", "0", '[["disk", 1, 1]]'),
                ("9", "0", '[["input", 1e999, 1]]'), ("null", "0", "[]"), ("9", "null", "[]"), ("9", "0", '{"a": 1}'),
            ]
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_is_said_once_and_costs_nothing_but_what_it_held(tmp_path, text):
    path = tmp_path / "l.json"
    path.write_text(text, encoding="latin-1")
    with structlog.testing.capture_logs() as logs:
        memory = Learned(path)
    assert [entry["event"] for entry in logs] == ["what devices taught cannot be read: it is learned again"]
    assert str(path) in logs[0]["file"]
    assert is_empty(memory.unit("bus-1", 3, PROFILE))
    memory.unit("bus-1", 3, PROFILE).slowest = 0.05
    memory.save()
    assert Learned(path).unit("bus-1", 3, PROFILE).slowest == 0.05


def test_every_cut_of_the_file_is_survived(tmp_path):
    path = tmp_path / "l.json"
    taught(path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert is_empty(Learned(path).unit("bus-1", 3, PROFILE))


def test_another_device_or_another_version_of_its_profile_has_taught_nothing(tmp_path):
    taught(tmp_path / "l.json")
    for other in (loader.profile("sdm230"), PROFILE.model_copy(update={"version": PROFILE.version + 1})):
        assert is_empty(Learned(tmp_path / "l.json").unit("bus-1", 3, other))
    assert not is_empty(Learned(tmp_path / "l.json").unit("bus-1", 3, PROFILE))


def test_the_same_unit_of_another_bus_has_taught_nothing(tmp_path):
    memory = taught(tmp_path / "l.json")
    assert is_empty(memory.unit("bus-2", 3, PROFILE))
    assert is_empty(memory.unit("bus-1", 30, PROFILE))
    assert not is_empty(memory.unit("bus-1", 3, PROFILE))


def test_a_disk_that_takes_nothing_is_said_once_and_tried_again(tmp_path):
    path = tmp_path / "l.json"
    obstacle = tmp_path / "l.json.new"
    obstacle.mkdir()
    with structlog.testing.capture_logs() as logs:
        memory = taught(path)
        memory.unit("bus-1", 4, PROFILE).slowest = 0.2
        memory.save()
    assert [entry["event"] for entry in logs] == ["what devices taught is not written down"]
    assert not path.exists()
    obstacle.rmdir()
    memory.save()  # nothing changed meanwhile
    assert not is_empty(Learned(path).unit("bus-1", 3, PROFILE))


def test_a_write_that_ends_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "l.json"
    memory = taught(path)
    before = path.read_bytes()
    memory.unit("bus-1", 4, PROFILE).slowest = 0.2

    def cut(self, text, **_):
        with self.open("w") as file:
            file.write(text[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", cut)
    memory.save()
    assert path.read_bytes() == before


def test_what_did_not_change_is_not_written(tmp_path):
    path = tmp_path / "l.json"
    memory = taught(path)
    path.unlink()
    memory.save()
    assert not path.exists()
    memory.unit("bus-1", 3, PROFILE).slowest = 0.004  # every answer changes it a little
    memory.save()
    assert not path.exists()
    memory.unit("bus-1", 3, PROFILE).slowest = 0.04
    memory.save()
    assert path.exists()


def test_a_memory_without_a_file_ends_with_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taught(None)
    assert list(tmp_path.iterdir()) == []
