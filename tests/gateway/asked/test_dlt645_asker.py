"""A real pty whose other end does on purpose what meters and lines do by accident."""

import asyncio
import contextlib
import time

import pytest

from gateway.asked.dlt645_asker import Dlt645Asker
from gateway.serial_port import SerialPort
from protocols import dlt645
from protocols.errors import BadAnswer, LineDown, Refused, Timeout
from tests.gateway.asked.meter_line import METER, OTHER, VOLTS, WATTS, answer, play, within


def asked_item(frame):
    return frame.data[::-1].hex().upper()


def test_items_come_one_by_one(tmp_path):
    values = {VOLTS: 2314, WATTS: -12_345}

    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS, WATTS]) == values
        assert [frame.address for frame in line.heard] == [METER, METER]
        assert await asker.ask(METER, []) == {}

    play(tmp_path, lambda frame, _: [(0.01, dlt645.WAKE + answer(asked_item(frame), values[asked_item(frame)]))], scene)


def test_two_meters_asked_at_once_do_not_disturb_each_other(tmp_path):
    async def scene(asker, line):
        one, other = await asyncio.gather(asker.ask(METER, [VOLTS, WATTS]), asker.ask(OTHER, [VOLTS, WATTS]))
        assert one == other == {VOLTS: 100, WATTS: 100}
        assert {frame.address for frame in line.heard} == {METER, OTHER}

    play(tmp_path, lambda frame, _: [(0.03, answer(asked_item(frame), 100, frame.address))], scene)


def test_the_frame_on_the_wire_is_the_published_one(tmp_path):
    async def scene(asker, line):
        written = []
        line.pty._heard = written.append
        with pytest.raises(Timeout):
            await asker.ask(METER, [VOLTS])
        assert b"".join(written) == bytes.fromhex("FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16")

    play(tmp_path, lambda *_: [], scene)


BAD = {
    "half a frame": (answer()[:9], "short"),
    "garbage": (b"\xff\x00\xa5\x5a\x13\x37", "noise"),
    "somebody else's frame": (answer(address=OTHER), "address"),
    "a wrong check sum": (answer()[:-2] + b"\x00\x16", "crc"),
    "a length that lies": (answer()[:9] + b"\x40" + answer()[10:], "short"),
    "the answer to the request before": (answer(WATTS, 5), "late"),
}


@pytest.mark.parametrize(("said", "fault"), BAD.values(), ids=BAD)
def test_what_is_no_answer_is_told_and_the_next_request_works(tmp_path, said, fault):
    async def scene(asker, line):
        with within(20.0), pytest.raises(BadAnswer) as caught:
            await asker.ask(METER, [VOLTS])
        assert (caught.value.fault, caught.value.quality) == (fault, "crc")
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}

    play(tmp_path, lambda _, count: [(0.01, said if count == 1 else answer())], scene)


def test_silence_ends_in_bounded_time_however_much_is_asked(tmp_path):
    async def scene(asker, line):
        with within(20.0), pytest.raises(Timeout):
            await asker.ask(METER, [VOLTS, WATTS] * 20)
        assert len(line.heard) == 2

    play(tmp_path, lambda *_: [], scene)


def test_one_item_that_fails_does_not_cost_the_others(tmp_path):
    async def scene(asker, line):
        said = await asker.ask(METER, ["02060000", VOLTS, "02020100", WATTS])
        assert (said[VOLTS], said[WATTS]) == (100, 100)
        assert isinstance(said["02060000"], Timeout)
        assert isinstance(said["02020100"], Refused)
        assert said["02020100"].quality == "exception-2"

    def reply(frame, _):
        item = asked_item(frame)
        refusal = dlt645.encode(METER, 0xD1, b"\x02")
        return {"02060000": [], "02020100": [(0.01, refusal)]}.get(item, [(0.01, answer(item, 100))])

    play(tmp_path, reply, scene)


def test_a_meter_that_falls_silent_halfway_keeps_what_it_said(tmp_path):
    async def scene(asker, line):
        with within(20.0):
            said = await asker.ask(METER, [VOLTS, WATTS, "02020100", "02060000"])
        assert said[VOLTS] == 100
        assert all(isinstance(said[item], Timeout) for item in (WATTS, "02020100", "02060000"))
        assert len(line.heard) == 3

    play(tmp_path, lambda frame, count: [(0.01, answer(VOLTS, 100))] if count == 1 else [], scene)


