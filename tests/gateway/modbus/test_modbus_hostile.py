"""Modbus devices that do their worst on a pty, on TCP and as RTU over TCP: an answer is right or an error, in time."""

import asyncio
import contextlib
import os
import time
import tracemalloc
import tty

import pytest

from gateway.modbus.bus import Bus
from gateway.modbus.serial_line import SerialLine
from gateway.modbus.tcp_line import RtuOverTcpLine, TcpLine
from protocols import errors, modbus
from simulators.device import EmulatedDevice
from simulators.rtu_over_tcp import RtuOverTcpPort

READ = modbus.read("holding", 0, 2)
GOOD = bytes.fromhex("03 04 0001 0002")
LATE = bytes.fromhex("03 04 0009 0009")
WAIT = 0.3
MB = 1 << 20


class Tcp:
    """A peer on a socket: misbehave(link, frame) is called with each request."""

    framed = staticmethod(lambda frame, pdu: modbus.mbap(int.from_bytes(frame[:2], "big"), frame[6], pdu))
    line = TcpLine

    async def __aenter__(self):
        self.misbehave = None
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.bus = Bus(name="b", line=self.line(host="127.0.0.1", port=port))
        return self

    async def __aexit__(self, *_):
        await self.bus.close()
        self._server.close()

    async def _connected(self, reader, writer):
        self._writer = writer
        with contextlib.suppress(ConnectionError):
            while frame := await reader.read(300):
                if self.misbehave is None:
                    writer.write(self.framed(frame, GOOD))
                else:
                    await self.misbehave(self, frame)
        writer.transport.abort()

    async def send(self, data):
        self._writer.write(data)
        await self._writer.drain()

    async def reset(self):
        self._writer.transport.abort()


class RtuOverTcp(Tcp):
    framed = staticmethod(lambda frame, pdu: modbus.rtu(frame[0], pdu))
    line = RtuOverTcpLine


class Pty:
    framed = staticmethod(lambda frame, pdu: modbus.rtu(frame[0], pdu))

    async def __aenter__(self):
        self.misbehave = None
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self._tasks = []
        asyncio.get_running_loop().add_reader(self.master, self._read)
        self.bus = Bus(name="b", line=SerialLine(port=os.ttyname(self.slave), baud=115200))
        return self

    async def __aexit__(self, *_):
        await self.bus.close()
        asyncio.get_running_loop().remove_reader(self.master)
        for task in self._tasks:
            task.cancel()
        os.close(self.master)
        os.close(self.slave)

    def _read(self):
        frame = os.read(self.master, 300)
        answer = self.misbehave(self, frame) if self.misbehave else self.send(self.framed(frame, GOOD))
        self._tasks.append(asyncio.ensure_future(answer))

    async def send(self, data):
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    async def reset(self):
        """A pty does not break in the middle: it is quiet from then on."""


async def silence(link, frame):
    pass


async def half_a_frame(link, frame):
    await link.send(link.framed(frame, GOOD)[:5])


async def garbage(link, frame):
    await link.send(bytes.fromhex("deadbeef00a55a1337") * 5)


async def for_someone_else(link, frame):
    other = bytearray(frame)
    other[6 if type(link) is Tcp else 0] = 9
    await link.send(link.framed(bytes(other), GOOD))


async def wrong_checksum(link, frame):
    good = link.framed(frame, GOOD)
    await link.send(good[:-1] + bytes([good[-1] ^ 0xFF]) if type(link) is not Tcp else good[:3] + b"\x01" + good[4:])


async def a_length_that_lies(link, frame):
    lying = bytes([GOOD[0], 200]) + GOOD[2:]
    await link.send(link.framed(frame, lying))


async def slow_drip(link, frame):
    for byte in link.framed(frame, GOOD):
        await link.send(bytes([byte]))
        await asyncio.sleep(0.1)


async def a_reset_in_the_middle(link, frame):
    await link.send(link.framed(frame, GOOD)[:5])
    await asyncio.sleep(0.02)
    await link.reset()


async def flood(link, frame):
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        await link.send(link.framed(bytes([9]) * len(frame), GOOD) * 20)
        await asyncio.sleep(0.005)


async def a_hundred_megabytes_of_nothing(link, frame):
    # A pty carries a few megabytes a second here: the time is bounded, not the amount.
    ends = time.monotonic() + 3
    for _ in range(1600):
        if time.monotonic() > ends:
            break
        await link.send(bytes(1 << 16))


HOSTILE = [
    silence, half_a_frame, garbage, for_someone_else, wrong_checksum, a_length_that_lies, slow_drip,
    a_reset_in_the_middle, flood, a_hundred_megabytes_of_nothing,
]  # fmt: skip


async def recovered(link):
    """The device is sane again: before long the right answer comes, and never another one."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.DeviceError):
                return await link.bus.transact(1, READ, WAIT)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", [Pty, Tcp, RtuOverTcp])
@pytest.mark.parametrize("misbehave", HOSTILE)
def test_a_hostile_device_costs_bounded_time_and_memory_and_the_next_answer_is_right(misbehave, kind):
    async def scene():
        async with kind() as link:
            assert await link.bus.transact(1, READ, WAIT) == GOOD
            link.misbehave = misbehave
            began = time.monotonic()
            with pytest.raises(errors.DeviceError):
                await link.bus.transact(1, READ, WAIT)
            assert time.monotonic() - began < 20
            link.misbehave = None
            assert await recovered(link) == GOOD

    tracemalloc.start()
    try:
        asyncio.run(scene())
        assert tracemalloc.get_traced_memory()[1] < 8 * MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [Pty, Tcp, RtuOverTcp])
def test_a_reply_to_the_last_request_is_never_taken_for_this_one(kind):
    async def scene():
        async with kind() as link:
            asked = []

            async def late(link, frame):
                asked.append(frame)
                if len(asked) == 1:
                    await asyncio.sleep(WAIT + 0.1)
                    await link.send(link.framed(frame, LATE))
                else:
                    await link.send(link.framed(frame, GOOD))

            link.misbehave = late
            with pytest.raises(errors.Timeout):
                await link.bus.transact(1, READ, WAIT)
            assert await recovered(link) == GOOD
            assert await link.bus.transact(1, READ, WAIT) == GOOD

    asyncio.run(scene())


def test_rtu_over_tcp_reads_and_is_silent_for_units_that_are_not_there(meter_profile):
    async def scene():
        device = EmulatedDevice(profile=meter_profile, pole="P1", name="m", unit=7)
        async with RtuOverTcpPort(devices=[device]) as port:
            bus = Bus(name="b", line=RtuOverTcpLine(host=port.host, port=port.port))
            request = modbus.read("input", 0, 2)
            answer = await bus.transact(7, request, 0.5)
            image = device.image()
            assert modbus.items(request, answer) == [image["input", 0], image["input", 1]]
            with pytest.raises(errors.Timeout):
                await bus.transact(8, request, 0.2)
            port.unit(7).faults.corrupt = True
            with pytest.raises(errors.BadAnswer) as caught:
                await bus.transact(7, request, 0.5)
            assert caught.value.fault == "crc"
            await bus.close()

    asyncio.run(scene())


@pytest.fixture
def meter_profile():
    from device_profiles import loader

    return loader.profile("sdm120").model_copy(
        update={
            "points": {
                name: point.model_copy(update={"emulate": None})
                for name, point in loader.profile("sdm120").points.items()
                if name == "voltage"
            }
        }
    )
