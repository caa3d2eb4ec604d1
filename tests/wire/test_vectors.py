"""Every shared vector, here and on the real MicroPython with the heap of a small controller."""

import subprocess
from pathlib import Path

import pytest

from tests.wire import conformance

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"


def load(check):
    return list(conformance.vectors(VECTORS / f"{conformance.source(check)}.json"))


ALL = [(check, vector) for check in conformance.CHECKS for vector in load(check)]


@pytest.mark.parametrize(("check", "vector"), ALL, ids=[f"{check}: {vector['name']}" for check, vector in ALL])
def test_on_cpython(check, vector):
    assert conformance.problem(check, vector) is None


def test_every_vector_file_has_a_check():
    assert {path.stem for path in VECTORS.glob("*.json")} == set(conformance.CHECKS) - {"packs-truncated"}


def test_a_wrong_expectation_is_noticed():
    vector = dict(load("packs-good")[0], number=7)
    assert "number" in conformance.problem("packs-good", vector)


@pytest.mark.parametrize("check", list(conformance.CHECKS))
def test_on_micropython(micropython, check):
    script = Path(conformance.__file__)
    command = [micropython, "-X", "heapsize=64K", script, ROOT, check]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == (f"{len(load(check))}\n", "")
