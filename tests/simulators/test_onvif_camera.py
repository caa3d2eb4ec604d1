"""The emulated camera, spoken to with bytes: what a client may expect of it, and what it refuses."""

import asyncio
import base64
import contextlib
import time

import pytest

from device_profiles import loader
from protocols import head, onvif, soap
from protocols.errors import Refused
from simulators.device import EmulatedDevice
from simulators.onvif_camera import WINDOW_S, OnvifCamera

PROFILE = loader.load(loader.files()["onvif-camera"])
NONCE = b"0123456789abcdef"


@contextlib.asynccontextmanager
async def scene():
    device = EmulatedDevice(profile=PROFILE, pole="P1", name="camera-1")
    device.hold("clock_skew", 100)
    async with OnvifCamera(device=device, password="secret") as camera:
        yield camera


async def sent(port, data):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    received = b""
    async with asyncio.timeout(20):
        while (found := head.split(received)) is None:
            received += await reader.read(4096)
    writer.close()
    return found[0]


async def post(camera, operation, *, off=0.0, password="secret", user="admin", nonce=NONCE):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(camera.clock() + off))
    token = soap.username_token(user=user, password=password, created=created, nonce=nonce)
    body = soap.envelope(operation.body, token)
    lines = f"POST /onvif/device_service HTTP/1.1\r\nHost: camera\r\nContent-Length: {len(body)}\r\n\r\n"
    return onvif.result(operation, (await sent(camera.port, lines.encode() + body)).body)


def test_the_password_is_taken_once_and_with_the_right_stamp():
    async def part():
        async with scene() as camera:
            assert onvif.information(await post(camera, onvif.GET_INFORMATION))["model"] == "EMU-PTZ-1"
            for wrong in (
                {},  # the same proof again
                {"nonce": b"a", "password": "Secret"},
                {"nonce": b"b", "user": "root"},
                {"nonce": b"c", "off": WINDOW_S + 2},
                {"nonce": b"d", "off": -100},  # stamped with our clock, not with the camera's
            ):
                with pytest.raises(Refused) as told:
                    await post(camera, onvif.GET_INFORMATION, **wrong)
                assert told.value.code == soap.DENIED
            assert camera.refused == 5

    asyncio.run(part())


def test_its_clock_is_told_without_a_password_and_is_wrong_as_its_profile_says():
    async def part():
        async with scene() as camera:
            body = soap.envelope(onvif.GET_TIME.body)
            head_ = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            before = time.time()
            answer = await sent(camera.port, head_ + body)
            told = onvif.device_time(onvif.result(onvif.GET_TIME, answer.body))
            assert before - 1 < told - 100 < time.time() + 1

    asyncio.run(part())


def test_what_it_does_not_know_is_a_fault():
    async def part():
        async with scene() as camera:
            with pytest.raises(Refused, match="ActionNotSupported"):
                await post(camera, onvif.Operation("device", "SetHostname"))
            with pytest.raises(Refused, match="NoProfile"):
                await post(camera, onvif.get_stream_uri("nobody"), nonce=b"2")
            with pytest.raises(Refused, match="NoProfile"):
                await post(camera, onvif.goto_preset("nobody", "1"), nonce=b"3")
            assert (await sent(camera.port, b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n<<<<")).status == 400

    asyncio.run(part())


def test_rtsp_answers_options_and_describes_only_to_who_proves_the_password():
    async def part():
        async with scene() as camera:
            port = camera.rtsp.port
            assert "DESCRIBE" in (await sent(port, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")).one("public")
            told = await sent(port, b"DESCRIBE rtsp://x/Streaming/Channels/101 RTSP/1.0\r\nCSeq: 7\r\n\r\n")
            assert (told.status, told.one("cseq")) == (401, "7")
            camera.rtsp.faults.schemes = ("Basic",)
            for password, status in ((b"admin:secret", 200), (b"admin:Secret", 401)):
                proof = base64.b64encode(password)
                told = await sent(
                    port,
                    b"DESCRIBE rtsp://x/Streaming/Channels/101 RTSP/1.0\r\nCSeq: 8\r\nAuthorization: Basic " + proof
                    + b"\r\n\r\n",
                )  # fmt: skip
                assert told.status == status
            assert (await sent(port, b"PLAY rtsp://x/ RTSP/1.0\r\nCSeq: 9\r\n\r\n")).status == 405

    asyncio.run(part())
