"""Runs main.py of a controller on MicroPython, and notes the most that its heap held: edge_probe.py ROOT FILE EMPTY.

Looked at every LOOK_S, after a collection. What the stand-in for the hardware and this probe take is not the
controller's: it is measured first, and taken off. EMPTY: bytes that an interpreter holds with nothing loaded. FILE gets
the figure in bytes, anew whenever it grows.
"""

import gc
import sys

LOOK_S = 0.05
root, told, empty = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, root)
import machine  # type: ignore[import-not-found]  # noqa: E402, F401


async def watch(base):
    most = 0
    while True:
        gc.collect()
        held = gc.mem_alloc() - base + empty
        if held > most:
            most = held
            with open(told, "w") as file:  # noqa: ASYNC230
                file.write(str(most))
        await asyncio.sleep(LOOK_S)


async def both(agent):
    watching = asyncio.create_task(watch(before))
    try:
        await agent
    finally:
        watching.cancel()


gc.collect()
before = gc.mem_alloc()
import asyncio  # noqa: E402

run = asyncio.run
asyncio.run = lambda agent: run(both(agent))
__file__ = root + "/main.py"
with open(__file__) as script:
    code = compile(script.read(), "main", "exec")  # its text is not held meanwhile
exec(code)
