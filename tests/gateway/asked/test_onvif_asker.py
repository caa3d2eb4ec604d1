"""A camera's emulator -> asker -> readings equal to its truth; commands through the driver; passwords kept."""

import asyncio
import contextlib
import logging

import pytest

from device_profiles import loader
from device_profiles.site_model import Device
from gateway.asked.onvif_asker import OnvifAsker
from gateway.asked.polling import Polling
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from simulators.device import EmulatedDevice
from simulators.onvif_camera import OnvifCamera
from tests.gateway.probe import Watch, running

PROFILE = loader.load(loader.files()["onvif-camera"])
PASSWORD = "p<a>ss&wörd"
HEALTH = ("reachable", "answer_ms", "clock_skew_s")
STREAM = ("stream_alive", "stream_ms")
INFORMATION = ("maker", "model", "firmware", "serial")


@contextlib.asynccontextmanager
async def scene(*, password=PASSWORD, known=PASSWORD, basic=False, wait=10.0):
    device = EmulatedDevice(profile=PROFILE, pole="P1", name="camera-1")
    asker = OnvifAsker(user="admin", password=known, basic=basic, wait=wait)
    async with OnvifCamera(device=device, password=password) as camera:
        try:
            yield camera, asker, f"127.0.0.1:{camera.port}"
        finally:
            await asker.close()


def play(part, **more):
    async def whole():
        async with scene(**more) as parts:
            return await part(*parts)

    return asyncio.run(whole())


def test_every_item_is_the_cameras_truth():
    async def part(camera, asker, at):
        said = await asker.ask(at, [*HEALTH, *INFORMATION, *STREAM])
        truth = camera.device.raws()
        for item in ("reachable", "stream_alive", *INFORMATION):
            assert said[item] == truth[item]
        assert abs(said["clock_skew_s"] - truth["clock_skew_s"]) <= 1
        for item in ("answer_ms", "stream_ms"):
            assert truth[item] - 5 <= said[item] < truth[item] + 10_000
        assert camera.dates[0].endswith(" GMT")

    play(part)


@pytest.mark.parametrize("skew", [-86_400 * 365, -301, -1, 0, 2, 400, 3_600 * 9])
def test_a_camera_with_a_wrong_clock_takes_the_password_all_the_same(skew):
    async def part(camera, asker, at):
        camera.device.hold("clock_skew", skew)
        said = await asker.ask(at, [*HEALTH, "firmware", "stream_alive"])
        assert abs(said["clock_skew_s"] - skew) <= 1
        assert said["firmware"] == camera.device.raws()["firmware"]
        assert said["stream_alive"] is True
        assert camera.refused == 0

    play(part)


def test_commands():
    async def part(camera, asker, at):
        await asker.tell(at, "goto_preset", 3)
        assert camera.preset == "3"
        await asker.tell(at, "reboot", None)
        assert camera.reboots == 1
        with pytest.raises(Refused, match="NoToken: The requested preset does not exist"):
            await asker.tell(at, "goto_preset", 300)
        with pytest.raises(Refused, match="printable"):
            await asker.tell(at, "goto_preset", "1\r\n2")
        with pytest.raises(Refused, match="goto_preset and reboot"):
            await asker.tell(at, "explode", None)

    play(part)


@pytest.mark.parametrize(("command", "raw"), [("goto_preset", 3), ("reboot", None)])
def test_a_command_whose_time_is_over_when_the_camera_is_known_does_not_leave(command, raw):
    async def part(camera, asker, at):
        def in_time():
            raise TimeoutError("expired")

        before = camera.preset
        with pytest.raises(TimeoutError, match="expired"):
            await asker.tell(at, command, raw, before=in_time)
        assert (camera.preset, camera.reboots) == (before, 0)

    play(part)


def test_a_camera_without_pan_and_tilt_says_so():
    async def part(camera, asker, at):
        camera.faults.no_ptz = True
        with pytest.raises(Refused, match="no ptz service"):
            await asker.tell(at, "goto_preset", 3)

    play(part)


