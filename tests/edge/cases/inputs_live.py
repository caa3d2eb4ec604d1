"""The contacts of the simulated board, until the file `end` is there."""

import asyncio
import os

from edge.boards.simulated import Board
from edge.inputs import Inputs


class Told:
    def __init__(self, path):
        self.path = path

    def add(self, device, point, field, event=False):
        with open(self.path, "a") as file:
            file.write("%s %s %s %s\n" % (device, point, field, event))


def test_live(args):
    return live(args)


async def live(args):
    config = {"pins": {"cover": {"pin": 1}}, "inputs": [["P0001/cover", "open", "cover", True]]}
    inputs = Inputs(config, Board(config, args["folder"]), Told(args["told"]))
    task = asyncio.create_task(inputs.run(lambda: None))
    for _ in range(1200):
        try:
            os.stat(args["folder"] + "/end")
            break
        except OSError:
            await asyncio.sleep(0.05)
    task.cancel()
