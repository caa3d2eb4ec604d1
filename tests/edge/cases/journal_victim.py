"""Appends and confirms, and says what it did, until it is killed; or says what is there."""

import random
import sys

from journal_rig import Node, value_of


def say(*words):
    print(*words)
    sys.stdout.flush()


def test_run(args):
    node = Node(args["folder"], 4 * 1024 * 1024)
    if args["value"] < 0:
        for number, data in node.packs():
            print("waits", number, value_of(data))
        print("counts", node.journal.epoch, *node.counts())
        return
    say("ready", node.journal.epoch)
    for value in range(args["value"], args["value"] + 100_000):
        number = node.append(value, event=value % 7 == 0, length=value % 90)
        say("append", number, value)
        if value % 5 == 0:
            first = random.randint(max(1, number - 30), max(1, number - 10))
            say("stored", first, first + 20)
            node.journal.stored(first, first + 20)
        if value % 15 == 0:
            node.journal.save()
