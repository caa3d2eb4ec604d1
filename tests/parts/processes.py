"""Processes that a run has started, by the folder that they work in."""

from pathlib import Path

from pole.broker import BrokerError, find_program
from tests.parts.servers import missing


def need_mosquitto() -> None:
    """Skips the test where there is none; in CI it fails."""
    try:
        find_program("mosquitto")
    except BrokerError as problem:
        missing(str(problem))


def children(folder: Path, run: str) -> list[str]:
    """Command lines of the processes that work in a folder, but for the run itself, which has `run` in its own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and run not in line:
            found.append(line)
    return found
