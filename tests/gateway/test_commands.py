import asyncio
import contextlib
import json
import sqlite3

import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles import loader
from device_profiles.site_model import Device
from gateway.command_log import CommandLog
from gateway.commands import Commands
from gateway.modbus.learned import Learned
from gateway.modbus.modbus_driver import ModbusDriver
from gateway.modbus.serial_line import SerialLine
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort
from wire import messages

NOW = 1_790_000_000_000
LAMPS = [Device(pole="P1", device=f"lamp-{c}", profile="arlight-dali", bus="b", unit=1, channel=c) for c in (0, 1)]


class OneBus:
    """What gateway.buses is to the commands, for one driver that stays."""

    def __init__(self, driver, devices):
        self.driver = driver
        self.devices = {(device.pole, device.device): device for device in devices}

    def device(self, pole, name):
        return self.devices.get((pole, name))

    @contextlib.asynccontextmanager
    async def lent(self, device):
        yield self.driver


class Scene:
    """Two lamps of one DALI gateway on a real pty, and the gateway's commands."""

    def __init__(self, folder):
        self.folder = folder
        self.now = NOW
        profile = loader.profiles()["arlight-dali"]
        self.lamps = [
            EmulatedDevice(profile=profile, pole="P1", name=f"lamp-{channel}", unit=1, channel=channel)
            for channel in (0, 1)
        ]
        self.port = RtuPort(path=folder / "bus", devices=self.lamps, baud=115200)
        self.driver = ModbusDriver(
            name="b", line=SerialLine(port=str(folder / "bus"), baud=115200), devices=LAMPS, profiles=loader.profiles(),
            on_readings=lambda readings, event: None, now_ms=lambda: self.now, log=structlog.get_logger(),
            dead_share=0.05, learned=Learned(),
        )  # fmt: skip
        self.bus = self.driver._bus
        self.replies = []
        self.start()

    def start(self):
        self.kept = CommandLog(self.folder / "commands.db")
        self.commands = Commands(
            buses=OneBus(self.driver, LAMPS),
            profiles=loader.profiles(),
            command_log=self.kept,
            now_ms=lambda: self.now,
            log=structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()]),
        )

    async def send(self, **more):
        return await self.send_raw(json.dumps(command(**more)).encode())

    async def send_raw(self, body):
        before = len(self.replies)

        async def reply(message):
            messages.encode(message, messages.REPLY)  # what the broker carries
            self.replies.append(message)

        await self.commands.handle(body, reply)
        return [(each["state"], each.get("reason", "")) for each in self.replies[before:]]

    @contextlib.asynccontextmanager
    async def taken_bus(self):
        """Somebody else is being asked meanwhile."""
        await self.bus._turns.take(urgent=True)
        try:
            yield
        finally:
            self.bus._turns.give()

    async def command_waits(self):
        async with asyncio.timeout(10):
            while not self.bus._turns._urgent:
                await asyncio.sleep(0.01)

    @property
    def requests(self):
        return self.port.unit(1).requests

    @property
    def level(self):
        return round(self.lamps[1].value("level"))


def command(**more):
    return {
        "id": "c1",
        "issued": NOW,
        "expires": NOW + 30_000,
        "issuer": "operator",
        "pole": "P1",
        "device": "lamp-1",
        "action": "set_level",
        "args": {"level": 25},
        **more,
    }


@contextlib.asynccontextmanager
async def scene(folder):
    lamps = Scene(folder)
    async with lamps.port:
        try:
            yield lamps
        finally:
            await lamps.bus.close()
            lamps.kept.close()


