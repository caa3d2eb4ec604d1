"""The serial port on a real pty: what comes in portions, and who is woken when."""

import asyncio
import functools
import os
import tty

import pytest

from gateway.serial_port import SerialPort
from protocols import errors


def played(scene):
    @functools.wraps(scene)
    def test(*arguments, **named):
        asyncio.run(scene(*arguments, **named))

    return test


@pytest.fixture
def ends():
    """(what the other side writes to, the port's path)"""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


async def _port(path, **options):
    port = SerialPort(port=path, baud=9600, **options)
    port.open()
    return port


def _in_portions(master, portions, every=0.02):
    loop = asyncio.get_running_loop()
    for index, portion in enumerate(portions):
        loop.call_later(every * (index + 1), os.write, master, portion)


async def _seconds(until):
    return asyncio.get_running_loop().time() + until


@played
async def test_one_byte_wakes_who_asks_for_more(ends):
    port = await _port(ends[1])
    _in_portions(ends[0], [b"a"])
    assert await port.more(await _seconds(5))
    assert bytes(port.received) == b"a"
    port.close()


@played
async def test_who_needs_so_many_is_woken_once_they_are_there(ends):
    port = await _port(ends[1])
    _in_portions(ends[0], [b"ab", b"c", b"def"])
    assert await port.more(await _seconds(5), 6)
    assert bytes(port.received) == b"abcdef"
    port.close()


@played
async def test_the_time_is_over_before_enough_came(ends):
    port = await _port(ends[1])
    os.write(ends[0], b"ab")
    assert not await port.more(await _seconds(0.2), 3)
    assert bytes(port.received) == b"ab"  # what came is there, and the rest is counted anew
    _in_portions(ends[0], [b"c"])
    assert await port.more(await _seconds(5), 1)
    assert bytes(port.received) == b"abc"
    port.close()


@played
async def test_more_than_the_port_holds_is_not_waited_for(ends):
    port = await _port(ends[1], most=4)
    _in_portions(ends[0], [b"abc", b"def"])
    assert await port.more(await _seconds(5), 100)
    assert bytes(port.received) == b"abcd"
    _in_portions(ends[0], [b"x"])
    assert await port.more(await _seconds(5), 100)  # full: whatever comes wakes
    port.close()


@played
async def test_what_is_taken_meanwhile_does_not_count_again(ends):
    port = await _port(ends[1])
    waiting = asyncio.create_task(port.more(await _seconds(5), 3))
    os.write(ends[0], b"ab")
    while not port.received:
        await asyncio.sleep(0.01)
    port.received.clear()
    os.write(ends[0], b"c")
    assert await waiting
    assert bytes(port.received) == b"c"
    port.close()


@played
async def test_a_port_that_is_closed_wakes_who_waits(ends):
    port = await _port(ends[1])
    waiting = asyncio.create_task(port.more(await _seconds(30), 3))
    await asyncio.sleep(0.05)
    port.close()
    with pytest.raises(errors.LineDown):
        async with asyncio.timeout(5):
            await waiting
    with pytest.raises(errors.LineDown):
        await port.more(await _seconds(1))


@played
async def test_who_is_cancelled_leaves_nothing_behind(ends):
    port = await _port(ends[1])
    waiting = asyncio.create_task(port.more(await _seconds(30), 3))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    _in_portions(ends[0], [b"abc"])
    assert await port.more(await _seconds(5), 3)
    port.close()
