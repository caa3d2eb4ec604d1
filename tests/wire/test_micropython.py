"""The wire on the real MicroPython: it fits, and whatever is decoded, nothing but a typed refusal gets out."""

import subprocess
from pathlib import Path

from tests.wire import damage

ROOT = Path(__file__).resolve().parents[2]
COUNT = 3000


def test_on_micropython(micropython):
    command = [micropython, "-X", "heapsize=64K", damage.__file__, ROOT, str(COUNT)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    *escaped, last = run.stdout.splitlines()
    assert escaped == []
    refused, taken = map(int, last.split())
    assert refused + taken == 3 * COUNT
    assert refused > taken > 0


def test_all_of_the_wire_loads_from_source(micropython):
    heap = "48K" if micropython.name == "micropython32" else "64K"  # 8-byte words take twice the room
    program = "import sys, gc; sys.path.insert(0, sys.argv[1]); from wire import stored, topics, messages, packs; "
    program += "gc.collect(); print(gc.mem_free())"
    command = [micropython, "-X", f"heapsize={heap}", "-c", program, ROOT]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert int(run.stdout) > 24 * 1024
