"""The power goes at every write and erasure of an update, on MicroPython's own LittleFS2, torn writes included.

In the suite each operation of a small release is cut in one way of three. `CUT_ALL=1` does it in all three, with a
release of real size on blocks as boards have them, and takes long.
"""

import os

import pytest

from pole.edge import release
from tests.edge.conftest import Interpreter
from tests.edge.controller import Signed, compiled

ALL = "CUT_ALL" in os.environ
PADDING = 56_000 if ALL else 4_000
RUNS = [(name, kind) for name in ("micropython", "micropython32") for kind in ("good", "bad")]
BLOCK, BLOCKS = (4096, 160) if ALL else (512, 128)
MAIN = """\
from edge.part import TEXT
from wire.part import ALSO
def main(guard):
    assert TEXT == ALSO == "{text}"
    {confirm}
    guard.ran = TEXT
    raise {end}
"""


def files(text, *, good=True):
    """A release of which every file is needed to start. A bad one starts, and fails."""
    confirm, end = ("guard.confirm()", "SystemExit") if good else ("pass", "ValueError")
    main = MAIN.format(text=text, confirm=confirm, end=end)
    if not good:
        main = main.replace("    guard.ran = TEXT\n", "")
    part = f"PADDING = '{'x' * PADDING}'\nTEXT = '{text}'\n"
    also = f"ALSO = '{text}'\n"
    texts = {
        "edge/__init__.py": "",
        "edge/main.py": main,
        "edge/part.py": part,
        "wire/__init__.py": "",
        "wire/part.py": also,
    }
    return {path: text.encode() for path, text in texts.items()}


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    signed = Signed(tmp_path_factory.mktemp("signed"))
    signed.blob("old", release.blob(files("old")))
    signed.blob("good", release.blob(files("new")))
    signed.blob("bad", release.blob(files("new", good=False)))
    return signed.folder


@pytest.fixture
def interpreter(name, tmp_path):
    modules = ("edge/__init__", "edge/guard", "edge/update", "edge/release", "edge/contents", "edge/disk", "edge/guest")
    compiled(tmp_path, modules, ("cutting_disk", "update_agent", "update_cut"))
    found = Interpreter(name, tmp_path)
    found.command[-1] = "heapsize=8M" if ALL else "heapsize=1M"  # the flash lies in it, twice
    return found


@pytest.mark.parametrize(("name", "kind"), RUNS if ALL else RUNS[1:3])
def test_a_power_cut_at_any_write_of_an_update_bricks_nothing(interpreter, signed, kind):
    slot = "a" if interpreter.name == "micropython" else "b"
    output = interpreter.run(
        "update_cut",
        signed=str(signed),
        kind=kind,
        slot=slot,
        block=BLOCK,
        blocks=BLOCKS,
        every=1,
        tears=ALL,
        timeout=7200,
    )
    operations, cuts = map(int, output.split("cut ")[-1].split()[:2])
    print(interpreter.name, kind, f"{operations} operations, {cuts} cuts")
    assert operations > 100
    assert cuts == (3 if ALL else 1) * operations
