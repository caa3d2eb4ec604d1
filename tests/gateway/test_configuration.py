"""Which site is in force after what: the site file, the broker, a restart. Real files; apply() only takes notes."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading

import pytest
import yaml

from device_profiles.problems import FileProblem
from gateway import configuration as configurations
from gateway.configuration import Configuration, short_sha
from gateway.disk import document
from wire import messages

OWN = {"broker": "mqtt://127.0.0.1:1883", "password_file": "gw.password", "pole": "P1"}


def site(devices=("air-1",), *, area="wuhou", buses=None, **gateway):
    return {
        "area": area,
        "gateways": {"gw-1": OWN | gateway},
        "poles": {"P1": {"position": [30.6, 104.0]}},
        "buses": {
            "rs485": {"port": "/dev/ttyS7"},
            "dali": {"host": "10.0.0.7"},
            "ap": {"protocol": "snmp", "community_file": "ap.community"},
            "stations": {"protocol": "hj212", "listen": "127.0.0.1:9002"},
        }
        | (buses or {}),
        "devices": [
            {"pole": "P1", "device": name, "profile": "xy-md03", "bus": "rs485", "unit": unit}
            for unit, name in enumerate(devices, 1)
        ],
    }  # fmt: skip


def text(*arguments, **more):
    return yaml.safe_dump(site(*arguments, **more)).encode()


class Place:
    """A folder with a site file, and the configuration of a gateway there while it runs."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "site.yaml"
        self.applied = []
        for name in ("gw.password", "ap.community"):
            (folder / name).write_text("secret\n")

    def write(self, content):
        self.path.write_bytes(content)

    @contextlib.asynccontextmanager
    async def running(self):
        self.configuration = Configuration(path=self.path)
        task = asyncio.create_task(self.configuration.run(self.apply))
        yield self.configuration
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def apply(self, new):
        self.applied.append([device.device for device in new.devices])

    @property
    def names(self):
        return [device.device for device in self.configuration.site.devices]

    @property
    def status(self):
        told = self.configuration.status()
        for each in told.values():
            messages._check_kind("config", each, "scalars")
        return told

    @property
    def reason(self):
        return self.status.get("config_refused", {}).get("reason", "")

    async def until(self, true, seconds=15):
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.02)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(configurations, "WATCH_S", 0.1)
    found = Place(tmp_path)
    found.write(text())
    return found


def test_a_changed_file_is_in_force_and_a_bad_one_is_refused_with_its_reason(place):
    async def play():
        async with place.running():
            assert place.status == {"config": {"sha": short_sha(text()), "source": "file"}}
            place.write(text(["air-1", "air-2"]))
            await place.until(lambda: place.names == ["air-1", "air-2"])
            place.write(text(["air-1"]).replace(b"xy-md03", b"xy-md04"))
            await place.until(lambda: place.reason)
            assert "'xy-md04' is not a known profile. Did you mean" in place.reason
            assert place.status["config"]["sha"] == short_sha(text(["air-1", "air-2"]))
            place.path.unlink()
            await place.until(lambda: "cannot be read" in place.reason)
            place.write(text(["air-1", "air-2"]))
            await place.until(lambda: not place.reason)
            assert place.names == ["air-1", "air-2"]

    asyncio.run(play())


def test_a_file_that_is_written_slowly_is_not_taken_in_parts(place):
    """Each part is a good site by itself: what was cut off would be devices."""

    async def play():
        async with place.running():
            names = [f"air-{index}" for index in range(12)]
            whole = yaml.safe_dump(site(names), sort_keys=False).encode()
            parts = whole.split(b"\n- ")
            place.path.write_bytes(parts[0])
            for part in parts[1:]:
                await asyncio.sleep(0.15)
                with place.path.open("ab") as file:
                    file.write(b"\n- " + part)
            await place.until(lambda: place.applied)
            assert place.applied == [names]

    asyncio.run(play())


