"""A running gateway that gets another site: what is touched, and what is not."""

import asyncio
import json

import pytest
import structlog

from device_profiles import loader
from gateway import buses, collector, service
from gateway.announced import Announced
from pole.broker import Broker
from tests.gateway.counting import AREA, NODE, PROFILE, CountingDevice, Running, site
from wire import messages, topics


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The devices are counting ones, and a bus that changes rests shorter than a real line needs."""
    monkeypatch.setitem(loader.profiles(), "counting", PROFILE)
    monkeypatch.setattr(service, "QUIET_S", 0.02)
    monkeypatch.setattr(collector, "FLUSH_S", 0.1)


def test_a_bus_that_stays_is_not_touched_by_fifty_changes_of_another(broker, tmp_path):
    async def play():
        async with CountingDevice() as steady, CountingDevice() as changing:
            gateway = Running(tmp_path, broker)
            ports = {"steady": steady.port, "changing": changing.port}

            def with_units(units):
                devices = [("one", "steady", 1), *((f"d{unit}", "changing", unit) for unit in units)]
                return site(ports, devices, broker.port)

            gateway.write(with_units([1]))
            async with gateway.running():
                await gateway.until(lambda: len(steady.asked_at) > 3)
                for index in range(50):
                    await gateway.change(with_units(range(1, index % 5 + 2)))
                asked = len(steady.asked_at)
                await gateway.until(lambda: len(gateway.counts("one")) >= asked)
            assert steady.connections == 1
            assert changing.connections >= 50
            counts = gateway.counts("one")
            assert counts == list(range(1, len(counts) + 1)), "each answer of the device is a reading, once"
            gaps = [after - before for before, after in zip(steady.asked_at, steady.asked_at[1:], strict=False)]
            assert max(gaps) < 1.0, "five periods, which a noisy machine may take"

    asyncio.run(play())


def test_a_birth_names_a_new_device_before_its_first_reading_and_an_old_one_until_its_last_is_stored(broker, tmp_path):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            gateway.write(site({"b": device.port}, [("old", "b", 1)], broker.port))
            async with gateway.running():
                await gateway.until(lambda: gateway.counts("old"))
                gateway.confirms = False
                before = len(gateway.counts("old"))
                await gateway.until(lambda: len(gateway.counts("old")) > before)
                await gateway.change(site({"b": device.port}, [("new", "b", 1)], broker.port))
                await gateway.until(lambda: gateway.counts("new"))
                names = [
                    [each["device"] for each in body["devices"]] if channel == "birth" else [r[1] for r in body]
                    for channel, body in gateway.heard
                    if channel in ("birth", *topics.PACK_CHANNELS)
                ]
                births = [channel for channel, _ in gateway.heard if channel in ("birth", *topics.PACK_CHANNELS)]
                told = [births[index] for index, each in enumerate(names) if "new" in each]
                assert told[0] == "birth"
                assert "telemetry" in told
                assert gateway.devices == ["new"]
                assert [each["device"] for each in gateway.of("birth")[-1]["former"]] == ["old"]
                gateway.confirms = True  # what is under way is sent again in a while
                await gateway.until(lambda: "former" not in gateway.of("birth")[-1], 60)

    asyncio.run(play())


def test_a_birth_without_room_for_all_that_left_names_the_last_of_them(broker, tmp_path, monkeypatch):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            gateway.write(site({"b": device.port}, [("one", "b", 1)], broker.port))
            async with gateway.running():
                room = len(json.dumps(gateway.of("birth")[-1]))
            announced = Announced(tmp_path / f"{NODE}.db")
            for index in range(40):
                announced.change([("P1", f"gone-{index:02}", "counting")], epoch="e", head=1 << 40)
            gateway.heard.clear()
            gateway.confirms = False
            monkeypatch.setattr(messages, "MAX_BYTES", room + 1000)
            async with gateway.running():
                await gateway.until(lambda: "former" in gateway.of("birth")[-1])  # the first is the one of before
                names = [each["device"] for each in gateway.of("birth")[-1]["former"]]
                assert 3 < len(names) < 39
                assert names[-1] == "gone-39"
                await gateway.until(lambda: gateway.counts("one"))

    asyncio.run(play())


def test_a_bus_whose_secret_changed_is_started_anew_by_sighup(broker, tmp_path):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            content = site({"b": device.port}, [("one", "b", 1)], broker.port)
            (tmp_path / "ap.community").write_text("old")
            content["buses"]["ap"] = {"protocol": "snmp", "community_file": "ap.community"}
            gateway.write(content)
            with structlog.testing.capture_logs() as logs:
                async with gateway.running():
                    for community, stopped in (("old", []), ("new", ["ap"])):
                        (tmp_path / "ap.community").write_text(community)
                        gateway.configuration.reload()
                        before = len(of(logs, "site changed"))
                        await gateway.until(lambda: len(of(logs, "site changed")) > before)  # noqa: B023
                        assert of(logs, "site changed")[-1]["stopped"] == stopped
                    assert device.connections == 1

    asyncio.run(play())


def of(logs, event):
    return [entry for entry in logs if entry["event"] == event]


def test_commands_follow_the_site(broker, tmp_path):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            gateway.write(site({"b": device.port}, [("one", "b", 1)], broker.port))
            async with gateway.running():
                assert (await gateway.command("two", 5, "k1"))[0][0] == "rejected"
                await gateway.change(site({"b": device.port}, [("two", "b", 2)], broker.port))
                assert [state for state, _ in await gateway.command("two", 5, "k2")] == ["accepted", "done"]
                assert (await gateway.command("one", 6, "k3"))[0][0] == "rejected"
                assert device.written == [5]

    asyncio.run(play())


@pytest.mark.parametrize(("action", "ends"), [("set", "done"), ("set_slowly", "failed")])
def test_a_command_under_way_on_a_bus_that_changes_ends_or_is_answered(broker, tmp_path, monkeypatch, action, ends):
    monkeypatch.setattr(buses, "COMMAND_S", 20.0 if ends == "done" else 1.5)

    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            gateway.write(site({"b": device.port}, [("one", "b", 1)], broker.port))
            async with gateway.running():
                sending = asyncio.create_task(gateway.command("one", 5, "k1", action))
                await gateway.until(lambda: device.written == [5])
                await gateway.change(site({"b": device.port}, [("one", "b", 1), ("two", "b", 2)], broker.port))
                state, reason = (await sending)[-1]
                assert state == ends
                assert ends == "done" or "nobody knows whether the device obeyed" in reason
                await gateway.until(lambda: gateway.counts("two"))
                assert [state for state, _ in await gateway.command("one", 6, "k2")] == ["accepted", "done"]

    asyncio.run(play())


def test_a_driver_that_cannot_start_is_tried_again_and_keeps_nobody_from_working(broker, tmp_path, monkeypatch):
    made, real = [], service.driver

    def failing(*, name, **options):
        made.append(name)
        if name == "bad" and made.count("bad") < 3:
            raise OSError("no such thing")
        return real(name=name, **options)

    monkeypatch.setattr(service, "driver", failing)
    monkeypatch.setattr(buses, "RETRY_S", (0.1, 0.1))

    async def play():
        async with CountingDevice() as good, CountingDevice() as bad:
            gateway = Running(tmp_path, broker)
            ports = {"good": good.port, "bad": bad.port}
            gateway.write(site({"good": good.port}, [("one", "good", 1)], broker.port))
            async with gateway.running():
                await gateway.change(site(ports, [("one", "good", 1), ("two", "bad", 1)], broker.port))
                await gateway.until(lambda: gateway.counts("two"))
                assert made == ["good", "bad", "bad", "bad"]
                assert good.connections == 1

    asyncio.run(play())


def test_the_file_may_name_another_broker(broker, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "DRAIN_S", 0.1)  # nobody confirms there
    other = Broker(folder=tmp_path / "other", passwords=broker.passwords)
    other.start()

    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            gateway.write(site({"b": device.port}, [("one", "b", 1)], broker.port))
            async with gateway.running(), gateway.client("ingest", other) as there:
                await there.subscribe(topics.up(AREA, NODE, "telemetry"))
                gateway.write(site({"b": device.port}, [("one", "b", 1)], other.port))
                gateway.configuration.reload()
                async with asyncio.timeout(20):
                    await anext(aiter(there.messages))
                await gateway.until(lambda: gateway.status["online"] is False)
                assert device.connections == 1

    try:
        asyncio.run(play())
    finally:
        other.kill()


def test_a_site_from_the_broker_is_taken_at_once_and_a_retained_one_at_the_next_start_not_again(broker, tmp_path):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            sha = gateway.write(site({"b": device.port}, [("pushed", "b", 1)], broker.port))
            pushed = gateway.path.read_bytes()
            gateway.write(site({"b": device.port}, [("file", "b", 1)], broker.port))
            async with gateway.running(), gateway.client("operator") as operator:
                await operator.publish(topics.down(AREA, NODE, "config"), pushed, qos=1, retain=True)
                await gateway.until(lambda: gateway.counts("pushed"))
                await gateway.until(lambda: gateway.status.get("config") == {"sha": sha, "source": "broker"})
            newer = gateway.write(site({"b": device.port}, [("newer", "b", 1)], broker.port))
            gateway.heard.clear()
            async with gateway.running():
                await gateway.until(lambda: gateway.counts("newer"))
                assert gateway.status["config"] == {"sha": newer, "source": "file"}
                assert "pushed" not in gateway.devices

    asyncio.run(play())
