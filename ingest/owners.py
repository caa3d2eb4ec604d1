"""Which node a disputed device belongs to: a text file that all workers of a machine share, and operators change.

A line for each decision, `area pole/device node why`, and the later one counts: why is `first` (it came first, and no
later `first` takes that away), `operator`, or `released` (the node announces the device no more; nobody's decision).
"""

import os
from pathlib import Path

import structlog

from ingest.errors import Unavailable

MAX_BYTES = (
    4 * 1024 * 1024
)  # nodes that quarrel for ever do not fill the disk; an operator's word has room all the same

log = structlog.get_logger("ingest")

Device = tuple[str, str]  # area, "pole/device/" as a base name has it


class Owners:
    """`look` and `of` cost next to nothing; whatever writes syncs the file, and belongs into a thread."""

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._nodes: dict[Device, tuple[str, str]] = {}  # node, why
        self._seen = (0, 0)
        self._full = False
        self.look()

    def of(self, device: Device) -> str | None:
        """The node that was decided for."""
        return self._nodes.get(device, (None,))[0]

    def all(self) -> list[tuple[str, str, str, str]]:
        """(area, pole/device, node, why)."""
        return sorted((area, name.rstrip("/"), *decided) for (area, name), decided in self._nodes.items())

    def look(self) -> set[Device]:
        """Reads what was decided since; the devices whose owner is another one now."""
        try:
            told = self._path.stat()
            if (told.st_mtime_ns, told.st_size) == self._seen:
                return set()
            nodes = _read(self._path.read_text(encoding="ascii", errors="replace"))
        except OSError:
            return set()
        self._seen = told.st_mtime_ns, told.st_size
        before, self._nodes = self._nodes, nodes
        return {
            device for device in before.keys() | nodes.keys() if before.get(device, "")[:1] != nodes.get(device, "")[:1]
        }

    def write(self, decisions: list[tuple[Device, str, str]]) -> None:
        """Adds (device, node, why), synced. Raises Unavailable."""
        try:
            # One write at the end of the file: lines of several workers stand whole, one after the other.
            target = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.fstat(target).st_size
                text = "".join(_line(each) for each in decisions if size < MAX_BYTES or each[2] == "operator")
                if text:
                    torn = size and os.pread(target, 1, size - 1) != b"\n"
                    os.write(target, ("\n" * bool(torn) + text).encode("ascii"))
                    os.fsync(target)
            finally:
                os.close(target)
        except OSError as error:
            raise Unavailable(f"owners: {self._path}: {error}") from error
        if size >= MAX_BYTES and not self._full:
            log.warning(
                "who came first is written down no more", file=str(self._path), bytes=size,
                remedy="find out who quarrels by its last lines; delete the file while ingest is stopped",
            )  # fmt: skip
        self._full = size >= MAX_BYTES


def _line(decision: tuple[Device, str, str]) -> str:
    (area, name), node, why = decision
    return f"{area} {name.rstrip('/')} {node} {why}\n"


def _read(text: str) -> dict[Device, tuple[str, str]]:
    nodes: dict[Device, tuple[str, str]] = {}
    for line in text.splitlines(keepends=True):
        parts = line.split()
        if len(parts) != 4 or not line.endswith("\n"):
            continue  # a power cut left a part of it
        area, name, node, why = parts
        device = area, name + "/"
        if why == "operator":
            nodes[device] = node, why
        elif why == "first":
            nodes.setdefault(device, (node, why))
        elif why == "released" and nodes.get(device, ("",))[0] == node:
            del nodes[device]
    return nodes
