"""The codec of frames: whatever stands on the line, only what was sealed comes out. The vectors run in test_vectors."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.wire import damage, frame_damage
from wire import frames, topics

ROOT = Path(__file__).resolve().parents[2]
SHORTEST, LONGEST = 6, 249  # bytes of a content
DAMAGED = int(os.environ.get("FRAMES", "20000"))  # by hand: FRAMES=2000000


def sealed(content):
    buffer = bytearray(2) + content + bytearray(b"\xaa" * 20)  # what stands behind it means nothing
    return bytes(buffer[: frames.seal(buffer, 2 + len(content))])


def unsealed(line):
    """What stands between the delimiters of one frame, or None."""
    buffer = bytearray(line)
    return bytes(buffer[2 : frames.unseal(buffer, 1, len(buffer) - 1)]) or None


@pytest.mark.parametrize("byte", [0, 1, 255, None])
def test_every_length_comes_out_as_it_went_in(byte):
    dice = random.Random(byte)
    for length in range(SHORTEST, LONGEST + 1):
        content = dice.randbytes(length) if byte is None else bytes([byte]) * length
        line = sealed(content)
        assert len(line) == length + 7
        assert line[0] == line[-1] == 0
        assert 0 not in line[1:-1]
        assert unsealed(line) == content


def test_a_frame_that_was_sealed_can_be_unsealed_in_its_place_and_sealed_again():
    buffer = bytearray(256)
    buffer[2:100] = bytes(range(98))
    size = frames.seal(buffer, 100)
    once = bytes(buffer[:size])
    assert frames.unseal(buffer, 1, size - 1) == 100
    assert buffer[2:100] == bytes(range(98))
    assert frames.seal(buffer, 100) == size
    assert buffer[:size] == once


@pytest.mark.parametrize("content", [b"\x11\x00\x12\x34\x01\x02" + b"\x01\x00\x0b{}", bytes(60), bytes(range(249))])
def test_what_is_cut_or_has_another_bit_is_nothing(content):
    line = sealed(content)
    for end in range(1, len(line) - 1):
        assert unsealed(line[:end] + b"\0") is None
        assert unsealed(b"\0" + line[end + 1 :]) is None
    for bit in range(8, 8 * len(line) - 8):
        hurt = bytearray(line)
        hurt[bit >> 3] ^= 1 << (bit & 7)
        assert all(unsealed(b"\0" + part + b"\0") is None for part in bytes(hurt[1:-1]).split(b"\0"))


def test_damaged_lines_here():
    escaped, taken = frame_damage.run(frames, damage.Dice(frame_damage.SEED), DAMAGED)
    assert escaped == []
    assert taken > DAMAGED // 2  # frames between the garbage are found


def test_damaged_lines_on_micropython(micropython):
    count = DAMAGED // 10
    command = [micropython, "-X", "heapsize=64K", frame_damage.__file__, ROOT, str(count)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stderr == ""
    *escaped, last = run.stdout.splitlines()
    assert escaped == []
    assert int(last) > count // 2


def test_every_channel_has_a_number():
    assert set(topics.UP) <= set(frames.UP)
    assert set(topics.DOWN) <= set(frames.DOWN)
    assert frames.UP[:8] == ("connect", "status", "birth", "event", "telemetry", "backfill", "reply", "fetch")
    assert frames.DOWN[:5] == ("stored", "command", "config", "release", "chunk")
