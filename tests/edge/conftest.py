"""The three interpreters that the agent runs on, each with the modules and the cases of tests/edge/cases.

`interpreter.run("journal", folder=…)` runs every test of cases/journal.py in a process of its own, and fails with what
it printed. 64-bit words take twice the room, so only the 32-bit build has a controller's heap.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pole.edge import bundle
from tests.conftest import TOOLS
from tests.parts.servers import missing

HERE = Path(__file__).resolve().parent
HEAP = {"micropython": "160K", "micropython32": "48K"}


class Interpreter:
    """name: cpython, micropython or micropython32. command: how it starts, without a script."""

    def __init__(self, name, compiled):
        self.name = name
        self.is_cpython = name == "cpython"
        self.command = [sys.executable] if self.is_cpython else [str(TOOLS / name), "-X", f"heapsize={HEAP[name]}"]
        self.path = bundle.ROOT if self.is_cpython else compiled
        self.cases = HERE / "cases" if self.is_cpython else compiled / "cases"

    def run(self, case, *, timeout=120, **args):
        """What the case printed. Every test of it must pass."""
        with self.start(case, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **args) as process:
            try:
                output, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                pytest.fail(f"{case} on {self.name} took more than {timeout} s:\n{output}")
        assert process.returncode == 0, f"{case} on {self.name} failed ({process.returncode}):\n{output}"
        return output

    def start(self, case, *, stdout, stderr, text=True, **args):
        """The same as a process, to be killed and talked to."""
        return subprocess.Popen(
            [*self.command, str(HERE / "runner.py"), str(self.path), str(self.cases), case],
            env={**os.environ, "CASE_ARGUMENTS": json.dumps(args)},  # MicroPython's sys.argv has short texts alone
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=text,
        )  # fmt: skip


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """A folder with edge/, wire/ and cases/ as .mpy."""
    folder = tmp_path_factory.mktemp("bundle")
    bundle.build(folder, bundle.modules(), users=sorted((HERE / "cases").glob("*.py")))
    cases = ((f"cases/{path.stem}", path) for path in sorted((HERE / "cases").glob("*.py")))
    bundle.build(folder, cases, assertions=True)
    return folder


@pytest.fixture(params=["cpython", "micropython", "micropython32"])
def interpreter(request, compiled):
    if request.param != "cpython" and not (TOOLS / request.param).exists():
        missing(f".tools/{request.param} is not there; `make test` fetches it")
    return Interpreter(request.param, compiled)
