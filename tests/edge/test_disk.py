"""Small files that survive a power cut. EDGE_SWEEP=full makes the sweep long."""

import os
import re

import pytest

FULL = os.environ.get("EDGE_SWEEP") == "full"


def test_cases(interpreter, tmp_path):
    assert "ran 4" in interpreter.run("disk", folder=str(tmp_path))


@pytest.mark.parametrize(("block", "progsize"), [(256, 32), (512, 16), (1024, 256)])
@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
def test_the_power_goes_while_a_file_is_saved(interpreter, block, progsize):
    interpreter.command[-1] = "heapsize=2M"
    output = interpreter.run("disk_cuts", timeout=600, block=block, progsize=progsize, turns=200 if FULL else 12)
    print(output)
    cuts, disks = map(int, re.search(r"(\d+) cuts, (\d+) disks", output).groups())
    assert cuts > 50
    assert disks == 5 * cuts
