"""What the agent takes of a controller: flash by module, and heap while it idles, publishes and is updated.

The heap is measured on the real MicroPython with 4-byte words, of a whole agent at a real broker, with devices on a bus
and at pins. `in place`: firmware with ROMFS runs the code where it stands in flash; `loaded`: it comes from the file
system, and lies in the heap.
"""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bench.edge_pole import AREA, NODE, EdgePole
from pole.broker import Broker, BrokerError
from pole.edge import bundle, release

INTERPRETER = bundle.ROOT / ".tools" / "micropython32"
HEAPS = {"in place": "64K", "loaded": "112K"}  # enough: what is measured is what is held
BUNDLE_BYTES, HEAP_BYTES = 60_000, 40 * 1024  # what is promised
SECONDS = 20.0
UPDATE_S = 120.0
NEWER = "99.0.0"
RESET = 3  # a simulated board resets by ending with this
Told = Callable[[str], None]


def modules(board: str) -> dict[str, int]:
    """Bytes of each module of a board's slot."""
    with tempfile.TemporaryDirectory() as folder:
        return bundle.build(Path(folder), bundle.modules(board))


def run(*, board: str, heap: bool, told: Told) -> dict[str, Any]:
    """`heap` is null where it cannot be measured; `why` then says the reason."""
    told(f"compiling for {board}")
    sizes = modules(board)
    total = sum(sizes.values())
    result: dict[str, Any] = {"board": board, "modules": sizes, "bundle_bytes": total, "heap": None, "why": None}
    verdicts = [_verdict("bundle", total, BUNDLE_BYTES)]
    if not heap:
        result["why"] = "--no-heap"
    elif not INTERPRETER.exists():
        result["why"] = ".tools/micropython32 is not there: `make setup` fetches it on Debian"
    else:
        try:
            result["heap"] = asyncio.run(_heaps(told))
            peak = max(result["heap"]["in place"].values())
            verdicts.append(_verdict("peak heap, in place", peak, HEAP_BYTES))
        except BrokerError as error:
            result["why"] = str(error)
    return result | {"verdicts": verdicts}


def _verdict(what: str, value: int, most: int) -> dict[str, Any]:
    return {"what": what, "bytes": value, "most": most, "kept": value <= most}


async def _heaps(told: Told) -> dict[str, dict[str, int]]:
    heaps: dict[str, dict[str, int]] = {}
    for layout, heap in HEAPS.items():
        heaps[layout] = {}
        for state in ("idle", "publishing", "updating"):
            told(f"heap {layout}, {state}")
            with tempfile.TemporaryDirectory() as folder:
                heaps[layout][state] = await _measure(Path(folder), heap, state, rom=layout == "in place")
    return heaps


async def _measure(folder: Path, heap: str, state: str, *, rom: bool) -> int:
    """The most that the heap held, bytes. Raises RuntimeError where the agent did not live through it."""
    passwords = {NODE: "node", "operator": "operator"}
    broker = Broker(folder=folder / "broker", passwords=passwords)
    broker.start()
    try:
        key = folder / "key.pem"
        release.make_key(key, None)
        url = f"mqtt://127.0.0.1:{broker.port}"
        async with EdgePole(folder, broker=url, password=passwords[NODE]) as pole:
            pole.flash(compiled=True, release_key=key.with_name("release.key"), rom=rom)
            figure = folder / "heap"
            words = [str(pole.root), str(figure), str(_empty())]
            command = [str(INTERPRETER), "-X", f"heapsize={heap}", str(Path(__file__).with_name("edge_probe.py"))]
            process = pole.start(command, words)
            if state == "updating":
                lived = await _update(folder, key, broker.port, process)
            else:
                lived = await _work(pole, process, busy=state == "publishing")
            if not lived or not figure.exists():
                raise RuntimeError(f"the agent ended in a heap of {heap} while {state}: {pole.log()[-800:]}")
            return int(figure.read_text())
    finally:
        broker.kill()


async def _work(pole: EdgePole, process: "subprocess.Popen[bytes]", *, busy: bool) -> bool:
    """busy: contacts change several times a second, and each change is an event of its own."""
    source = random.Random(1)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        if busy:
            pole.devices["cover-1"].hold("cover_open", source.random() < 0.5)
            pole.devices["sos-1"].hold("sos_pressed", source.random() < 0.5)
        await asyncio.sleep(0.1)
    return process.poll() is None


async def _update(folder: Path, key: Path, port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Rolls a release out, until the controller resets itself for it."""
    promise = release.Promise(version=NEWER, board="simulated", minimum="0.0.0", trial=600)
    made = release.sign(release.load_key(key, None), release.contents("simulated", NEWER), promise)
    made.write(folder / "newer.release")
    password = folder / "operator.password"
    password.write_text("operator")
    rolling = subprocess.Popen(  # noqa: ASYNC220
        [
            sys.executable, "-m", "pole", "edge", "update", AREA, "--release", str(folder / "newer.release"),
            "--canary", "100%", "--broker", f"mqtt://operator@127.0.0.1:{port}", "--password-file", str(password),
            "--json",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=bundle.ROOT,
    )  # fmt: skip
    try:
        end = time.monotonic() + UPDATE_S
        while time.monotonic() < end and process.poll() is None:
            await asyncio.sleep(0.1)
        return process.poll() == RESET
    finally:
        rolling.kill()
        rolling.wait()


def _empty() -> int:
    """Bytes that an interpreter's heap holds with nothing loaded."""
    words = [str(INTERPRETER), "-c", "import gc; gc.collect(); print(gc.mem_alloc())"]
    return int(subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout)


def show(result: dict[str, Any]) -> RenderableType:
    """For people."""
    flash = Table(title=f"flash, {result['board']}: {result['bundle_bytes']:,} bytes", title_justify="left")
    for heading in ("module", "bytes"):
        flash.add_column(heading, justify="right" if heading == "bytes" else "left")
    for name, size in sorted(result["modules"].items(), key=lambda each: -each[1]):
        flash.add_row(name, f"{size:,}")
    if result["heap"] is None:
        return Group(flash, f"heap: not measured: {result['why']}")
    heap = Table(title="heap, 32-bit, bytes: the most after a collection", title_justify="left")
    for heading in ("code", "idle", "publishing", "updating"):
        heap.add_column(heading, justify="left" if heading == "code" else "right")
    for layout, states in result["heap"].items():
        heap.add_row(layout, *(f"{states[state]:,}" for state in ("idle", "publishing", "updating")))
    rows = [
        f"{'kept' if row['kept'] else 'NOT KEPT'}: {row['what']}: {row['bytes']:,} bytes, at most {row['most']:,}"
        for row in result["verdicts"]
    ]
    return Group(flash, heap, *rows)
