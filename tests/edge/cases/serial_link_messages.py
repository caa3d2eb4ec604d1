"""Messages on the serial line as the controller sees it: in fragments, each until it has come, and once."""

import asyncio
import gc
import json

from serial_link_played import FIRST, HOLD, TIMED, WILL, Played, message, told

from edge import serial_link


class Drawn:
    @staticmethod
    def urandom(count):
        return b"\x12\x34"


def recorded(path):
    with open(path) as file:
        for line in file:
            if len(line) > 5:
                gc.collect()
                yield json.loads(line.strip().rstrip(","))


async def test_a_recorded_session(args):
    """Byte for byte what tests/vectors/frames-session.json says; gateway/controllers is held against the same."""
    played, task, count = Played(), None, 0
    serial_link.os = Drawn
    for step in recorded(args["vectors"]):
        if step["does"]:
            channel, body = step["does"]
            body = body.encode()
            if channel == "connect":
                task = asyncio.create_task(played.client.connect(body))
            else:
                task = asyncio.create_task(played.client.publish(channel, len(body), (body[:5], body[5:])))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        answer = await played.hear(bytes.fromhex(step["ask"]))
        assert answer == bytes.fromhex(step["answer"]), (step["name"], answer)
        told = [(channel, bytes.fromhex(body)) for channel, body in step["told"]]
        assert played.told == told, (step["name"], played.told)
        played.told = []
        if step["done"]:
            await task
        assert task is None or task.done() == step["done"], step["name"]
        count += 1
    assert count > 12


async def test_a_long_message_goes_in_fragments_and_each_until_it_has_come(args):
    played = Played()
    await played.online()
    body = b"0123456789" * 70
    whole = message(4, body)
    publishing = await played.publishes([body[:1], body[1:300], b"", memoryview(body)[300:]])
    got = b""
    for number, first in ((2, FIRST), (3, 0), (4, 0), (5, 0)):
        for flags in (0, HOLD, 0):
            answer = await played.ask(flags)
            assert answer[1:3] == (number, 0), answer
            assert answer[4] == (0 if flags else first), answer
            assert answer[3] == (b"" if flags else whole[len(got) : len(got) + 232]), answer
        got += answer[3]
        played.came = number
    assert got == whole
    assert not publishing.done()
    assert (await played.ask())[3] == b""
    assert await publishing == ""


async def test_a_message_comes_in_fragments_and_each_counts_once(args):
    played = Played()
    await played.online()
    body = bytes(range(256)) * 6  # 1536 bytes: the longest
    whole = message(4, body)
    for number in range(1, 8):
        part = whole[232 * number - 232 : 232 * number]
        flags = FIRST if number == 1 else 0
        for other in (number - 2, number - 1, number + 1):  # frames that came late, or too early
            assert (await played.ask(flags, other & 255, part))[2] == number - 1
        assert played.told == []
        for _ in range(3):
            assert (await played.ask(flags, number, part))[2] == number
    assert played.told == [("chunk", body)]
    played.told = []
    await played.ask(FIRST, 8, message(0, b""))
    assert played.told == [("stored", b"")]
    await played.ask(FIRST, 9, message(99, b"of a later version"))
    await played.ask(FIRST, 10, message(1, b"trouble")[:6])
    await played.ask(FIRST, 11, message(1, b"again"))  # what had begun is no part of it
    assert played.told == [("stored", b""), ("command", b"again")]
    assert played.client.why is None


async def test_numbers_go_round(args):
    played = Played()
    await played.online()
    publishing = await played.publishes((b"x" * 232 for _ in range(257)), 257 * 232)
    for index in range(1, 259):
        number = index + 1 & 255
        answer = await played.ask(FIRST, index & 255, message(0, b"%d" % index))
        assert answer[1:3] == (number, index & 255), answer
        assert played.told == [("stored", b"%d" % index)]
        played.told, played.came = [], number
    await played.ask()
    assert await publishing == ""


async def test_the_time_is_told_with_and_without_a_session(args):
    played = Played()
    connecting = asyncio.create_task(told(played.client.connect(WILL)))
    await asyncio.sleep(0.01)
    at = 1_763_683_200_250
    await played.ask(TIMED, time=at.to_bytes(6, "big"))
    assert played.told == [("time", at.to_bytes(6, "big"))]
    await played.client.close()
    assert await connecting == "closed"
    await played.ask(TIMED, time=at.to_bytes(6, "big"))
    assert len(played.told) == 2


async def test_the_heap_stays_flat(args):
    if not hasattr(gc, "mem_alloc"):
        return
    played = Played()
    await played.online()
    body = bytes(600)
    used = [0] * 8
    for turn in range(8):
        for _ in range(10):
            publishing = await played.publishes([body])
            for _ in range(4):
                answer = await played.ask()
                played.came = answer[1]
            await publishing
        gc.collect()
        used[turn] = gc.mem_alloc()
    # The collector is conservative: a word that looks like a pointer holds a dead object for a turn, not for four.
    assert min(used[4:]) - min(used[:4]) < 64, used
