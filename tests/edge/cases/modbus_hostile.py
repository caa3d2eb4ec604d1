"""A master on a pty whose other end does its worst to a read of address 1 and on, and answers a read of address 0."""

import asyncio
import gc
import json

from edge.boards.simulated import Board
from edge.modbus import Master


def used():
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0


def read(address):
    return bytes((1, 3, 0, address, 0, 2))


async def test_hostile(args):
    board = Board({"uarts": {"rs485": args["uart"]}}, args["folder"])
    master = Master(board, board.uart("rs485"), 87, 2)
    told = []
    taken = [0] * args["worst"]  # a list that grows would be counted, too
    for worst in range(1, args["worst"] + 1):
        began = board.ms()
        code = await master.ask(read(worst), 100)
        took = board.ms() - began
        after = 999
        tries = 0
        while after and tries < 30:
            tries += 1
            await asyncio.sleep(0.05)
            master.late.clear()  # the other end is sane again, and never late
            after = await master.ask(read(0), 100)
        told.append((code, took, after, list(master.buffer[master.at : master.at + 4])))
        taken[worst - 1] = used()
    # The collector is conservative: what looks like a pointer may hold a dead buffer for a turn, not for three.
    assert min(taken[-3:]) - min(taken[:3]) < 2048, taken
    print("told", json.dumps(told))
