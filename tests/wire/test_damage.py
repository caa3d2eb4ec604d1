"""What a board decodes may be damaged: on the real MicroPython, too, nothing but a typed refusal gets out."""

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
