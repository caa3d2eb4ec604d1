"""A controller's root folder for tests: the guard as main.py, with short waits, and what its board brings along."""

import subprocess
import sys
from pathlib import Path

from edge.guard import Guard
from pole.edge import bundle

HERE = Path(__file__).resolve().parent


def install(root, interpreter):
    text = (bundle.ROOT / "edge" / "guard.py").read_text()
    for name, value in (("UNIT_S", 1), ("PAUSE_S", 0)):
        old = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(old, f"{name} = {value}")
    (root / "main.py").write_text(text)
    if not interpreter.is_cpython:
        (root / "machine.py").write_bytes((HERE / "machine.py").read_bytes())


def guard(root):
    """The state as the next start finds it."""
    return Guard(f"{root}/")


def guard_without(root, name):
    (root / name).unlink()
    return guard(root)


def cut(root, interpreter, line):
    """Starts it, and cuts the power when it has printed the line."""
    command = [*interpreter.command, *(["-u"] if interpreter.is_cpython else []), root / "main.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            if text.strip() == line:
                process.kill()
                break
        else:
            sys.exit(f"{line!r} was never printed")
