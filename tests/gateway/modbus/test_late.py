"""Late answers, echo and wrong checksums, on a real pty and as RTU over TCP: an answer is never another request's."""

import asyncio
import contextlib
import os
import tty

import pytest

from gateway.modbus.bus import Bus
from gateway.modbus.serial_line import SerialLine
from gateway.modbus.tcp_line import RtuOverTcpLine
from protocols import errors, modbus

READ_A, READ_B = modbus.read("holding", 0, 1), modbus.read("holding", 10, 1)
ONE, TWO = bytes.fromhex("03 02 0001"), bytes.fromhex("03 02 0002")


@pytest.fixture(autouse=True)
def a_shorter_time(monkeypatch):
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.9)


class Pty:
    """A device at the other end of a pty. answer(frame): (delay in seconds, bytes) to say."""

    def __init__(self, answer):
        self.heard = []
        self._answer = answer

    async def __aenter__(self):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self.bus = Bus(name="b", line=SerialLine(port=os.ttyname(self._slave), baud=115200))
        return self

    async def __aexit__(self, *_):
        await self.bus.close()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _read(self):
        frame = os.read(self._master, 256)
        self.heard.append(frame)
        for delay, data in self._answer(frame):
            asyncio.get_running_loop().call_later(delay, self._say, data)

    def _say(self, data):
        with contextlib.suppress(OSError):
            os.write(self._master, data)


class Tcp(Pty):
    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.bus = Bus(name="b", line=RtuOverTcpLine(host="127.0.0.1", port=self._server.sockets[0].getsockname()[1]))
        return self

    async def __aexit__(self, *_):
        await self.bus.close()
        self._server.close()

    async def _connected(self, reader, writer):
        while frame := await reader.read(256):
            self.heard.append(frame)
            for delay, data in self._answer(frame):
                asyncio.get_running_loop().call_later(delay, writer.write, data)
        writer.close()


def played(kind, answer, play):
    async def scene():
        async with kind(answer) as link:
            async with asyncio.timeout(30):
                return await play(link.bus, link)

    return asyncio.run(scene())


both = pytest.mark.parametrize("kind", [Pty, Tcp])


def slowly(frame, delay=0.45):
    """The device answers everything `delay` seconds later, in order."""
    return [(delay, modbus.rtu(frame[0], ONE if frame[1:6] == READ_A else TWO))]


@both
def test_the_worst_case_the_same_unit_the_same_length_the_next_request(kind):
    """The answer comes later than twice the wait; taken for the next one, every answer would be one too late."""

    async def play(bus, link):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.1)
        for _ in range(2):
            with contextlib.suppress(errors.Timeout):
                assert await bus.transact(1, READ_B, 1.5) == TWO
                assert await bus.transact(1, READ_A, 1.5) == ONE
        assert [unit for unit, _ in bus.late()] == [1]

    played(kind, slowly, play)


@both
def test_who_is_cancelled_while_an_answer_is_waited_out_spoils_nothing(kind):
    async def play(bus, link):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.1)
        waiting = asyncio.create_task(bus.transact(1, READ_B, 1.5))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await bus.transact(1, READ_B, 1.5) == TWO

    played(kind, slowly, play)


@both
def test_who_is_cancelled_while_the_device_thinks_leaves_its_answer_to_nobody(kind):
    async def play(bus, link):
        waiting = asyncio.create_task(bus.transact(1, READ_A, 1.5))
        while not link.heard:
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await bus.transact(1, READ_B, 1.5) == TWO

    played(kind, lambda frame: slowly(frame, 0.5), play)


@both
def test_a_command_for_a_unit_that_may_still_answer_holds_nobody_else_up(kind):
    async def play(bus, link):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.1)
        command = asyncio.create_task(bus.transact(1, READ_B, 1.5, urgent=True))
        await asyncio.sleep(0)
        for _ in range(3):
            assert await bus.transact(2, READ_B, 1.5) == TWO
        assert not command.done()
        assert await command == TWO
        assert [frame[0] for frame in link.heard] == [1, 2, 2, 2, 1]

    played(kind, lambda frame: [] if frame[1:6] == READ_A else slowly(frame, 0.01), play)


@both
def test_a_late_answer_that_comes_while_another_speaks_is_known_and_counted(kind):
    def answer(frame):
        return slowly(frame, 0.4) if frame[0] == 1 else [(0.5, modbus.rtu(2, TWO))]

    async def play(bus, link):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.1)
        assert await bus.transact(2, READ_B, 1.5) == TWO
        ((unit, seconds),) = bus.late()
        assert unit == 1
        assert 0.3 < seconds < 3
        assert bus.free_at(1) == 0.0, "it has spoken, and may be asked"
        assert bus.counters.late == 1

    played(kind, answer, play)


@both
def test_the_same_once_more_is_asked_soon_and_both_its_answers_stay_its_own(kind):
    async def play(bus, link):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.3)
        assert await bus.transact(1, READ_A, 1.5) == ONE
        assert await bus.transact(1, READ_B, 1.5) == TWO

    played(kind, lambda frame: slowly(frame, 0.5), play)


@both
def test_a_damaged_answer_is_an_answer_and_nothing_more_is_waited_for(kind):
    def answer(frame):
        good = modbus.rtu(frame[0], ONE)
        return [(0.01, good[:-1] + bytes([good[-1] ^ 0x55]) if frame[1:6] == READ_A else good)]

    async def play(bus, link):
        with pytest.raises(errors.BadAnswer):
            await bus.transact(1, READ_A, 0.3)
        assert bus.free_at(1) == 0.0
        assert await bus.transact(1, READ_B, 0.3) == ONE

    played(kind, answer, play)


def test_an_echo_is_counted_and_is_no_part_of_the_latency():
    async def play(bus, link):
        for _ in range(3):
            assert await bus.transact(1, READ_A, 0.5) == ONE
        assert bus.counters.echoes == 3
        assert bus.latency >= 0.02
        assert await bus.transact(1, modbus.write("holding", 7, [1]), 0.5) == modbus.write("holding", 7, [1])

    def answer(frame):
        return [(0.0, frame), (0.03, frame if frame[1] == 6 else modbus.rtu(1, ONE))]

    played(Pty, answer, play)


def test_an_adapter_that_does_not_echo_any_more_is_believed():
    """Otherwise no write of one register would be confirmed for ever after."""
    write = modbus.write("holding", 7, [1])
    echoes = [True]

    async def play(bus, link):
        assert await bus.transact(1, READ_A, 0.5) == ONE
        echoes.clear()
        assert await bus.transact(1, READ_A, 0.5) == ONE
        assert await bus.transact(1, write, 0.5) == write

    def answer(frame):
        said = frame if frame[1] == 6 else modbus.rtu(1, ONE)
        return [(0.0, frame), (0.03, said)] if echoes else [(0.03, said)]

    played(Pty, answer, play)


def test_a_damaged_answer_behind_an_echo_is_known_at_once():
    good = modbus.rtu(1, ONE)

    async def play(bus, link):
        began = asyncio.get_running_loop().time()
        with pytest.raises(errors.BadAnswer) as caught:
            await bus.transact(1, READ_A, 60.0)
        assert caught.value.fault == "crc"
        assert asyncio.get_running_loop().time() - began < 20
        assert bus.free_at(1) == 0.0

    played(Pty, lambda frame: [(0.0, frame), (0.02, good[:-1] + b"\x55")], play)