def test_a_camera_that_does_not_tell_where_its_services_are_is_asked_at_one_address():
    async def part(camera, asker, at):
        camera.faults.no_capabilities = True
        assert (await asker.ask(at, ["stream_alive"])) == {"stream_alive": True}
        await asker.tell(at, "goto_preset", 2)
        assert camera.preset == "2"

    play(part)


def test_a_refused_password_is_not_repeated_and_never_told(caplog):
    caplog.set_level(logging.DEBUG)

    async def part(camera, asker, at):
        said = [await asker.ask(at, [*HEALTH, *INFORMATION, *STREAM]) for _ in range(3)]
        assert all(each["reachable"] is True and abs(each["clock_skew_s"]) < 10 for each in said)
        errors = [value for each in said for value in each.values() if isinstance(value, DeviceError)]
        with pytest.raises(Refused) as told:
            await asker.tell(at, "reboot", None)
        errors.append(told.value)
        assert camera.refused == 1
        assert "NotAuthorized" in str(errors[0])
        assert "lest the camera lock the account" in str(errors[-1])
        assert {error.quality for error in errors} == {"disabled"}
        assert not any("wr0ng" in str(error) for error in errors)
        assert "wr0ng" not in caplog.text
        assert camera.reboots == 0

    play(part, known="wr0ng")


def test_a_user_is_not_needed_where_the_camera_asks_for_none():
    async def part(camera, asker, at):
        assert (await asker.ask(at, ["model", "stream_alive"])) == {"model": "EMU-PTZ-1", "stream_alive": True}

    play(part, password="", known=None)


def test_no_user_where_the_camera_asks_for_one():
    async def part(camera, asker, at):
        nobody = OnvifAsker()
        said = await nobody.ask(at, ["reachable", "model", "stream_alive"])
        await nobody.close()
        assert said["reachable"] is True
        assert {type(said["model"]), type(said["stream_alive"])} == {Refused}

    play(part)


def test_a_camera_that_wants_the_password_even_for_its_clock():
    async def part(camera, asker, at):
        camera.faults.wants_password = True
        camera.device.hold("clock_skew", 2)  # further off, and nobody could prove anything to it
        said = await asker.ask(at, [*HEALTH, "model"])
        assert abs(said["clock_skew_s"] - camera.device.raws()["clock_skew_s"]) <= 1
        assert said["model"] == "EMU-PTZ-1"

    play(part)


def test_a_camera_that_wants_https_digest():
    async def part(camera, asker, at):
        camera.faults.wants_http_digest = True
        said = await asker.ask(at, ["model", "clock_skew_s"])
        assert said["model"] == "EMU-PTZ-1"
        assert isinstance(said["clock_skew_s"], int)

    play(part)


@pytest.mark.parametrize("schemes", [("Digest",), ("Digest-SHA-256",), ("Basic", "Digest"), ("Digest", "Basic")])
def test_the_stream_is_described_with_a_digest(schemes):
    async def part(camera, asker, at):
        camera.rtsp.faults.schemes = schemes
        said = await asker.ask(at, STREAM)
        assert said["stream_alive"] is True
        assert camera.rtsp.described == 1

    play(part)


@pytest.mark.parametrize("basic", [False, True])
def test_the_password_goes_readable_only_where_the_site_says_so(basic):
    async def part(camera, asker, at):
        camera.rtsp.faults.schemes = ("Basic",)
        said = await asker.ask(at, STREAM)
        assert camera.rtsp.described == int(basic)
        if not basic:
            assert "readable" in str(said["stream_alive"])
            assert said["stream_alive"].quality == "disabled"

    play(part, basic=basic)


def test_a_stream_that_is_not_there_is_false_and_its_time_is_unread():
    async def part(camera, asker, at):
        async def ask():
            said = await asker.ask(at, ["reachable", *STREAM])
            assert said["reachable"] is True
            assert isinstance(said["stream_ms"], (Timeout, LineDown)) != said["stream_alive"]
            return said["stream_alive"]

        assert await ask() is True
        camera.device.hold("stream_alive", False)
        assert await ask() is False
        camera.device.hold("stream_alive", True)
        assert await ask() is True
        for status in (404, 454, 500, 503):
            camera.rtsp.faults.status = status
            assert await ask() is False
        camera.rtsp.faults.status = None
        camera.rtsp.faults.no_video = True
        assert await ask() is False
        camera.rtsp.faults.no_video = False
        camera.rtsp.faults.silent = True
        assert await ask() is False
        camera.rtsp.faults.silent = False
        await camera.rtsp.vanish()
        assert await ask() is False
        await camera.rtsp.restore()
        camera.rtsp.faults.late = True
        assert await ask() is True

    play(part, wait=1.0)


