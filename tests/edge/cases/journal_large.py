"""A journal of a megabyte: one interpreter fills it, another one opens it."""

import gc
import sys

from journal_rig import Node, value_of

SIZE = 1024 * 1024


def test_fill_or_open(args):
    if args["fill"]:
        node = Node(args["folder"], SIZE)
        count = 0
        while node.journal.full == 0:
            count = node.append(count, event=count % 4 == 0, length=550)
        print("counts", *node.counts())
        return
    gc.collect()
    before = gc.mem_alloc() if sys.implementation.name == "micropython" else 0
    node = Node(args["folder"], SIZE)
    gc.collect()
    if before:
        print("heap", gc.mem_alloc() - before)
    print("counts", *node.counts())
    node.board.now += 10_000
    for _ in range(300):
        channel, number, data = node.take()
        assert value_of(data) == number - 1
        node.journal.stored(number, number)
    node.journal.save()
    print("sent", *node.counts())
