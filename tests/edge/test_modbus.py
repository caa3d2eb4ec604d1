"""The controller's Modbus master: what a line may bring, and devices that do their worst on a real pty."""

import asyncio
import json
import subprocess

from protocols import modbus
from simulators.pty import Pty

PDU = bytes.fromhex("03 04 0001 0002")
GOOD = modbus.rtu(1, PDU)
CRC, TIMEOUT = 257, 256


def test_modbus(interpreter):
    interpreter.run("modbus")


async def silence(say):
    pass


async def half_a_frame(say):
    say(GOOD[:5])


async def garbage(say):
    say(bytes.fromhex("deadbeef00a55a1337") * 5)


async def for_someone_else(say):
    say(modbus.rtu(9, PDU))


async def a_wrong_checksum(say):
    say(GOOD[:-1] + bytes([GOOD[-1] ^ 0xFF]))


async def a_length_that_lies(say):
    say(modbus.rtu(1, bytes([PDU[0], 200]) + PDU[2:]))


async def heads_of_answers(say):
    say(GOOD[:3] * 1000)


async def its_echo_alone(say):
    say(modbus.rtu(1, modbus.read("holding", 8, 2)))


async def a_slow_drip(say):
    for byte in GOOD:
        say(bytes([byte]))
        await asyncio.sleep(0.05)


async def a_flood(say):
    for _ in range(100):
        say(modbus.rtu(9, PDU) * 20)
        await asyncio.sleep(0.005)


async def a_flood_of_nothing(say):
    for _ in range(300):
        say(bytes(1 << 12))
        await asyncio.sleep(0.001)


WORST = (
    silence, half_a_frame, garbage, for_someone_else, a_wrong_checksum, a_length_that_lies, heads_of_answers,
    its_echo_alone, a_slow_drip, a_flood, a_flood_of_nothing,
)  # fmt: skip


async def recovers(interpreter, folder):
    """What the master told of each of WORST, in their order."""
    speaking = set()

    def heard(request):
        if request[3]:
            speaking.add(asyncio.ensure_future(WORST[request[3] - 1](pty.write)))
        else:
            pty.write(GOOD)

    pty = Pty(path=folder / "bus", heard=heard)
    async with pty:
        process = interpreter.start(
            "modbus_hostile", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            folder=str(folder), uart={"port": str(pty.path)}, worst=len(WORST),
        )  # fmt: skip
        try:
            output, _ = await asyncio.to_thread(process.communicate, timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, output
    return json.loads(next(line for line in output.splitlines() if line.startswith("told "))[5:])


def test_hostile_devices_cost_bounded_time_and_memory_and_the_next_answer_is_right(interpreter, tmp_path):
    told = asyncio.run(recovers(interpreter, tmp_path))
    for _, took, after, data in told:
        assert after == 0
        assert data == list(PDU[2:])
        assert took < 20_000
    codes = [code for code, *_ in told]
    assert len(codes) == len(WORST)
    assert set(codes) <= {CRC, TIMEOUT}