def test_what_says_nothing_of_the_stream():
    async def part(camera, asker, at):
        camera.rtsp.faults.garbage = True
        assert isinstance((await asker.ask(at, STREAM))["stream_alive"], BadAnswer)
        camera.rtsp.faults.garbage = False
        for status in (302, 403):
            camera.rtsp.faults.status = status
            assert isinstance((await asker.ask(at, STREAM))["stream_alive"], Refused)

    play(part)


def test_a_silent_camera_is_not_reachable_and_the_rest_unread():
    async def part(camera, asker, at):
        camera.faults.silent = True
        said = await asker.ask(at, HEALTH)
        assert said["reachable"] is False
        assert {said[item].quality for item in HEALTH[1:]} == {"timeout"}
        with pytest.raises(Timeout):
            await asker.ask(at, STREAM)
        await camera.vanish()
        assert (await asker.ask(at, ["reachable"])) == {"reachable": False}
        with pytest.raises(LineDown):
            await asker.tell(at, "reboot", None)

    play(part, wait=0.3)


def test_a_host_that_is_no_camera_is_neither_reachable_nor_not():
    async def part(camera, asker, at):
        camera.faults.garbage = True
        with pytest.raises(BadAnswer):
            await asker.ask(at, HEALTH)

    play(part)


def test_a_camera_without_utc_has_no_skew_but_everything_else():
    async def part(camera, asker, at):
        camera.faults.no_utc = True
        camera.device.hold("clock_skew", 0)
        said = await asker.ask(at, [*HEALTH, "model", "stream_alive"])
        assert isinstance(said["clock_skew_s"], BadAnswer)
        assert (said["reachable"], said["model"], said["stream_alive"]) == (True, "EMU-PTZ-1", True)

    play(part)


def test_an_address_that_is_none_is_a_line_that_is_down():
    async def part():
        asker = OnvifAsker()
        for at in ("", "a b", "10.0.0.7:0", "http://10.0.0.7"):
            with pytest.raises(LineDown):
                await asker.ask(at, HEALTH)
        await asker.close()

    asyncio.run(part())


def test_readings_and_commands_through_the_driver():
    async def part(camera, asker, at):
        profile = PROFILE.model_copy(
            update={"polls": {name: group.model_copy(update={"every": 0.2}) for name, group in PROFILE.polls.items()}}
        )
        device = Device(pole="P1", device="camera-1", profile="onvif-camera", bus="cameras", address=at)
        watch = Watch({"onvif-camera": profile}, [device])
        driver = Polling(asker=asker, **watch.options)
        async with running(driver):
            await watch.until(lambda: {name for _, name, *_ in watch.told} == set(PROFILE.points))
            for name in ("reachable", "stream_alive", "maker", "model", "firmware", "serial_number"):
                assert watch.of("P1/camera-1", name) == [(camera.device.value(name), None)]
            [(skew, _)] = watch.of("P1/camera-1", "clock_skew")[:1]
            assert abs(skew - camera.device.value("clock_skew")) <= 1
            commands = profile.commands
            await driver.write(device, commands["goto_preset"], 7, lambda: None)
            assert camera.preset == "7"
            await driver.write(device, commands["reboot"], None, lambda: None)
            assert camera.reboots == 1
            camera.device.hold("reachable", False)
            await watch.until(lambda: (False, None) in watch.of("P1/camera-1", "reachable"))
            await watch.until(lambda: (None, "timeout") in watch.of("P1/camera-1", "stream_alive"))
            camera.device.hold("reachable", True)
            await watch.until(lambda: watch.of("P1/camera-1", "reachable")[-1] == (True, None))
        assert [event for _, name, *_, event in watch.told if name == "reachable"] == [True, True, True]

    play(part, wait=1.5)
