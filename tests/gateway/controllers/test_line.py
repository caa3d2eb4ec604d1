"""One question and what comes back, on a real pty: the answer in portions, an echo, noise, somebody else, nobody."""

import asyncio
import functools

import pytest

from gateway.controllers.frame import ANSWER, Frame, encode
from gateway.controllers.line import ANSWER_S, Line
from protocols import errors
from simulators.pty import Pty

QUESTION = Frame(address=17, session=b"\x12\x34", number=3, came=4)
RIGHT = Frame(address=17, flags=ANSWER, session=b"\x12\x34", number=5, came=3, part=b"[]")


def played(scene):
    """The scene gets the line, and what the other side sends back: a list of (seconds, bytes) for each question."""

    @functools.wraps(scene)
    def test(tmp_path):
        async def play():
            sends, heard = [], []

            def hears(data):
                heard.append(data)
                for after, piece in sends:
                    asyncio.get_running_loop().call_later(after, pty.write, piece)

            pty = Pty(path=tmp_path / "port", heard=hears)
            async with pty:
                line = Line(port=str(pty.path), baud=115200)
                try:
                    await scene(line, sends, heard)
                finally:
                    line.close()

        asyncio.run(play())

    del test.__wrapped__
    return test


async def ask(line):
    async with asyncio.timeout(5):
        return await line.ask(lambda: QUESTION)


@played
async def test_the_answer_comes_in_portions(line, sends, heard):
    whole = encode(RIGHT)
    sends += [(0.01 * index, whole[index : index + 1]) for index in range(len(whole))]
    assert await ask(line) == RIGHT
    assert heard == [encode(QUESTION)]


@played
async def test_what_is_around_the_answer_does_not_hurt_it(line, sends, heard):
    other = encode(Frame(address=18, flags=ANSWER))
    for before in (b"\x00", b"\xff\x12", b"\xff\x00", encode(QUESTION), other, b"\x05\x00" + other[1:]):
        for behind in (b"", b"\xff", b"\x00\x00"):
            sends[:] = [(0.001, before + encode(RIGHT) + behind)]
            assert await ask(line) == RIGHT
    assert line.damaged > 0


@played
async def test_nobody_answers(line, sends, heard):
    for silence in ([], [(0.001, encode(QUESTION))], [(0.001, encode(Frame(address=18, flags=ANSWER)))]):
        sends[:] = silence
        with pytest.raises(errors.Timeout):
            await ask(line)
    assert line.damaged == 0
    assert line.busy_s >= 3 * ANSWER_S


@played
async def test_what_comes_is_damaged(line, sends, heard):
    whole = bytearray(encode(RIGHT))
    whole[5] ^= 1
    sends += [(0.001, bytes(whole))]
    with pytest.raises(errors.BadAnswer):
        await ask(line)
    assert line.damaged == 1
    sends[:] = [(0.001, bytes(whole[:-3]))]
    with pytest.raises(errors.BadAnswer):
        await ask(line)


@played
async def test_a_late_answer_is_not_the_answer_to_the_next_question(line, sends, heard):
    with pytest.raises(errors.Timeout):
        await ask(line)
    sends[:] = [(0.001, encode(RIGHT))]
    assert await ask(line) == RIGHT
    later = Frame(address=17, flags=ANSWER, session=b"\x12\x34", number=6, came=3)
    await asyncio.sleep(0.05)
    sends[:] = [(0.02, encode(later))]
    assert await ask(line) == later


@played
async def test_noise_without_an_end_is_not_waited_for(line, sends, heard):
    sends += [(0.002 * index, b"\x55\x00\x07") for index in range(2000)]
    with pytest.raises(errors.BadAnswer):
        await ask(line)


def test_a_port_that_is_not_there(tmp_path):
    async def play():
        line = Line(port=str(tmp_path / "none"), baud=115200)
        for _ in range(3):
            with pytest.raises(errors.LineDown, match="none"):
                await ask(line)

    asyncio.run(play())
