"""The time from NTP servers, and what is not believed of them."""

import asyncio
import binascii
import time

from journal_rig import UTC, Board

from edge import sntp
from edge.clock import Clock

if hasattr(time, "ticks_ms"):
    ms = time.ticks_ms

    def utc_ms():
        return time.time_ns() // 1_000_000
else:

    def ms():
        return time.monotonic_ns() // 1_000_000

    def utc_ms():
        return time.time_ns() // 1_000_000


# What chrony 4.3 answered (a reference without a source: `local stratum 5`), and ntpsec 1.2.2 just after it started.
CHRONY = "240500e600000000000000007f7f0101eeac714970857ecd4d756c7469706f6ceeac714aad4570b1eeac714aad4b3882"
NTPSEC = "e40000e80000000000000002494e495400000000000000004d756c7469706f6ceeac7176e3dbcc0aeeac7176e3df9f0f"


async def asked(args, kind):
    try:
        return await sntp.ask("127.0.0.1:%d" % args["ports"][kind], ms)
    except OSError as error:
        return error.args[0]


async def test_a_server_is_believed(args):
    for kind in ("good", "version 3", "guessing"):
        told = await asked(args, kind)
        assert isinstance(told, int), (kind, told)
        assert abs(told - utc_ms()) < 5000, kind


async def test_the_era_after_2036_is_known(args):
    told = await asked(args, "of 2040")
    assert 2_208_988_800_000 <= told < 2_208_988_810_000


async def test_what_cannot_be_is_not_believed(args):
    for kind, why in (
        ("of 1999", "year"),
        ("rate", "kiss"),
        ("deny", "kiss"),
        ("just started", "unsynchronised"),
        ("unsynchronised", "unsynchronised"),
        ("stratum 16", "unsynchronised"),
    ):
        assert await asked(args, kind) == why, kind


async def test_what_is_no_answer_is_not_heard(args):
    args["ports"]["nobody's"] = 9  # discard: nobody serves there
    kinds = ("client", "somebody else's", "short", "silent", "nobody's")
    began = ms()
    answers = await asyncio.gather(*[asked(args, kind) for kind in kinds])
    assert answers[:4] == ["silent"] * 4, answers
    assert not isinstance(answers[4], int) or answers[4] < 1000, "an error, not a time"
    assert ms() - began < 20_000


def test_foreign_answers_are_read(args):
    assert sntp.read(binascii.unhexlify(CHRONY), 0) == 1_795_289_802_676
    assert sntp.read(binascii.unhexlify(CHRONY), 301) == 1_795_289_802_826
    why = ()
    try:
        sntp.read(binascii.unhexlify(NTPSEC), 0)
    except OSError as error:
        why = error.args
    assert why == ("unsynchronised",)


async def test_the_clock_asks_by_itself(args):
    board = Board("/nowhere")
    clock = Clock(board, {"ntp": "127.0.0.1:%d" % args["ports"]["good"]})
    beats = []
    task = asyncio.create_task(clock.run(lambda: beats.append(1)))
    for _ in range(200):
        if clock.now() is not None:
            break
        await asyncio.sleep(0.05)
    task.cancel()
    assert abs(clock.now() - utc_ms()) < 5000
    assert abs(board.utc_ms() - utc_ms()) < 5000, "the board's clock is set too"
    assert beats
    assert board.utc > UTC