def test_sighup_takes_the_file_at_once(place, monkeypatch):
    monkeypatch.setattr(configurations, "WATCH_S", 3600.0)  # nobody else looks at it

    async def play():
        async with place.running() as configuration:
            await asyncio.sleep(0.1)
            place.write(text(["air-9"]))
            configuration.reload()
            await place.until(lambda: place.applied == [["air-9"]])

    asyncio.run(play())


def test_the_newer_one_of_file_and_broker_is_in_force(place):
    async def play():
        async with place.running() as configuration:
            pushed = text(["pushed"])
            configuration.post(pushed, False)
            await place.until(lambda: place.names == ["pushed"])
            assert place.status["config"] == {"sha": short_sha(pushed), "source": "broker"}
            place.write(text(["file"]))
            await place.until(lambda: place.names == ["file"])
            configuration.post(pushed, True)  # the broker tells again what it retains: nothing new
            await asyncio.sleep(0.5)
            assert place.applied == [["pushed"], ["file"]]
            configuration.post(pushed, False)  # somebody pushes it again
            await place.until(lambda: place.names == ["pushed"])
            configuration.post(b"", False)
            await place.until(lambda: place.names == ["file"])
            assert place.status == {"config": {"sha": short_sha(text(["file"])), "source": "file"}}

    asyncio.run(play())


def test_after_a_restart_the_same_is_in_force(place):
    async def push():
        async with place.running() as configuration:
            configuration.post(text(["pushed"]), False)
            await place.until(lambda: ["pushed"] in place.applied)  # it is kept before it is applied

    async def start(wanted, *, retained=True):
        async with place.running() as configuration:
            assert place.names == wanted
            if retained:
                configuration.post(text(["pushed"]), True)
                await asyncio.sleep(0.5)
            assert place.names == wanted

    asyncio.run(push())
    asyncio.run(start(["pushed"]))
    place.write(text(["newer-file"]))
    asyncio.run(start(["newer-file"]))
    asyncio.run(start(["newer-file"]))


def test_after_a_restart_what_was_refused_is_still_told_and_not_judged_again(place):
    bad = text(["pushed"], area="other")

    async def start(*, retained):
        async with place.running() as configuration:
            configuration.post(bad, retained)
            await place.until(lambda: place.reason)
            refused_at = place.status["config_refused"]["time"]
            await asyncio.sleep(0.5)
            assert place.status["config_refused"] == {**place.status["config_refused"], "sha": short_sha(bad)}
            return refused_at

    first = asyncio.run(start(retained=False))
    assert asyncio.run(start(retained=True)) == first
    place.write(text(["newer-file"]))

    async def newer():
        async with place.running() as configuration:
            configuration.post(bad, True)
            await asyncio.sleep(0.5)
            assert place.status == {"config": {"sha": short_sha(text(["newer-file"])), "source": "file"}}

    asyncio.run(newer())


def test_what_is_heard_while_another_is_judged_is_judged_after_a_kill(place, monkeypatch):
    bad, good = text(["pushed"], area="other"), text(["pushed-too"])
    judged, write = Configuration._judged, configurations.last_good.write
    at_work, go_on = threading.Event(), threading.Event()

    def slow(self, offer):
        at_work.set()
        assert go_on.wait(10)
        return judged(self, offer)

    def last(spool, folder, kept):
        write(spool, folder, kept)
        if kept.refused is not None:
            raise Killed

    async def killed():
        monkeypatch.setattr(Configuration, "_judged", slow)
        monkeypatch.setattr(configurations.last_good, "write", last)
        place.configuration = Configuration(path=place.path)
        running = asyncio.create_task(place.configuration.run(place.apply))
        place.configuration.post(bad, False)
        await asyncio.to_thread(at_work.wait, 10)
        place.configuration.post(good, False)
        go_on.set()
        with pytest.raises(Killed):
            await running
        monkeypatch.undo()

    async def again():
        async with place.running() as configuration:
            configuration.post(good, True)
            await place.until(lambda: place.status["config"]["sha"] == short_sha(good))

    asyncio.run(killed())
    asyncio.run(again())


