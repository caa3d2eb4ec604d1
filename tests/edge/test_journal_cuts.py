"""The power goes at every operation of the journal's disk. EDGE_SWEEP=full makes the sweep long, and cuts twice."""

import os
import re

import pytest

FULL = os.environ.get("EDGE_SWEEP") == "full"


@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
def test_the_power_goes_at_every_operation(interpreter):
    interpreter.command[-1] = "heapsize=2M"
    turns, every, ruin_every = (400, 1, 1) if FULL else (48, 3, 41)
    output = interpreter.run("journal_cuts", timeout=7200, turns=turns, every=every, ruin_every=ruin_every, twice=FULL)
    print(output)
    (cuts, disks), *ruins = [tuple(map(int, found)) for found in re.findall(r"(\d+) cuts, (\d+) disks", output)]
    assert cuts > 400
    assert disks >= 5 * (cuts // every)
    assert [disks >= 5 * (cuts // ruin_every) > 0 for cuts, disks in ruins] == [True, True]
