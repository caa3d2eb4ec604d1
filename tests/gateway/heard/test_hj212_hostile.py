"""Stations and strangers that do what they should not: the others go on, in bounded memory and time."""

import asyncio
import random
import socket
import struct
import time
import tracemalloc

import pytest
import structlog

from gateway.heard import hj212_link, hj212_listener
from tests.gateway.heard.station_lines import MN, OTHER, data, listening
from tests.protocols.test_hj212 import mutated

QUICK_S = 10.0


async def works(ears, mn=OTHER):
    """A station that behaves gets its reply at once."""
    line = await ears.dial()
    qn = str(time.monotonic_ns())
    line.send(data(mn=mn, qn=qn))
    assert (await line.answer(QUICK_S)).qn == qn
    return line


async def poured(line, data, most):
    """Writes until `most` bytes or until the other side hangs up; gives what was written."""
    written = 0
    try:
        while written < most:
            line.send(data)
            written += len(data)
            async with asyncio.timeout(5):
                await line.writer.drain()
    except (ConnectionError, TimeoutError):
        pass
    return written


BROKEN = {
    "half a frame": data()[:50] + b"\r\n",
    "garbage": b"\x00\xff\x13\x37#GET / HTTP/1.1\r\n\r\n",
    "a wrong check sum": data()[:-4] + b"00\r\n",
    "a length that lies": data().replace(b"##0", b"##1"),
    "a length that is none": b"##x123" + data()[6:],
    "a body that is none": b"##0003a=1E5C1\r\n",
    "an empty frame": b"##0000FFFF\r\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_is_no_frame_is_not_heard_and_the_next_frame_is(broken):
    async def scene(ears):
        line = await ears.dial()
        line.send(broken + data(qn="2"))
        assert (await line.answer(QUICK_S)).qn == "2"
        assert len(ears.heard) == 1

    listening(scene)


def test_a_slow_drip_is_heard():
    async def scene(ears):
        line = await ears.dial()
        for byte in data():
            line.send(bytes([byte]))
            await asyncio.sleep(0.002)
        assert (await line.answer(QUICK_S)).cn == "9014"

    listening(scene)


def test_half_a_frame_ends_the_connection_after_a_while(monkeypatch):
    monkeypatch.setattr(hj212_listener, "FRAME_S", 0.3)

    async def scene(ears):
        good, bad, dripping = await works(ears), await ears.dial(), await ears.dial()
        bad.send(data()[:-20])

        async def drip():
            for byte in data():
                dripping.send(bytes([byte]))
                await asyncio.sleep(0.05)

        drops = asyncio.create_task(drip())
        assert await bad.is_closed(QUICK_S)
        assert await dripping.is_closed(QUICK_S)
        drops.cancel()
        await works(ears)
        good.send(data(mn=OTHER, qn="9"))
        assert (await good.answer(QUICK_S)).qn == "9"
        assert MN not in [address for address, _, _ in ears.heard]

    listening(scene)


def test_silence_ends_the_connection_after_a_while(monkeypatch):
    monkeypatch.setattr(hj212_listener, "IDLE_S", 0.3)

    async def scene(ears):
        mute = await ears.dial()
        assert await mute.is_closed(QUICK_S)
        assert not ears.listener._links

    listening(scene)


def test_a_reset_in_the_middle_of_a_frame():
    async def scene(ears):
        for _ in range(20):
            line = await ears.dial()
            line.send(data()[:60])
            await line.writer.drain()
            own = line.writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.hang_up()
        await works(ears)
        await ears.until(lambda: len(ears.listener._links) <= 1)

    listening(scene)


NOTHING = {
    "zeros": b"\0" * 65_536, "line ends": b"\r\n" * 32_768, "heads": b"##" * 32_768,
    "lengths": (b"##4096" + b"x" * 4000) * 16, "broken frames": (data()[:-4] + b"00\r\n") * 500,
}  # fmt: skip


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_100_megabytes_of_nothing(nothing):
    async def scene(ears):
        good = await works(ears)
        flood = await ears.dial()
        tracemalloc.start()
        written = await poured(flood, nothing, 100_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert written < 20_000_000, "the connection was dropped"
        assert peak < 1_000_000
        good.send(data(mn=OTHER, qn="9"))
        assert (await good.answer(QUICK_S)).qn == "9"

    listening(scene)


def test_a_station_that_floods_is_slowed_down_and_the_others_are_not():
    async def scene(ears):
        flood = await ears.dial()
        pouring = asyncio.create_task(
            poured(flood, b"".join(data(qn=str(n), flag="Flag=4;") for n in range(500)), 50_000_000)
        )
        began = time.monotonic()
        await ears.until(lambda: len(ears.heard) > 5)
        for _ in range(10):
            await works(ears)
        assert len(ears.heard) < 300 + 2 * hj212_listener.FRAMES_A_SECOND * (time.monotonic() - began)
        pouring.cancel()
        flood.hang_up()

    listening(scene)


def test_a_station_that_does_not_read_its_replies_is_dropped(monkeypatch):
    monkeypatch.setattr(hj212_listener, "FRAMES_A_SECOND", 10**9)
    monkeypatch.setattr(hj212_link, "MOST_UNSENT", 4096)

    async def scene(ears):
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        own.connect(ears.listener.listening_at)
        own.setblocking(False)
        deaf = type(await ears.dial())(*await asyncio.open_connection(sock=own, limit=1024))
        assert await poured(deaf, data() * 200, 100_000_000) < 100_000_000
        await works(ears)

    listening(scene)


def test_too_many_connections(monkeypatch):
    monkeypatch.setattr(hj212_listener, "CONNECTIONS_MOST", 4)

    async def scene(ears):
        mute = [await ears.dial() for _ in range(4)]
        stations = [await works(ears, f"MN{number}") for number in range(4)]  # each takes a mute one's place
        for line in mute:
            assert await line.is_closed()
        late = await ears.dial()
        assert await late.is_closed(), "all four are stations: the fifth is sent away"
        stations[0].send(data(mn="MN0", qn="9"))
        assert (await stations[0].answer(QUICK_S)).qn == "9"
        stations[1].hang_up()
        await ears.until(lambda: len(ears.listener._links) == 3)
        await works(ears)

    listening(scene)


def test_made_up_stations_are_forgotten(monkeypatch):
    monkeypatch.setattr(hj212_listener, "FRAMES_A_SECOND", 10**9)
    monkeypatch.setattr(hj212_listener, "STATIONS_MOST", 50)

    async def scene(ears):
        line = await ears.dial()
        for number in range(500):
            line.send(data(mn=f"MN{number}", flag="Flag=4;"))
        line.send(data(qn="9") * 200)
        await line.answer()
        assert len(ears.heard) == 501
        assert len(ears.listener._stations) == 50
        for n in range(200):
            line.send(data(f"DataTime=20260801084000;a-Rtd={n}", flag="Flag=4;"))
        await ears.until(lambda: len(ears.heard) == 701)
        assert len(ears.listener._stations[MN.lower()].seen) <= hj212_listener.SEEN_MOST

    listening(scene)


def test_a_flood_of_mistakes_does_not_fill_the_log():
    with structlog.testing.capture_logs() as logs:

        async def scene(ears):
            for _ in range(20):
                line = await ears.dial()
                line.send(b"".join(BROKEN.values()) * 3)
                line.send(data(qn="9"))
                await line.answer()
                line.hang_up()

        listening(scene)
    told = [entry for entry in logs if entry["event"] == "bad frame"]
    assert len(told) == 1
    assert told[0]["fault"]
    assert told[0]["peer"].startswith("127.0.0.1:")


def test_mutated_frames_leave_the_listener_working(monkeypatch):
    monkeypatch.setattr(hj212_listener, "FRAMES_A_SECOND", 10**9)

    async def scene(ears):
        chance = random.Random(2012)
        line = await ears.dial()
        for _ in range(3000):
            line.send(mutated(chance) + (b"\r\n" + data(flag="Flag=4;") if chance.random() < 0.1 else b""))
        await line.writer.drain()
        line.send(b"\r\n" + data(qn="last", mn=OTHER))
        async with asyncio.timeout(20):
            while (await line.answer(20)).qn != "last":
                pass
        assert len(ears.heard) > 300
        await works(ears)

    listening(scene)
