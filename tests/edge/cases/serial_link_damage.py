"""What a controller on a serial line hears and must not answer."""

from serial_link_played import ANSWER, FIRST, Played, frame, message, opened


async def test_what_is_damaged_is_not_answered(args):
    played = Played()
    await played.online()
    question = frame(FIRST, played.session, 1, 1, message(1, b"abc"))
    for end in range(len(question) - 1):
        assert not await played.hear(question[:end]), end
        assert not await played.hear(b"\0"), end
    for bit in range(8, 8 * len(question) - 8, 3):  # all of them: tests/wire/test_frames.py
        hurt = bytearray(question)
        hurt[bit >> 3] ^= 1 << (bit & 7)
        assert not await played.hear(bytes(hurt) + b"\0" if bit & 1 else bytes(hurt)), bit
    assert not await played.hear(bytes(range(1, 256)) * 3), "noise longer than any frame"
    assert played.told == []
    answer = opened(await played.hear(b"\xff\x00\x03\x07" + question))
    assert answer[2:] == (1, b"", 0)
    assert played.told == [("command", b"abc")]


async def test_what_is_not_for_it_is_not_answered(args):
    played = Played()
    await played.online()
    question = frame(0, played.session, 0, 1, b"")
    assert not await played.hear(frame(0, played.session, 0, 1, b"", address=18))
    assert not await played.hear(frame(ANSWER, played.session, 0, 1, b"")), "its own answer comes back"
    assert not await played.hear(question + frame(0, played.session, 0, 1, b"", address=18)), "others are asked already"
    assert not await played.hear(question + b"\x05"), "somebody speaks already"
    assert await played.hear(b"\0" + question)
    played.line.now += 119
    assert await played.hear(question)
    for late in (120, 100_000):
        played.line.now += late  # between two looks: the question may be as old
        assert not await played.hear(question), late
        assert await played.hear(question)


async def test_what_took_too_long_to_take_is_not_answered(args):
    played = Played()
    await played.online()
    played.takes_ms = 120  # as a write to a flash may
    question = frame(FIRST, played.session, 1, 1, message(1, b"slow"))
    assert not await played.hear(question)
    assert played.told == [("command", b"slow")]
    played.line.now += 1
    assert opened(await played.hear(question))[2] == 1
    assert played.told == [("command", b"slow")]


async def test_what_received_raises_costs_an_answer_and_nothing_else(args):
    played = Played()
    await played.online()
    question = frame(FIRST, played.session, 1, 1, message(1, b"trouble"))
    assert not await played.hear(question)
    assert opened(await played.hear(question))[2] == 1
    assert played.told == [("command", b"trouble")]
    assert played.client.passed == 1
