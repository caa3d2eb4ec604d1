"""Where the guard starts the agent: the controller's part of the site IN; runs until something fails."""

import asyncio
import gc
import json
import sys


def main(guard) -> None:
    """guard: edge.guard.Guard, whose root is the controller's folder. Raises what no task could deal with."""
    gc.threshold(4096) if hasattr(gc, "mem_alloc") else None  # type: ignore[attr-defined]  # the heap is collected before it is fragmented
    with open(guard.root + "config.json") as file:
        config = json.load(file)
    module = "edge.boards." + config["board"]
    __import__(module)
    board = sys.modules[module].Board(config, guard.root[:-1])
    from edge.agent import Agent  # after the board: what it has set up stands even if this fails

    asyncio.run(Agent(board, config, guard).run())
