"""The foreign master is pymodbus' client, and pyserial where bytes matter."""

import asyncio
import time

import pytest
import serial
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerRTU

from device_profiles import registers
from simulators import rtu_port
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort

BAUD = 9600


def port_of(tmp_path, meter, *, baud: int = BAUD, tick_ms: int = 3_600_000) -> RtuPort:
    devices = [
        EmulatedDevice(profile=meter, pole="P1", name=f"meter-{unit}", unit=unit, tick_ms=tick_ms) for unit in (1, 2)
    ]
    return RtuPort(path=tmp_path / "rs485-1", devices=devices, baud=baud)


async def master(port: RtuPort) -> AsyncModbusSerialClient:
    client = AsyncModbusSerialClient(str(port.path), baudrate=port.line.baud, timeout=20, retries=0)
    assert await client.connect()
    return client


def framed(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


async def exchange(port: RtuPort, frame: bytes, *, wait: float) -> bytes:
    """What comes within `wait` seconds, each a hundred turns of the loop that the units answer in."""
    answer = b""
    with serial.Serial(str(port.path), port.line.baud, timeout=0) as line:
        line.write(frame)
        for _ in range(round(100 * wait)):
            await asyncio.sleep(0.01)
            answer += line.read(256)
    return answer


def test_every_table_reads_as_the_device_holds_it(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            client = await master(port)
            device = port.unit(2).devices[0]
            inputs = (await client.read_input_registers(0, count=8, device_id=2)).registers
            for point, words in {"voltage": inputs[0:2], "power": inputs[4:6], "temperature": inputs[6:7]}.items():
                assert registers.value(device.points[point], words) == device.value(point)
            assert bool(inputs[7] >> 3 & 1) == device.value("fault")
            limit = await client.read_holding_registers(100, count=1, device_id=2)
            assert limit.registers == [device.value("limit")]
            assert (await client.read_coils(200, count=1, device_id=2)).bits[0] is True
            assert (await client.read_discrete_inputs(9, count=1, device_id=2)).bits[0] is False
            client.close()

    asyncio.run(scenario())


def test_writes_are_commands(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            client = await master(port)
            first, second = (port.unit(number).devices[0] for number in (1, 2))
            untouched = second.value("limit")
            assert not (await client.write_register(100, 10, device_id=1)).isError()
            assert first.value("limit") == 10
            assert not (await client.write_registers(100, [12], device_id=1)).isError()
            assert (await client.read_holding_registers(100, count=1, device_id=1)).registers == [12]
            assert not (await client.write_coil(200, False, device_id=1)).isError()
            assert first.value("enabled") is False
            assert not (await client.write_coils(200, [True], device_id=1)).isError()
            assert first.value("enabled") is True
            assert second.value("limit") == untouched
            client.close()

    asyncio.run(scenario())


def test_what_the_device_cannot_do_is_an_exception(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            client = await master(port)
            codes = [
                (await client.read_input_registers(8, count=1, device_id=1)).exception_code,
                (await client.read_input_registers(0, count=21, device_id=1)).exception_code,
                (await client.read_holding_registers(0, count=1, device_id=1)).exception_code,
                (await client.write_register(101, 1, device_id=1)).exception_code,
                (await client.write_register(100, 33, device_id=1)).exception_code,
                (await client.write_registers(100, [10, 11], device_id=1)).exception_code,
                (await client.readwrite_registers(read_count=1, address=0, values=[6], device_id=1)).exception_code,
            ]  # fmt: skip
            assert codes == [2, 3, 2, 2, 3, 2, 1]
            assert port.unit(1).devices[0].value("limit") not in (33, 10, 6)
            client.close()

    asyncio.run(scenario())


def test_an_unknown_function_is_framed_by_silence(tmp_path, meter):
    async def scenario() -> bytes:
        async with port_of(tmp_path, meter) as port:
            return await exchange(port, framed("0141aabb"), wait=0.5)

    assert asyncio.run(scenario()) == framed("01c101")


def test_a_coil_is_set_by_its_two_codes_alone(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            assert await exchange(port, framed("010500c80001"), wait=0.3) == framed("018503")
            assert port.unit(1).devices[0].value("enabled") is True
            assert await exchange(port, framed("010500c80000"), wait=0.3) == framed("010500c80000")
            assert port.unit(1).devices[0].value("enabled") is False

    asyncio.run(scenario())


def test_other_units_and_broken_frames_get_no_answer(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            assert await exchange(port, framed("030400000001"), wait=0.3) == b""
            assert await exchange(port, framed("010400000001")[:-1] + b"\0", wait=0.3) == b""
            assert await exchange(port, framed("010400000001")[:5], wait=0.3) == b""
            assert port.unit(1).requests == 0
            assert len(await exchange(port, framed("010400000001"), wait=0.3)) == 7

    asyncio.run(scenario())


def test_a_frame_may_come_in_pieces(tmp_path, meter, monkeypatch):
    monkeypatch.setattr(rtu_port, "_QUIET", 20.0)

    async def scenario() -> bytes:
        async with port_of(tmp_path, meter) as port:

            def talk() -> bytes:
                with serial.Serial(str(port.path), BAUD, timeout=20) as line:
                    for byte in framed("010400000001"):
                        line.write(bytes([byte]))
                        time.sleep(0.002)
                    return line.read(7)

            return await asyncio.to_thread(talk)

    assert len(asyncio.run(scenario())) == 7


@pytest.mark.parametrize("baud", [1200, 9600])
def test_an_exchange_takes_at_least_the_time_of_the_wire(tmp_path, meter, baud):
    async def scenario() -> float:
        async with port_of(tmp_path, meter, baud=baud) as port:
            client = await master(port)
            started = time.monotonic()
            assert not (await client.read_input_registers(0, count=8, device_id=1)).isError()
            took = time.monotonic() - started
            client.close()
            return took

    request, answer, silence, latency = 8, 21, 3.5, 0.01
    assert asyncio.run(scenario()) >= (request + answer) * 10 / baud + max(silence * 10 / baud, latency)


def test_faults_come_and_go(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            client = await master(port)
            unit = port.unit(1)

            async def read(number: int = 1) -> object:
                return await client.read_input_registers(0, count=2, device_id=number)

            for name, value in {"silent": True, "corrupt": True, "garbage": True, "slow": 0.5}.items():
                setattr(unit.faults, name, value)
                with pytest.raises((TimeoutError, ModbusIOException)):
                    async with asyncio.timeout(0.3):
                        await read()
                await asyncio.sleep(0.6)  # a late answer is over
                assert not (await read(2)).isError()
                unit.heal()
                assert not (await read()).isError()
            unit.faults.exception = 4
            assert (await read()).exception_code == 4
            unit.heal()
            assert not (await read()).isError()
            client.close()

    asyncio.run(scenario())


def test_a_unit_is_busy_and_flaky_and_garbles_as_often_as_told(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter, baud=115200) as port:
            unit = port.unit(1)

            async def answers(count: int) -> list[bytes]:
                return [await exchange(port, framed("010400000001"), wait=0.1) for _ in range(count)]

            good = (await answers(1))[0]
            unit.faults.busy = 2
            assert await answers(3) == [framed("018406"), framed("018406"), good]
            unit.faults.answers_every = 3
            assert sorted(await answers(6)) == [b"", b"", b"", b"", good, good]
            unit.faults.answers_every = 1
            unit.faults.corrupt_every = 2
            assert sum(answer == good for answer in await answers(4)) == 2

    asyncio.run(scenario())


def test_a_hole_is_refused_or_kept_silent(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter, baud=115200) as port:
            unit = port.unit(1)
            unit.faults.refused = frozenset({("input", 3)})
            unit.faults.mute = frozenset({("input", 5)})
            assert len(await exchange(port, framed("010400000003"), wait=0.1)) == 11
            assert await exchange(port, framed("010400000004"), wait=0.1) == framed("018402")
            assert await exchange(port, framed("010400040002"), wait=0.1) == b""
            assert len(await exchange(port, framed("010300640001"), wait=0.1)) == 7

    asyncio.run(scenario())


def test_an_adapter_echoes_and_a_line_is_noisy(tmp_path, meter):
    async def scenario() -> None:
        request = framed("010400000001")
        async with port_of(tmp_path, meter, baud=115200) as port:
            good = await exchange(port, request, wait=0.1)
            port.faults.echo = True
            assert await exchange(port, request, wait=0.1) == request + good
            port.faults.echo, port.faults.noise = False, b"\xff\x00"
            assert await exchange(port, request, wait=0.1) == good + b"\xff\x00"

    asyncio.run(scenario())


async def impatient(port: RtuPort, pause: float) -> None:
    """Two requests, the second one `pause` seconds after the first answer.

    From the port's own loop: on a loaded machine another thread would come late, and keep the silence.
    """
    loop, request, answers = asyncio.get_running_loop(), framed("010400000001"), []

    def hear(answer: bytes) -> None:
        answers.append(answer)
        if len(answers) == 1 and pause:
            loop.call_later(pause, port._heard, request)
        elif len(answers) == 1:
            port._heard(request)

    port._pty.write = hear
    port._heard(request)
    async with asyncio.timeout(20):
        while port.account.answered + port.account.broken < 2 or len(answers) < port.account.answered:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("strict", "pause", "understood"), [(True, 0, 1), (False, 0, 2), (True, 0.2, 2)])
def test_what_comes_before_the_silence_is_counted_and_a_strict_device_does_not_understand_it(
    tmp_path, meter, strict, pause, understood
):
    async def scenario() -> None:
        async with port_of(tmp_path, meter, baud=300) as port:  # 3.5 characters: 117 ms
            port.strict = strict
            await impatient(port, pause)
            assert port.account.answered == understood
            assert port.account.violations == (0 if pause else 1)

    asyncio.run(scenario())


def test_a_late_answer_runs_into_the_next_request(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter, baud=1200) as port:
            port.unit(1).faults.slow = 0.3
            answers = []
            port._pty.write = answers.append
            port._heard(framed("010400000001"))
            # 67 ms request, then 310 ms: the first answer begins within the second request
            asyncio.get_running_loop().call_later(0.33, port._heard, framed("020400000001"))
            async with asyncio.timeout(20):
                while not (answers and port.account.broken):
                    await asyncio.sleep(0.01)
            assert port.account.collisions == 1
            assert port.account.broken == 1  # the second request
            (heard,) = answers
            assert not FramerRTU.check_CRC(heard[:-2], int.from_bytes(heard[-2:], "big"))

    asyncio.run(scenario())


def test_the_account_is_the_time_that_the_line_needs(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            await exchange(port, framed("010400000008"), wait=0.1)
            await exchange(port, framed("030400000008"), wait=0.1)  # nobody
            character, silence, latency = 10 / 9600, 35 / 9600, 0.01
            asked, nobody = port.account.journal
            assert asked.wire == pytest.approx((8 + 21) * character + latency + silence)
            assert asked.end - asked.start == pytest.approx(asked.wire - silence)
            assert nobody.wire == pytest.approx(8 * character + silence)
            assert (asked.answered, nobody.answered) == (True, False)
            assert port.account.wire_s == pytest.approx(asked.wire + nobody.wire)
            assert port.account.characters == 8 + 21 + 8

    asyncio.run(scenario())


def test_a_corrupt_answer_differs_in_its_crc_alone(tmp_path, meter):
    async def scenario() -> tuple[bytes, bytes]:
        async with port_of(tmp_path, meter) as port:
            good = await exchange(port, framed("010400000001"), wait=0.3)
            port.unit(1).faults.corrupt = True
            return good, await exchange(port, framed("010400000001"), wait=0.3)

    good, bad = asyncio.run(scenario())
    assert good[:-2] == bad[:-2]
    assert framed(good[:-2].hex()) == good != bad


def test_a_port_that_vanishes_is_an_error_and_comes_back_under_its_name(tmp_path, meter):
    async def scenario() -> None:
        async with port_of(tmp_path, meter) as port:
            with serial.Serial(str(port.path), BAUD, timeout=2) as line:
                port.vanish()
                with pytest.raises(serial.SerialException):
                    await asyncio.to_thread(line.read, 1)
            with pytest.raises(serial.SerialException):
                serial.Serial(str(port.path))
            port.restore()
            assert len(await exchange(port, framed("010400000001"), wait=0.3)) == 7

    asyncio.run(scenario())
    assert not (tmp_path / "rs485-1").is_symlink()
