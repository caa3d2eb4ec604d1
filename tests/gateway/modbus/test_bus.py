"""Both lines, against a peer that does on purpose what devices do by accident."""

import asyncio
import contextlib
import os
import tty

import pytest

from gateway.modbus.bus import Bus
from gateway.modbus.serial_line import SerialLine
from gateway.modbus.tcp_line import TcpLine
from protocols import errors, modbus

READ_A, READ_B = modbus.read("holding", 0, 1), modbus.read("holding", 10, 1)
ONE, TWO = bytes.fromhex("03 02 0001"), bytes.fromhex("03 02 0002")


class Pty:
    """Each request is answered by answer(frame): a list of (delay in seconds, bytes)."""

    def __init__(self, answer):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self.slave = slave
        self.heard = []
        self._answer = answer
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self):
        frame = os.read(self.master, 256)
        self.heard.append(frame)
        for delay, data in self._answer(frame):
            asyncio.get_running_loop().call_later(delay, os.write, self.master, data)

    def close(self):
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


def on_pty(answer, play, baud=19200):
    async def scene():
        pty = Pty(answer)
        bus = Bus(name="b", line=SerialLine(port=pty.path, baud=baud))
        try:
            return await play(bus, pty)
        finally:
            await bus.close()
            pty.close()

    return asyncio.run(scene())


def test_a_late_answer_is_not_taken_for_the_next_requests():
    def answer(frame):
        if frame[1:6] == READ_A:
            return [(0.4, modbus.rtu(1, ONE))]  # 0.3 s were given
        return [(0.15, modbus.rtu(1, TWO))]  # without care, the late one would come first

    async def play(bus, pty):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.3)
        assert await bus.transact(1, READ_B, 0.3) == TWO

    on_pty(answer, play)


def test_a_late_answer_of_another_unit_is_skipped():
    def answer(frame):
        if frame[0] == 1:
            return [(0.35, modbus.rtu(1, ONE))]
        return [(0.15, modbus.rtu(2, TWO))]

    async def play(bus, pty):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.3)
        assert await bus.transact(2, READ_A, 0.3) == TWO

    on_pty(answer, play)


def test_an_answer_in_pieces_after_noise_and_stale_bytes():
    frame = modbus.rtu(1, ONE)

    async def play(bus, pty):
        assert await bus.transact(1, READ_A, 0.3) == ONE
        os.write(pty.master, b"\x01\x03\x02stale")
        await asyncio.sleep(0.05)
        assert await bus.transact(1, READ_A, 0.3) == ONE

    on_pty(lambda _: [(0.01, b"\xff\x00" + frame[:3]), (0.05, frame[3:5]), (0.1, frame[5:])], play)


def test_an_adapter_that_echoes_is_found_out_and_its_echo_confirms_no_write():
    write = modbus.write("holding", 7, [1])

    async def play(bus, pty):
        assert await bus.transact(1, READ_A, 0.3) == ONE
        with pytest.raises(errors.Timeout):
            await bus.transact(1, write, 0.3)

    on_pty(lambda frame: [(0.0, frame)] + ([(0.03, modbus.rtu(1, ONE))] if frame[1] == 3 else []), play)


def test_a_wrong_checksum_is_known_before_the_time_is_over():
    async def play(bus, pty):
        began = asyncio.get_running_loop().time()
        with pytest.raises(errors.BadAnswer) as caught:
            await bus.transact(1, READ_A, 60.0)
        assert caught.value.fault == "crc"
        assert asyncio.get_running_loop().time() - began < 20
        assert (bus.counters.requests, bus.counters.timeouts, bus.counters.errors) == (1, 0, 1)

    on_pty(lambda _: [(0.01, modbus.rtu(1, ONE)[:-1] + b"\x55")], play)


def test_a_command_goes_next_after_the_request_under_way():
    async def play(bus, pty):
        done = []

        async def ask(unit, urgent):
            await bus.transact(unit, READ_A, 0.5, urgent=urgent)
            done.append(unit)

        polls = [asyncio.create_task(ask(unit, False)) for unit in (1, 2, 3)]
        await asyncio.sleep(0.02)
        await asyncio.gather(*polls, asyncio.create_task(ask(9, True)))
        assert done == [1, 9, 2, 3]

    on_pty(lambda frame: [(0.1, modbus.rtu(frame[0], ONE))], play)


