"""What the emulated world costs: a number of poles IN, milliseconds a step and bytes a pole OUT.

    python -m bench.world_cost [POLES [STEPS [SCENARIO]]]

A step: the world goes on, and a third of the poles are asked for every quantity, as nodes do that report every 30 s.
"""

import json
import sys
import time
import tracemalloc

import numpy as np

from simulators import scenario
from simulators.world.city_map import city_map
from simulators.world.world import QUANTITIES, World

TURNS = 3


def measured(*, poles: int, steps: int, story: str) -> dict[str, float]:
    """CPU of this process in ms a step; memory with every quantity made, the map's included, in bytes a pole."""
    world, memory = _built(poles, story)
    turns = [np.arange(turn, poles, TURNS) for turn in range(TURNS)]
    advanced = asked = 0.0
    for step in range(steps):
        began = time.process_time()
        world.advance()
        gone = time.process_time()
        for quantity in sorted(QUANTITIES):
            world.quantity(quantity, turns[step % TURNS])
        advanced, asked = advanced + gone - began, asked + time.process_time() - gone
    return {
        "poles": poles, "quantities": len(QUANTITIES), "advance_ms": round(1000 * advanced / steps, 2),
        "ask_ms": round(1000 * asked / steps, 2), "bytes_per_pole": round(memory / poles),
    }  # fmt: skip


def _built(poles: int, story: str) -> tuple[World, int]:
    told = scenario.load(story)
    tracemalloc.start()
    world = World(seed=1, city=city_map(seed=1, poles=poles), causes=told.causes, start=told.start)
    world.advance()
    for quantity in sorted(QUANTITIES):
        world.quantity(quantity, np.arange(0, poles, TURNS))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return world, held


if __name__ == "__main__":
    given = sys.argv[1:] + [None, None, None][len(sys.argv[1:]) :]
    print(json.dumps(measured(poles=int(given[0] or 50_000), steps=int(given[1] or 30), story=given[2] or "storm")))