def test_after_a_restart_with_a_bad_file_the_newest_refusal_is_told(place):
    bad, worse = text(["pushed"], area="other"), b"area: ["

    async def refused():
        async with place.running() as configuration:
            place.write(worse)
            await place.until(lambda: place.status.get("config_refused", {}).get("source") == "file")
            configuration.post(bad, False)
            await place.until(lambda: place.status["config_refused"]["source"] == "broker")

    async def again():
        async with place.running() as configuration:
            configuration.post(bad, True)
            await asyncio.sleep(0.3)
            return place.status["config_refused"]["sha"]

    asyncio.run(refused())
    assert asyncio.run(again()) == short_sha(bad)
    place.write(b"area: [[")
    assert asyncio.run(again()) == short_sha(b"area: [[")


class Killed(Exception):
    pass


@pytest.mark.parametrize("bad", [b"", b"area: [", None, text(password_file="no-such.file")])
@pytest.mark.parametrize("spool", ["gw-1.db", "elsewhere/spool.db"])
def test_a_start_with_a_bad_file_or_none_uses_the_last_good_one(place, bad, spool):
    (place.folder / "elsewhere").mkdir()
    good = text(["good"], spool=spool)

    async def start():
        async with place.running():
            await asyncio.sleep(0.2)
        return place

    place.write(good)
    asyncio.run(start())
    if bad is None:
        place.path.unlink()
    else:
        place.write(bad)
    asyncio.run(start())
    assert place.names == ["good"]
    assert place.configuration.node == "gw-1"
    assert place.status["config"]["sha"] == short_sha(good)
    assert place.reason

    async def repair():
        async with place.running():
            place.write(text(["repaired"], spool=spool))
            await place.until(lambda: place.names == ["repaired"])
            assert not place.reason

    asyncio.run(repair())


def test_a_first_start_with_a_bad_file_is_no_start(place):
    place.write(b"area: [")
    with pytest.raises(FileProblem, match="not YAML"):
        Configuration(path=place.path)


@pytest.mark.parametrize("bad", [False, True])
def test_what_a_version_before_this_one_kept_is_used(place, bad):
    async def start():
        async with place.running():
            await asyncio.sleep(0.2)

    place.write(text(["good"]))
    asyncio.run(start())
    path = place.folder / "gw-1.db.config.json"
    kept = document.read(path)
    del kept["looked"]
    document.write(path, kept)
    if bad:
        place.write(b"area: [")
    asyncio.run(start())
    assert place.names == ["good"]


def test_a_damaged_last_good_is_not_used(place):
    async def start():
        async with place.running():
            await asyncio.sleep(0.2)

    asyncio.run(start())
    kept = place.folder / "gw-1.db.config.json"
    content = bytearray(kept.read_bytes())
    source = random.Random(4)
    place.write(b"area: [")
    for _ in range(100):
        torn = content[: source.randrange(len(content) - 1)] if source.random() < 0.3 else bytearray(content)
        if torn and len(torn) == len(content):
            at = source.randrange(len(torn) - 1)  # the last byte is a line end, which says nothing
            torn[at] ^= 1 << source.randrange(8)
        kept.write_bytes(torn)
        with pytest.raises(FileProblem):
            Configuration(path=place.path)
    kept.write_bytes(content)
    assert Configuration(path=place.path).site.devices


LIVE_REFUSED = {
    "area": (text(area="other"), "area: wuhou becomes other: that needs a restart"),
    "spool": (text(spool="other.db"), "gateways.gw-1.spool: "),
    "size": (text(spool_megabytes=7), "gateways.gw-1.spool_megabytes: 512 becomes 7: that needs a restart"),
    "node": (text().replace(b"gw-1", b"gw-9"), "gw-1 is missing"),
    "password": (text(password_file="none"), "there is no file"),
    "community": (text(buses={"ap": {"protocol": "snmp", "community_file": "none"}}), "buses.ap.community_file"),
}


