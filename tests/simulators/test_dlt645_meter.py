"""The foreign master is the dlt645 package where it is installed, and bytes that were published."""

import asyncio
import time

import pytest
import serial
from dlt645.common import transform
from dlt645.protocol.protocol import DLT645Protocol

from protocols import dlt645
from protocols.errors import BadAnswer, Refused
from simulators.dlt645_meter import Dlt645Port
from tests.gateway.meters import meter

ONE, TWO = "000000000161", "181226034194"


def port_of(tmp_path, baud=19200):
    return Dlt645Port(path=tmp_path / "meters", devices=[meter(ONE), meter(TWO, seed=1)], baud=baud)


async def exchange(port, frame, *, wait=0.3):
    """What comes within `wait` seconds, each a hundred turns of the loop that the meter answers in."""
    answer = b""
    with serial.Serial(str(port.path), port.line.baud, timeout=0) as line:  # a pty has no parity
        line.write(frame)
        for _ in range(round(100 * wait)):
            await asyncio.sleep(0.01)
            answer += line.read(256)
    return answer


def run(tmp_path, play, **options):
    async def scene():
        async with port_of(tmp_path, **options) as port:
            return await play(port)

    return asyncio.run(scene())


def test_published_requests_get_what_the_meter_holds(tmp_path):
    async def play(port):
        device = port.meter(ONE).device
        for request, item, scale, point in [
            ("68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16", "02010100", 0.1, "voltage"),
            ("FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 36 35 18 16", "02030000", 0.1, "power"),
            ("68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", "00010000", 0.01, "energy"),
        ]:
            said = dlt645.items(bytes.fromhex(request), await exchange(port, bytes.fromhex(request)))
            assert said[item] * scale == pytest.approx(device.value(point))
        assert port.meter(ONE).requests == 3
        assert port.meter(TWO).requests == 0

    run(tmp_path, play)


def test_blocks_and_what_is_not_there(tmp_path):
    async def play(port):
        request = dlt645.read(ONE, "0201FF00")
        said = dlt645.items(request, await exchange(port, request))
        assert said == {"02010100": port.meter(ONE).device.raws()["02010100"], "02010200": 0, "02010300": 0}
        for item in ("02060000", "0202FF00", "04000401"):
            request = dlt645.read(ONE, item)
            refused = dlt645.items(request, await exchange(port, request))[item]
            assert isinstance(refused, Refused)
            assert refused.code == 2

    run(tmp_path, play)


def test_any_address_is_answered_by_all_and_unknown_ones_by_nobody(tmp_path):
    async def play(port):
        port.meter(ONE).faults.silent = True
        answer = await exchange(port, bytes.fromhex("68 AA AA AA AA AA AA 68 13 00 DF 16"))
        assert answer == bytes.fromhex("FE FE FE FE 68 94 41 03 26 12 18 68 93 06 C7 74 36 59 45 4B EB 16")
        assert await exchange(port, dlt645.read("000000000007", "02010100")) == b""
        assert await exchange(port, dlt645.read(TWO, "02010100")[:-2] + b"\0\x16") == b""
        assert await exchange(port, b"\xff" * 3000) == b""
        assert dlt645.items(dlt645.read(TWO, "02010100"), await exchange(port, dlt645.read(TWO, "02010100")))

    run(tmp_path, play)


def test_an_exchange_takes_the_time_of_the_wire(tmp_path):
    async def play(port):
        began = time.monotonic()
        request = dlt645.WAKE + dlt645.read(ONE, "02010100")
        answer = b""
        with serial.Serial(str(port.path), 2400, timeout=0) as line:
            line.write(request)
            while len(answer) < 22:
                await asyncio.sleep(0.001)
                answer += line.read(256)
        return time.monotonic() - began

    assert run(tmp_path, play, baud=2400) >= (20 + 22) * 11 / 2400 + 0.03


def test_faults_come_and_go(tmp_path):
    async def play(port):
        request = dlt645.read(ONE, "02010100")
        faults = port.meter(ONE).faults
        expected = {"silent": "short", "corrupt": "crc", "garbage": "noise", "half": "short", "foreign": "address"}
        for name, fault in expected.items():
            setattr(faults, name, True)
            with pytest.raises(BadAnswer) as caught:
                dlt645.items(request, await exchange(port, request))
            assert caught.value.fault == fault, name
            setattr(faults, name, False)
        for name, value, quality in (("more", True, "disabled"), ("refuses", 4, "exception-4")):
            setattr(faults, name, value)
            assert dlt645.items(request, await exchange(port, request))["02010100"].quality == quality
            setattr(faults, name, False)
        assert isinstance(dlt645.items(request, await exchange(port, request))["02010100"], int)

    run(tmp_path, play)


def test_a_port_that_vanishes_comes_back_under_its_name(tmp_path):
    async def play(port):
        with serial.Serial(str(port.path), 2400, timeout=1) as line:
            port.vanish()
            with pytest.raises(serial.SerialException):
                await asyncio.to_thread(line.read, 1)
        assert not port.path.is_symlink()
        port.restore()
        assert await exchange(port, dlt645.read(ONE, "02010100"))

    run(tmp_path, play)


def test_a_foreign_master_reads_it(tmp_path):
    """github/gitee chen-dongyu123/dlt645, an implementation that shares nothing with ours."""

    async def play(port):
        address, item = bytes.fromhex(ONE)[::-1], bytes.fromhex("02010100")[::-1]
        frame = DLT645Protocol.deserialize(await exchange(port, bytes(DLT645Protocol.build_frame(address, 0x11, item))))
        assert (bytes(frame.addr), frame.ctrl_code, bytes(frame.data[:4])) == (address, 0x91, item)
        voltage = transform.bcd_to_float(bytearray(frame.data[4:]), "XXX.X", "little")
        assert voltage == port.meter(ONE).device.value("voltage")

    run(tmp_path, play)
