"""Damaged payloads on MicroPython: micropython -X heapsize=64K tests/wire/damage.py ROOT COUNT

Each decoder gets COUNT payloads with up to four damaged places. Prints what got out that is no WireError, then how many
were refused and how many were taken. The damage is the same in every run.
"""

import gc
import sys

PIECES = (
    b"",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\\",
    b"-",
    b"1e999",
    b"null",
    b"true",
    b"\x00",
    b"\xff",
    b"\\ud800",
)


class Dice:
    """The numbers of a linear congruential generator (Numerical Recipes), small enough for 32 bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, most):
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 8) % most


def damaged(body, dice):
    for _ in range(1 + dice.below(4)):
        at = dice.below(len(body) + 1)
        body = body[:at] + PIECES[dice.below(len(PIECES))] + body[at + dice.below(3) :]
    return body


def main(root, count):
    sys.path.insert(0, root)
    gc.collect()  # the compiler wants room in one piece
    from wire import errors, packs

    gc.collect()
    from wire import messages, stored

    command = b'{"id":"c-1","issued":1763683200250,"expires":1763683230250,"issuer":"operator","pole":"P0001",'
    command += b'"device":"lamp-1","action":"dim","args":{"level":40}}'
    readings = [("P0001/air-1", "pm10", 1763683200250, 61.5, None), ("P0001/a", "b", 1763683200251, None, "crc")]
    cases = (
        (stored.decode, (), b'{"ep":"9f3c21aa","sq":[[48190,48205],[48211,48211]]}'),
        (messages.decode, (messages.COMMAND,), command),
        (packs.decode, (), packs.encode("9f3c21aa", 48211, readings)),
    )
    refused = taken = 0
    for decode, more, whole in cases:
        dice = Dice(20260214)
        decode(whole, *more)
        for _ in range(count):
            body = damaged(whole, dice)
            gc.collect()
            try:
                decode(body, *more)
                taken += 1
            except errors.WireError:
                refused += 1
            except Exception as error:
                print(repr(error), body)
    print(refused, taken)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