@pytest.mark.parametrize("case", LIVE_REFUSED)
def test_what_a_running_gateway_does_not_change(place, case):
    content, reason = LIVE_REFUSED[case]

    async def play():
        async with place.running():
            place.write(content)
            await place.until(lambda: place.reason)
            assert reason in place.reason
            assert place.applied == []

    asyncio.run(play())


BEYOND = {
    "own broker": ({"broker": "mqtt://10.9.9.9:1883"}, {}, "gateways.gw-1: broker: not as in"),
    "own user": ({"user": "somebody"}, {}, "gateways.gw-1: user: not as in"),
    "own confirmation": ({"confirm": "broker"}, {}, "gateways.gw-1: confirm: not as in"),
    "a serial port": ({}, {"modem": {"port": "/dev/ttyUSB2"}}, "/dev/ttyUSB2 is in no bus"),
    "a listener": ({}, {"stations": {"protocol": "hj212", "listen": "0.0.0.0:22"}}, "0.0.0.0:22 is in no bus"),
    "a file": ({}, {"ap": {"protocol": "snmp", "community_file": "/etc/hostname"}}, "community_file: a bus with files"),
    "a file that is not there": ({}, {"ap": {"protocol": "snmp", "community_file": "/no"}}, "a bus with files"),
    "a secret for another server": (
        {},
        {
            "lora": {
                "protocol": "chirpstack",
                "broker": "mqtt://10.9.9.9:1",
                "user": "u",
                "password_file": "gw.password",
            }
        },
        "password_file: a bus with files",
    ),
}


@pytest.mark.parametrize("case", BEYOND)
def test_what_comes_from_the_broker_cannot_reach_beyond_the_file(place, case):
    gateway, buses, reason = BEYOND[case]

    async def play():
        async with place.running() as configuration:
            configuration.post(text(buses=buses, **gateway), False)
            await place.until(lambda: place.reason)
            assert reason in place.reason
            assert place.applied == []
            assert place.status["config"]["source"] == "file"

    asyncio.run(play())


def test_what_comes_from_the_broker_may_change_devices_speeds_and_hosts(place):
    async def play():
        async with place.running() as configuration:
            new = text(["a", "b"], buses={"rs485": {"port": "/dev/ttyS7", "baud": 19200}, "more": {"host": "10.0.0.8"}})
            configuration.post(new, False)
            await place.until(lambda: place.names == ["a", "b"])

    asyncio.run(play())


@pytest.mark.parametrize("junk", [b"x" * 300_000, b"\xff\xfe\x00", b"[1, 2]", b"a: &x [*x]", b"[" * 5000, b"\0"])
def test_junk_from_the_broker_is_refused_in_a_bounded_sentence(place, junk):
    async def play():
        async with place.running() as configuration:
            configuration.post(junk, False)
            await place.until(lambda: place.reason)
            assert len(place.reason) <= messages.MAX_TEXT
            assert place.applied == []

    asyncio.run(play())


def test_sighup_reaches_a_running_gateway(place):
    """The process itself: a changed site is in force, and the process goes on."""
    place.write(text(spool="gw-1.db"))
    process = subprocess.Popen(
        [sys.executable, "-m", "pole", "gateway", "run", str(place.path), "--json"], stderr=subprocess.PIPE, text=True
    )
    try:
        lines = iter(process.stderr)
        assert any("gateway starts" in line for line in lines)
        place.write(text(["air-2"]))
        os.kill(process.pid, signal.SIGHUP)
        assert any("configuration in force" in line and short_sha(text(["air-2"])) in line for line in lines)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(30) == 0
    finally:
        process.kill()