def test_who_is_cancelled_while_waiting_holds_nobody_up():
    async def play(bus, pty):
        first = asyncio.create_task(bus.transact(1, READ_A, 0.5))
        await asyncio.sleep(0.02)
        second, third = (asyncio.create_task(bus.transact(1, READ_A, 0.5)) for _ in range(2))
        await asyncio.sleep(0.02)
        second.cancel()
        assert await first == await third == ONE

    on_pty(lambda _: [(0.1, modbus.rtu(1, ONE))], play)


def test_a_port_that_is_not_there_is_said_at_once(tmp_path):
    async def play():
        bus = Bus(name="b", line=SerialLine(port=str(tmp_path / "none"), baud=9600))
        with pytest.raises(errors.LineDown, match="none"):
            await bus.transact(1, READ_A, 0.3)

    asyncio.run(play())


def on_tcp(serve, play):
    async def scene():
        async def connected(reader, writer):
            try:
                while frame := await reader.read(300):
                    await serve(frame, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        bus = Bus(name="b", line=TcpLine(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))
        try:
            await play(bus)
        finally:
            await bus.close()
            server.close()

    asyncio.run(scene())


def test_tcp_drops_late_answers_by_their_transaction():
    late = []

    async def serve(frame, writer):
        transaction = int.from_bytes(frame[:2], "big")
        if not late:
            late.append(modbus.mbap(transaction, 1, ONE))
        else:
            writer.write(late[0] + modbus.mbap(transaction, 1, TWO))

    async def play(bus):
        with pytest.raises(errors.Timeout):
            await bus.transact(1, READ_A, 0.2)
        assert await bus.transact(1, READ_A, 2) == TWO

    on_tcp(serve, play)


def test_tcp_connects_anew_after_bytes_that_are_no_frame():
    heard = []

    async def serve(frame, writer):
        heard.append(frame)
        good = modbus.mbap(int.from_bytes(frame[:2], "big"), 1, ONE)
        writer.write(b"HTTP/1.1 400 Bad Request" if len(heard) == 1 else good)

    async def play(bus):
        with pytest.raises(errors.BadAnswer) as caught:
            await bus.transact(1, READ_A, 1)
        assert caught.value.fault == "header"
        with pytest.raises(errors.LineDown):
            await bus.transact(1, READ_A, 1)
        await asyncio.sleep(0.6)
        assert await bus.transact(1, READ_A, 1) == ONE

    on_tcp(serve, play)


def test_tcp_connects_anew_to_a_peer_that_says_nothing_more():
    """A peer that lost its power closes no connection: here the first one is deaf for ever."""
    connections = []

    async def serve(frame, writer):
        if writer not in connections:
            connections.append(writer)
        if len(connections) > 1:
            writer.write(modbus.mbap(int.from_bytes(frame[:2], "big"), 1, ONE))

    async def play(bus):
        for _ in range(3):
            with pytest.raises(errors.Timeout):
                await bus.transact(1, READ_A, 0.1)
        assert await bus.transact(1, READ_A, 2) == ONE

    on_tcp(serve, play)


class Noise:
    """The line's buffer is kept full: a process that was held up finds noise in it, however long that was."""

    def __init__(self, pty):
        self._master = pty.master

    def __enter__(self):
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_writer(self._master, self._babble)

    def _babble(self):
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, b"\x55" * 512)

    def __exit__(self, *_):
        asyncio.get_running_loop().remove_writer(self._master)
        os.set_blocking(self._master, True)


def test_a_line_that_is_never_quiet_is_told_and_does_not_hold_the_bus_for_ever():
    async def play(bus, pty):
        assert await bus.transact(1, READ_A, 0.3) == ONE
        with Noise(pty):
            async with asyncio.timeout(20):
                with pytest.raises(errors.DeviceError, match="never quiet"):
                    await bus.transact(1, READ_A, 0.1)
        assert len(pty.heard) == 1, "nothing is sent into somebody else's frame"
        assert await bus.transact(1, READ_A, 0.3) == ONE

    on_pty(lambda _: [(0.01, modbus.rtu(1, ONE))], play, baud=300)
