"""What a serial line carries of a controller's packs, computed and measured: the real driver, client and broker.

    python -m bench.serial_uplink [INTERPRETER …]      CPython where none is named; .tools/micropython32 needs no .mpy

The line keeps a wire's time (simulators/shared_line.py); bytes on the wire are counted there.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import structlog

from gateway.controllers.controllers_driver import ControllersDriver
from gateway.controllers.frame import AROUND, FRAGMENT, MESSAGE_AROUND
from gateway.controllers.line import TURN_S, Line
from gateway.controllers.turns import IDLE_FIRST_S
from gateway.identity import Node
from pole.broker import Broker
from simulators.shared_line import SharedLine

ROOT = Path(__file__).resolve().parent.parent
NODE = ROOT / "bench" / "serial_uplink_node.py"
CASES = [(9600, 300), (9600, 1000), (115200, 300), (115200, 1000)]  # baud, bytes of a pack
SECONDS = 15.0
LOOK_S = 0.0025  # a controller looks at its UART every 5 ms


def computed(baud: int, size: int) -> tuple[float, float]:
    """(packs/s, bytes on the wire for one of a pack), where the broker acknowledges at once and nothing is damaged."""
    message = size + MESSAGE_AROUND
    exchanges = -(-message // FRAGMENT) + 1  # the last one says that the broker has it
    wire = message + 2 * AROUND * exchanges
    seconds = wire * 10 / baud + exchanges * (max(35 / baud, TURN_S) + LOOK_S) + IDLE_FIRST_S
    return 1 / seconds, wire / size


async def measured(interpreter: str, baud: int, size: int) -> tuple[float, float]:
    """As computed, of what went in SECONDS."""
    with tempfile.TemporaryDirectory(prefix="pole-uplink-") as name:
        folder = Path(name)
        broker = Broker(folder=folder / "broker", passwords={"ctl-1": "x", "ingest": "x"})
        await asyncio.to_thread(broker.start)
        try:
            async with SharedLine(folder=folder, ends=["gateway", "controller"], baud=baud) as line:
                return await _played(broker, line, interpreter, baud, size)
        finally:
            await asyncio.to_thread(broker.kill)


async def _played(broker: Broker, line: SharedLine, interpreter: str, baud: int, size: int) -> tuple[float, float]:
    connect: dict[str, Any] = {"hostname": "127.0.0.1", "port": broker.port, "password": "x"}
    driver = ControllersDriver(
        name="line", line=Line(port=line.path("gateway"), baud=baud), now_ms=lambda: time.time_ns() // 1_000_000,
        controllers={1: Node("bench", "ctl-1", connect | {"username": "ctl-1"})}, log=structlog.get_logger(),
    )  # fmt: skip
    asking = asyncio.create_task(driver.run())
    command = [interpreter, str(NODE), str(ROOT), line.path("controller"), str(size)]
    node = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    try:
        async with aiomqtt.Client(**connect, username="ingest") as ingest:
            await ingest.subscribe("poles/+/+/up/telemetry", qos=0)
            heard = aiter(ingest.messages)
            for _ in range(2):
                await anext(heard)
            began, carried, packs = time.monotonic(), line.carried, 0
            while time.monotonic() - began < SECONDS:
                await anext(heard)
                packs += 1
            return packs / (time.monotonic() - began), (line.carried - carried) / packs / size
    finally:
        node.kill()
        await node.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await driver.close()


def rows(interpreters: list[str]) -> Iterator[str]:
    yield f"{'':28} {'baud':>7} {'bytes':>6} {'packs/s':>8} {'computed':>9} {'on the wire':>12} {'computed':>9}"
    for interpreter in interpreters:
        for baud, size in CASES:
            packs, wire = asyncio.run(measured(interpreter, baud, size))
            wanted, plain = computed(baud, size)
            name = Path(interpreter).name
            yield f"{name:28} {baud:7} {size:6} {packs:8.2f} {wanted:9.2f} {wire:12.3f} {plain:9.3f}"


if __name__ == "__main__":
    for row in rows(sys.argv[1:] or [sys.executable]):
        print(row, flush=True)
