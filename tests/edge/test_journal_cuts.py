"""The power goes at every operation of the journal's disk, once, and once more after the restart.

EDGE_SWEEP=full tries all of them, on a longer life.
"""

import os
import re

import pytest

FULL = os.environ.get("EDGE_SWEEP") == "full"


@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
@pytest.mark.parametrize(
    ("twice", "turns", "every"), [(False, 400, 1), (True, 60, 1)] if FULL else [(False, 48, 5), (True, 48, 149)]
)
def test_the_power_goes_at_every_operation(interpreter, twice, turns, every):
    interpreter.command[-1] = "heapsize=2M"
    output = interpreter.run("journal_cuts", timeout=7200, only="test_every_cut", turns=turns, every=every, twice=twice)
    print(output)
    cuts, disks = map(int, re.search(r"(\d+) cuts, (\d+) disks", output).groups())
    assert cuts > 400
    assert disks >= (50 if twice else 5) * (cuts // every) > 0


@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
@pytest.mark.parametrize(
    ("case", "every", "least"),
    [
        ("while_a_new_epoch_begins", 41, 200),
        ("after_the_end_of_a_row_was_damaged", 41, 200),
        ("while_the_time_gets_known", 1, 5),
    ],
)
def test_the_power_goes(interpreter, case, every, least):
    interpreter.command[-1] = "heapsize=2M"
    every = 1 if FULL else every
    output = interpreter.run("journal_cuts", timeout=7200, only="test_every_cut_" + case, ruin_every=every)
    print(output)
    cuts, disks = map(int, re.search(r"(\d+) cuts, (\d+) disks", output).groups())
    assert cuts >= least
    assert disks == 5 * (cuts // every)