def test_a_lamp_is_dimmed_and_read_back(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            other = lamps.lamps[0].value("level")
            assert await lamps.send() == [("accepted", ""), ("done", "")]
            assert lamps.level == 25
            assert abs(lamps.replies[-1]["read_back"]["level"] - 25) < 0.4
            assert lamps.lamps[0].value("level") == other

    asyncio.run(play())


def test_a_repeated_command_does_nothing_and_says_so(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            await lamps.send()
            lamps.lamps[1].hold("level", 70)
            ((state, reason),) = await lamps.send(args={"level": 99})
            assert state == "done"
            assert reason.startswith("repeated: nothing was done again")
            assert lamps.level == 70

    asyncio.run(play())


def test_an_expired_command_does_nothing_and_says_so(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            lamps.now += 30_001
            asked = lamps.requests
            ((state, _),) = await lamps.send()
            assert state == "expired"
            assert lamps.requests == asked

    asyncio.run(play())


def test_a_command_that_expires_while_it_waits_for_the_bus_is_not_written(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            before = lamps.level
            async with lamps.taken_bus():
                sent = asyncio.create_task(lamps.send())
                await lamps.command_waits()
                lamps.now += 40_000
            states = await sent
            assert [state for state, _ in states] == ["accepted", "expired"]
            assert lamps.level == before
            assert (await lamps.send())[0][0] == "expired"

    asyncio.run(play())


def test_a_clock_that_is_set_back_while_a_command_waits_does_not_prolong_it(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            before = lamps.level
            async with lamps.taken_bus():
                sent = asyncio.create_task(lamps.send(expires=NOW + 300))
                await lamps.command_waits()
                lamps.now -= 3_600_000
                await asyncio.sleep(0.4)
            assert [state for state, _ in await sent] == ["accepted", "expired"]
            assert lamps.level == before

    asyncio.run(play())


def test_without_the_time_a_command_is_rejected_and_says_why(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            asked, lamps.commands._time_known = lamps.requests, lambda: False
            ((state, reason),) = await lamps.send()
            assert state == "rejected"
            assert "does not know the time" in reason
            assert lamps.requests == asked
            lamps.commands._time_known = lambda: True
            assert (await lamps.send())[-1][0] == "done"  # it was not spent

    asyncio.run(play())


def test_a_command_that_a_crash_interrupted_is_never_carried_out_again(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            before = lamps.level
            for state, name in (("accepted", "a"), ("started", "s")):
                assert lamps.kept.accept(name, expires=NOW + 30_000, now_ms=NOW)
                if state == "started":
                    lamps.kept.start(name)
            lamps.kept.close()
            lamps.start()
            ((state, reason),) = await lamps.send(id="s")
            assert state == "failed"
            assert "nobody knows whether the device obeyed" in reason
            ((state, reason),) = await lamps.send(id="a")
            assert state == "failed"
            assert "before it touched the device" in reason
            assert lamps.level == before

    asyncio.run(play())


def test_started_is_on_disk_before_the_device_is_touched(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            seen = []
            heard = lamps.port._request

            def request(number, pdu, span):
                with sqlite3.connect(tmp_path / "commands.db") as other:
                    seen.append((pdu[0], other.execute("SELECT state FROM command").fetchone()[0]))
                heard(number, pdu, span)

            lamps.port._request = request
            await lamps.send()
            assert seen[0] == (0x06, "started")

    asyncio.run(play())


def test_what_the_device_refuses_or_does_not_do_has_failed(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            unit = lamps.port.unit(1)
            unit.faults.exception = 4
            assert (await lamps.send(id="e"))[-1] == ("failed", "exception 4 (server device failure)")
            unit.faults.exception = None
            lamps.lamps[1].hold("level", 70)
            lamps.lamps[1].freeze("level")
            state, reason = (await lamps.send(id="f"))[-1]
            assert state == "failed"
            assert "reads 70" in reason
            unit.heal()
            unit.faults.silent = True
            assert (await lamps.send(id="g"))[-1][0] == "failed"

    asyncio.run(play())


def test_refusals_name_what_is_wrong_and_touch_no_device(tmp_path):
    bad = {
        "no device P1/lamp-9": {"device": "lamp-9"},
        "it has: set_level": {"action": "explode"},
        "exactly level": {"args": {}},
        "exactly level; not level, speed": {"args": {"level": 1, "speed": 2}},
        "from 0 to 100, not 101": {"args": {"level": 101}},
        "not 'full'": {"args": {"level": "full"}},
        "not True": {"args": {"level": True}},
        "by a day at most": {"expires": NOW + 86_400_001},
        "issued lies in the future": {"issued": NOW + 61_000, "expires": NOW + 62_000},
    }

    async def play():
        async with scene(tmp_path) as lamps:
            for wording, more in bad.items():
                ((state, reason),) = await lamps.send(**more)
                assert state == "rejected"
                assert wording in reason
            assert lamps.requests == 0
            assert lamps.bus.counters.requests == 0

    asyncio.run(play())


def test_a_log_that_takes_nothing_refuses_commands_and_ends_nothing(tmp_path):
    async def play():
        async with scene(tmp_path) as lamps:
            lamps.kept._opened().execute("PRAGMA query_only = 1")  # as when the file system went read-only, or is full
            for name in ("c1", "c2"):
                ((state, reason),) = await lamps.send(id=name)
                assert (state, lamps.requests) == ("failed", 0)
                assert reason.startswith("nothing was done: ")
            lamps.kept._opened().execute("PRAGMA query_only = 0")
            assert [state for state, _ in await lamps.send(id="c2")] == ["accepted", "done"]

    asyncio.run(play())


def test_a_damaged_log_stops_commands_until_it_is_moved_away_and_nothing_else(tmp_path):
    (tmp_path / "commands.db").write_bytes(b"no database" * 1000)

    async def play():
        async with scene(tmp_path) as lamps:
            ((state, reason),) = await lamps.send()
            assert (state, lamps.requests) == ("failed", 0)
            assert "not a database" in reason
            (tmp_path / "commands.db").rename(tmp_path / "aside")
            assert [state for state, _ in await lamps.send()] == ["accepted", "done"]

    asyncio.run(play())


class Untouched:
    async def transact(self, *_, **__):
        raise AssertionError("a device was touched")


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just({}), st.just([]))
BAD = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda key, value: json.dumps({**command(), key: value}).encode(),
        st.sampled_from(["id", "issued", "expires", "issuer", "pole", "device", "action", "args"]),
        VALUES,
    ).filter(lambda body: not _is_good(body)),
    st.builds(lambda cut: json.dumps(command()).encode()[:cut], st.integers(0, len(json.dumps(command())) - 1)),
)


def _is_good(body):
    # mutations that leave a command which may be carried out: another id, another issuer, or a time that still fits
    message = json.loads(body)
    same = {**message, "id": "c1", "issuer": "operator", "issued": NOW, "expires": NOW + 30_000}
    return same == command()


@settings(max_examples=400, deadline=None)
@given(BAD)
def test_nothing_malformed_reaches_a_device(body):
    async def play():
        kept = CommandLog(":memory:")
        commands = Commands(
            buses=OneBus(Untouched(), LAMPS), profiles=loader.profiles(), command_log=kept,
            now_ms=lambda: NOW, log=structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()]),
        )  # fmt: skip
        replies = []

        async def reply(message):
            messages.encode(message, messages.REPLY)
            replies.append(message["state"])

        await commands.handle(body, reply)
        kept.close()
        assert replies == ["rejected"] or (replies == [] and commands.malformed == 1)

    asyncio.run(play())
