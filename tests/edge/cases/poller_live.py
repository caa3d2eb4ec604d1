"""A poller on a pty: what it tells goes to the file `told`, then what args["asks"] asks for is done."""

import asyncio
import gc
import os

from edge.boards.simulated import Board
from edge.guest import guest
from edge.poller import Poller


class Told:
    def __init__(self, board, path):
        self._board = board
        self._file = open(path, "w")

    def add(self, device, point, field, event=False):
        self._file.write("%d %s %s %s %d\n" % (self._board.utc_ms(), device, point, field, event))
        self._file.flush()


def is_there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


async def test_polling(args):
    folder = args["folder"]
    board = Board({"uarts": {args["bus"]: args["uart"]}}, folder)
    poller = Poller(board, args["bus"], Told(board, folder + "/told"))
    beats = [0]

    def beat():
        beats[0] += 1

    task = asyncio.create_task(poller.run(beat))
    for ask in args["asks"]:
        await asyncio.sleep(0.1)
        print("asked", await guest("edge.access", ask[0], poller, *ask[1:]))
    os.mkdir(folder + "/asked")
    until = board.ms() + 600000
    while not is_there(folder + "/stop") and board.ms() < until and not task.done():
        await asyncio.sleep(0.02)
    assert not task.done()
    assert beats[0] > 2
    task.cancel()
    gc.collect()
    print("heap", gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0)