def test_follow_up_frames_and_digits_that_are_none(tmp_path):
    more = dlt645.encode(METER, 0xB1, bytes.fromhex("00010102") + b"\x14\x23")
    nothing = dlt645.encode(METER, 0x91, bytes.fromhex("00000302") + b"\xff\xff\xff")

    async def scene(asker, line):
        said = await asker.ask(METER, [VOLTS, WATTS])
        assert isinstance(said[VOLTS], Refused)
        assert (said[VOLTS].quality, said[WATTS].quality) == ("disabled", "range")

    play(tmp_path, lambda frame, _: [(0.01, more if asked_item(frame) == VOLTS else nothing)], scene)


def test_a_late_answer_is_not_taken_for_the_next_one(tmp_path):
    async def scene(asker, line):
        with pytest.raises(Timeout):
            await asker.ask(METER, [VOLTS])
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2000}
        assert await asker.ask(METER, [WATTS]) == {WATTS: 7}

    def reply(frame, count):
        if count == 1:
            return [(0.8, answer(VOLTS, 1000))]  # 0.5 s were allowed
        return [(0.3, answer(VOLTS, 2000))] if count == 2 else [(0.01, answer(WATTS, 7))]

    play(tmp_path, reply, scene)


def test_an_adapter_that_echoes(tmp_path):
    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
        with pytest.raises(Timeout, match="no answer"):
            await asker.ask(METER, [VOLTS])

    def reply(frame, count):
        echo = dlt645.WAKE + dlt645.read(METER, VOLTS)
        return [(0.0, echo)] + ([(0.05, answer())] if count == 1 else [])

    play(tmp_path, reply, scene)


def test_a_port_that_vanishes_in_the_middle_and_comes_back(tmp_path):
    async def scene(asker, line):
        lines.append(line)
        with within(20.0), pytest.raises(LineDown, match="meters"):
            await asker.ask(METER, [VOLTS])
        with within(20.0), pytest.raises(LineDown):
            await asker.ask(METER, [VOLTS])
        line.pty.restore()
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:  # how soon it tries again is the port's own affair
            with contextlib.suppress(LineDown):
                assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
                return
            await asyncio.sleep(0.05)
        pytest.fail("the port is there again, and is not opened")

    def reply(frame, count):
        if count > 1:
            return [(0.02, answer())]
        asyncio.get_running_loop().call_later(0.1, lines[-1].pty.vanish)
        return [(0.02, answer()[:8])]

    lines = []
    play(tmp_path, reply, scene)


def test_a_port_that_is_not_there(tmp_path):
    async def scene():
        asker = Dlt645Asker(port=str(tmp_path / "none"))
        with pytest.raises(LineDown, match="none"):
            await asker.ask(METER, [VOLTS])

    asyncio.run(scene())


def test_who_is_there(tmp_path):
    said = bytes.fromhex("FE FE FE FE 68 94 41 03 26 12 18 68 93 06 C7 74 36 59 45 4B EB 16")

    async def scene(asker, line):
        assert await asker.find() == OTHER
        with within(20.0), pytest.raises(Timeout):
            await asker.find()

    play(tmp_path, lambda _, count: [(0.05, said)] if count == 1 else [], scene)


def test_meters_are_read_only_and_nonsense_is_refused_before_it_is_sent(tmp_path):
    async def scene(asker, line):
        with pytest.raises(Refused, match="only read"):
            await asker.tell(METER, "1C", 1)
        for address, item in (("161", VOLTS), (METER, "zz"), (METER, "0201")):
            with pytest.raises(Refused):
                await asker.ask(address, [item])
        assert line.heard == []

    play(tmp_path, lambda *_: [], scene)


def test_a_meter_that_is_cancelled_leaves_the_line_to_others(tmp_path):
    async def scene(asker, line):
        first = asyncio.create_task(asker.ask(METER, [VOLTS]))
        await asyncio.sleep(0.1)
        first.cancel()
        with within(20.0):
            assert await asker.ask(OTHER, [VOLTS]) == {VOLTS: 100}

    play(tmp_path, lambda frame, count: [(0.01, answer(VOLTS, 100, OTHER))] if count == 2 else [], scene)


def test_a_port_has_one_owner(tmp_path):
    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
        with pytest.raises(LineDown, match="exclusively"):
            SerialPort(port=str(line.pty.path), baud=9600).open()

    play(tmp_path, lambda *_: [(0.01, answer())], scene)
