"""`pole send` from the operator's command line to the lamp's registers: a real broker, a real gateway, a real pty."""

import asyncio
import contextlib
import json
import signal
import sys

import aiomqtt
import pytest

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort

SITE = """
area: wuhou
gateways:
  gw-1: {{broker: "mqtt://127.0.0.1:{port}", password_file: gw-1.password, pole: P0001}}
poles:
  P0001: {{position: [30.641, 104.043]}}
buses:
  rs485-1: {{port: {folder}/bus, baud: 9600}}
devices:
  - {{pole: P0001, device: lamp-1, profile: arlight-dali, bus: rs485-1, unit: 1, channel: 3}}
"""


async def pole(*words):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pole", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def gateway(folder, broker):
    """It runs, and the broker has its birth."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pole", "gateway", "run", str(folder / "site.yaml"), "--json",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while b"broker: connected" not in await process.stderr.readline():
                assert process.returncode is None
        drain = asyncio.create_task(process.stderr.read())
        login = {"username": "operator", "password": broker.passwords["operator"]}
        async with aiomqtt.Client("127.0.0.1", broker.port, **login) as client:
            await client.subscribe("poles/+/gw-1/up/birth", qos=1)
            await asyncio.wait_for(anext(client.messages), 30)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    await drain


def test_a_lamp_is_dimmed_once_and_the_operator_is_told(broker, tmp_path):
    (tmp_path / "gw-1.password").write_text(broker.passwords["gw-1"])
    (tmp_path / "operator.password").write_text(broker.passwords["operator"])
    (tmp_path / "site.yaml").write_text(SITE.format(port=broker.port, folder=tmp_path))
    reach = ["--broker", broker.url("operator"), "--password-file", str(tmp_path / "operator.password")]
    profile = loader.profiles()["arlight-dali"]
    lamp = EmulatedDevice(profile=profile, pole="P0001", name="lamp-1", unit=1, channel=3)

    async def play():
        async with RtuPort(path=tmp_path / "bus", devices=[lamp], baud=9600), gateway(tmp_path, broker):
            code, out, err = await pole(
                "send", "P0001", "lamp-1", "set_level", "level=40", "--id", "x1", "--json", *reach
            )
            assert (code, err) == (0, "")
            replies = [json.loads(line) for line in out.splitlines()]
            assert [reply["state"] for reply in replies] == ["accepted", "done"]
            assert replies[1]["read_back"]["level"] == pytest.approx(40, abs=0.4)
            assert lamp.value("level") == pytest.approx(40, abs=0.4)

            lamp.hold("level", 90)
            code, out, _ = await pole("send", "P0001", "lamp-1", "set_level", "level=10", "--id", "x1", *reach)
            assert code == 0
            assert "repeated: nothing was done again" in out
            assert lamp.value("level") == pytest.approx(90, abs=0.4)

            code, out, _ = await pole(
                "send", "P0001", "lamp-1", "set_level", "level=10", "--expires", "0.001ms", *reach
            )
            assert code == 1
            assert lamp.value("level") == pytest.approx(90, abs=0.4)

            code, out, _ = await pole("send", "P0001", "lamp-1", "set_level", "level=400", *reach)
            assert code == 1
            assert "rejected, level is from 0 to 100, not 400" in out

            code, out, err = await pole(
                "send", "P0001", "lamp-1", "set_level", "level=20", "--site", str(tmp_path / "site.yaml")
            )
            assert (code, err) == (0, "")
            assert lamp.value("level") == pytest.approx(20, abs=0.4)

            code, _, err = await pole("send", "P0001", "lamp-l", "set_level", "level=40", *reach)
            assert code == 1
            assert "Did you mean `P0001 lamp-1`?" in err

    asyncio.run(play())


def test_wrong_words_are_explained_and_nothing_is_sent(broker):
    async def play():
        code, _, err = await pole("send", "P1", "lamp-1", "set_level", "40", "--broker", broker.url("operator"))
        assert code == 1
        assert "write NAME=VALUE" in err
        code, _, err = await pole("send", "P1", "lamp-1", "set_level", "level=4", "--broker", broker.url("operator"))
        assert code == 1
        assert "--password-file" in err

    asyncio.run(play())
