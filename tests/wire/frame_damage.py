"""Damaged frames, on CPython and on MicroPython alike: frame_damage.py ROOT COUNT

Each of COUNT lines is two frames with garbage before, between and behind them, then up to four places damaged. What is
found in it must be one of the two. Prints what is not, and how many were found. The damage is the same in every run.
"""

import sys

SEED = 20261121


def damaged(line, dice):
    for _ in range(dice.below(5)):
        at = dice.below(len(line))
        how = dice.below(4)
        if how == 0:
            line = line[:at] + line[at + 1 + dice.below(9) :]
        elif how == 1:
            line = line[:at] + bytes((line[at] ^ (1 << dice.below(8)),)) + line[at + 1 :]
        elif how == 2:
            line = line[: at + 1 + dice.below(20)] + line[at:]
        else:
            line = line[:at] + noise(dice, 20) + line[at:]
    return line


def noise(dice, most):
    return bytes([dice.below(256) for _ in range(dice.below(most))])


def sealed(frames, content):
    buffer = bytearray(2) + content + bytearray(5)
    return bytes(buffer[: frames.seal(buffer, 2 + len(content))])


def run(frames, dice, count):
    """(what was found and never sent, how many frames were found)"""
    escaped, found = [], 0
    for _ in range(count):
        sent = [bytes([dice.below(256) for _ in range(6 + dice.below(60))]) for _ in range(2)]
        line = noise(dice, 12) + sealed(frames, sent[0]) + noise(dice, 12) + sealed(frames, sent[1]) + noise(dice, 5)
        for part in damaged(line, dice).split(b"\0"):
            buffer = bytearray(part)
            content = bytes(buffer[1 : frames.unseal(buffer, 0, len(buffer))])
            if content in sent:
                found += 1
            elif content:
                escaped.append(content)
    return escaped, found


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from damage import Dice

    from wire import frames as codec

    outcome = run(codec, Dice(SEED), int(sys.argv[2]))
    for each in outcome[0]:
        print(each)
    print(outcome[1])
