"""The gateway's side of a link, frame by frame: what it asks, what it takes, and what it throws away."""

import binascii
import os
import random
from dataclasses import replace
from pathlib import Path

from gateway.controllers.frame import ANSWER, FIRST, HOLD, NO_SESSION, Frame, decode, encode
from gateway.controllers.link import CONNECT, Link
from tests.wire.conformance import vectors
from wire import frames

SEED, COUNT = 20261121, int(os.environ.get("FRAMES", "20000"))  # by hand: FRAMES=1000000
SESSION = b"\x12\x34"
VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def message(code, body):
    head = bytes((code, *len(body).to_bytes(2, "big"))) + body
    return head + binascii.crc32(head).to_bytes(4, "little")


def answer(number=0, came=0, part=b"", *, first=True, session=SESSION):
    flags = ANSWER | (FIRST if part and first else 0)
    return Frame(address=17, flags=flags, session=session, number=number, came=came, part=part)


def online():
    link = Link(address=17)
    assert link.heard(answer(1, part=message(CONNECT, b"will"))) == (CONNECT, b"will")
    link.release()
    return link


def test_a_recorded_session():
    """Byte for byte what tests/vectors/frames-session.json says; edge/serial_link.py is held against the same."""
    link, held, told = Link(address=17), None, []
    steps = list(vectors(VECTORS / "frames-session.json"))
    for step in steps:
        asked = decode(bytes.fromhex(step["ask"])[1:-1])
        if held and not asked.flags & HOLD:
            if step is steps[-1]:
                break
            link.release()
            held = None
        if asked.session != link.session:
            link.end()
        if asked.part and asked.flags & FIRST and asked.number != link.question().number:
            link.send(asked.part[0], sent_whole(steps, asked), lambda: told.append("delivered"))
        question = replace(link.question(), time_ms=asked.time_ms)
        assert encode(question).hex() == step["ask"], step["name"]
        if not step["lost"]:
            held = link.heard(decode(bytes.fromhex(step["answer"])[1:-1])) or held
    assert step is steps[-1]
    assert len(told) == 2


def sent_whole(steps, first):
    """The body of the message that this frame begins."""
    parts = {}
    for step in steps:
        asked = decode(bytes.fromhex(step["ask"])[1:-1])
        if asked.part and asked.number >= first.number:
            parts[asked.number] = asked.part
    whole = b"".join(part for _, part in sorted(parts.items()))
    return whole[3 : 3 + int.from_bytes(whole[1:3], "big")]


def test_a_message_of_the_longest_kind_comes_fragment_by_fragment_and_each_counts_once():
    link = online()
    body = bytes(range(256)) * 255 + b"x" * 255
    assert len(body) == 65535
    whole = message(4, body)
    number = 1
    for at in range(0, len(whole), 232):
        number = number + 1 & 255
        part, first = whole[at : at + 232], at == 0
        for early in (1, 2, 100):
            assert link.heard(answer(number + early & 255, part=part, first=first)) is None
        got = link.heard(answer(number, part=part, first=first))
        assert link.heard(answer(number, part=part, first=first)) is None
        if got is None:
            assert link.question().came == number
    assert got == (4, body)
    assert link.question().flags == HOLD
    assert link.question().came == number - 1
    link.release()
    assert link.question().flags == 0
    assert link.question().came == number


def test_what_goes_out_goes_until_it_has_come():
    link, delivered = online(), []
    assert link.is_free
    body = bytes(500)
    link.send(1, body, lambda: delivered.append(1))
    got = b""
    for number in (1, 2, 3):
        for _ in range(3):
            assert not link.is_free
            assert link.question().number == number
            assert link.question().flags == (FIRST if number == 1 else 0)
            link.heard(answer(came=number - 1))
        got += link.question().part
        assert not delivered
        link.heard(answer(came=number))
    assert got == message(1, body)
    assert delivered == [1]
    assert link.is_free
    assert link.question().part == b""


def test_only_a_connect_begins_a_session():
    link = Link(address=17)
    for other in (
        answer(),
        answer(1, part=message(4, b"[]")),
        answer(2, part=message(CONNECT, b"will")),
        answer(1, part=message(CONNECT, b"will"), first=False),
        answer(1, part=message(CONNECT, b"will"), session=NO_SESSION),
    ):
        assert link.heard(other) is None
        assert link.session == NO_SESSION
    assert not link.is_free


def test_a_controller_that_begins_anew_leaves_nothing_of_before():
    link, delivered = online(), []
    link.send(1, bytes(500), lambda: delivered.append(1))
    assert link.heard(answer(2, part=message(4, bytes(500))[:232])) is None
    new = b"\xab\xcd"
    assert link.heard(answer(1, part=message(CONNECT, bytes(300))[:232], session=new)) is None
    assert (link.session, link.question().part) == (new, b"")
    assert link.heard(answer(3, came=1, part=message(4, bytes(500))[232:], first=False)) is None, "of before"
    assert link.heard(answer(2, part=message(CONNECT, bytes(300))[232:], first=False, session=new)) == (
        CONNECT,
        bytes(300),
    )
    assert delivered == []


def test_a_message_that_is_not_whole_ends_the_session():
    right = message(4, b"abc")
    for wrong in (right[:-1] + b"x", right + b"x", b"\x04\x00\x01" + right[3:]):
        link = online()
        assert link.heard(answer(2, part=wrong)) is None
        assert link.session == NO_SESSION
    link = online()
    assert link.heard(answer(2, part=right, first=False)) is None, "nothing has begun"
    assert link.session == NO_SESSION


def test_a_message_that_was_given_up_is_no_part_of_the_next():
    link = online()
    link.heard(answer(2, part=message(4, bytes(500))[:232]))
    assert link.heard(answer(3, part=message(3, b"event"))) == (3, b"event")


def test_codes_are_numbers_that_stay():
    assert CONNECT == 0 == frames.UP.index("connect")


def test_whatever_comes_a_link_stays_within_its_bounds():
    dice = random.Random(SEED)
    link, released = Link(address=17), 0
    for _ in range(COUNT):
        part = dice.choice(
            (b"", dice.randbytes(dice.randrange(240)), message(dice.randrange(9), bytes(dice.randrange(20))))
        )
        heard = answer(
            dice.choice((1, link.question().came + 1 & 255, dice.randrange(256))), dice.randrange(256), part,
            first=dice.random() < 0.5, session=dice.choice((link.session, NO_SESSION, SESSION, dice.randbytes(2))),
        )  # fmt: skip
        if link.heard(heard) is not None:
            released += 1
            if dice.random() < 0.9:
                link.release()
            else:
                link.end()
        if link.is_free and dice.random() < 0.5:
            link.send(1, dice.randbytes(dice.randrange(1536)), lambda: None)
        assert len(encode(link.question())) <= 256
        assert len(link._message) <= 65535 + 7 + 240
    assert released > COUNT // 1000
