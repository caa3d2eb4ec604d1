"""The process is killed while it appends and confirms, on real files: what append() returned is there.

EDGE_SWEEP=full kills it 100 times on each interpreter.
"""

import os
import random
import subprocess
import time

KILLS = 100 if os.environ.get("EDGE_SWEEP") == "full" else 15


def run_and_kill(interpreter, folder, value):
    """What it said before it was killed, as words, one line each."""
    process = interpreter.start(
        "journal_victim", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, folder=folder, value=value
    )
    with process:
        lines = [process.stdout.readline() for _ in range(random.randint(2, 40))]
        time.sleep(random.uniform(0, 0.005))
        process.kill()
        lines += process.stdout.readlines()
    assert lines[0].startswith("ready"), "".join(lines)
    return [line.split() for line in lines if line.endswith("\n")]


def test_what_was_appended_is_there(interpreter, tmp_path):
    given, confirmed, epochs = {}, set(), set()
    for turn in range(KILLS):
        for what, *words in run_and_kill(interpreter, str(tmp_path), turn * 100_000):
            if what == "ready":
                epochs.add(words[0])
                continue
            one, two = map(int, words)
            if what == "append":
                assert one not in given, "a number that means two packs"
                given[one] = two
            else:
                confirmed.update(range(one, two + 1))
    output = interpreter.run("journal_victim", folder=str(tmp_path), value=-1)
    waiting = {}
    for what, *words in (line.split() for line in output.splitlines()):
        if what == "waits":
            waiting[int(words[0])] = int(words[1])
        elif what == "counts":
            epochs.add(words[0])
            head, stored, pending, dropped = map(int, words[1:])
    print(f"{KILLS} kills, {len(given)} packs appended, {head} on the disk: {stored}, {pending}, {dropped}")
    assert len(epochs) == 1
    assert len(given) >= KILLS
    assert dropped <= KILLS, "a header without its body, where no buffer makes one write of both"
    assert max(given) <= head <= len(given) + KILLS, "at most one more for each kill, that had not returned"
    assert {number: waiting.get(number, given[number]) for number in given} == given
    assert set(given) - set(waiting) <= confirmed, "nothing is gone that was not confirmed"
    assert stored <= len(confirmed)
