"""Files onto a controller: what differs is written, what is right stays, and nothing starts half-written.

The guard goes first and comes back last, so a controller that lost its power, or its cable, in the middle waits at its
prompt until this is run again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from pole.flash import FlashError
from pole.flash.contents import GUARD, SECRETS, SLOT, Contents

BLOCK = 4096  # of LittleFS2 on both boards: what a file takes at least
MAYBE = (*SECRETS, "release.key")  # what another site part may have left


class Target(Protocol):
    """Where files go: a board on a serial port, or a folder."""

    def hashes(self, names: Iterable[str]) -> dict[str, str]: ...
    def files(self, folder: str) -> set[str]: ...
    def write(self, name: str, data: bytes, *, private: bool = False) -> None: ...
    def remove(self, name: str) -> None: ...
    def room(self) -> int: ...


@dataclass(frozen=True)
class Plan:
    """Names, in the order in which they are written and removed."""

    write: list[str]
    remove: list[str]
    kept: list[str]
    bytes: int

    def __str__(self) -> str:
        removed = f", {len(self.remove)} removed" if self.remove else ""
        return f"{len(self.write)} written ({self.bytes} bytes), {len(self.kept)} right already{removed}"


def plan(target: Target, contents: Contents, *, force: bool) -> Plan:
    """Compares by SHA-256. Raises FlashError when it will not fit."""
    files = contents.files
    there = target.hashes([*files, *(name for name in MAYBE if name not in files)])
    right = [name for name, data in files.items() if not force and there.get(name) == sha256(data).hexdigest()]
    write = [name for name in files if name not in right]
    stale = sorted(target.files(SLOT) - set(files)) + [name for name in MAYBE if name in there and name not in files]
    _check_room(target, [files[name] for name in write if name not in there])
    return Plan(write, stale, right, sum(len(files[name]) for name in write))


def carry_out(target: Target, contents: Contents, wanted: Plan, shown: Callable[[int], None]) -> None:
    """shown hears how many bytes more were written."""
    if not wanted.write and not wanted.remove:
        return
    target.remove(GUARD)
    version = f"{SLOT}/version"
    order = [name for name in wanted.write if name != version]
    changes_slot = any(name.startswith(f"{SLOT}/") for name in (*wanted.write, *wanted.remove))
    if changes_slot:
        target.remove(version)  # the slot is not whole until this stands there again
    for name in wanted.remove:
        target.remove(name)
    for name in order:
        target.write(name, contents.files[name], private=name in contents.secrets)
        shown(len(contents.files[name]))
    _verify(target, {name: contents.files[name] for name in order})
    if changes_slot:
        target.write(version, contents.files[version])
        _verify(target, {version: contents.files[version]})


def finish(target: Target, contents: Contents) -> None:
    """The slot's state and the guard: with them the controller starts, and in slot a."""
    there = target.hashes(contents.last)
    for name, data in contents.last.items():
        if there.get(name) != sha256(data).hexdigest():
            target.write(name, data)
            _verify(target, {name: data})


def _verify(target: Target, files: Mapping[str, bytes]) -> None:
    there = target.hashes(files)
    for name, data in files.items():
        if there.get(name) != sha256(data).hexdigest():
            raise FlashError(
                f"{name} is not on the controller as it was sent.",
                "Run again. If it stays so, try another cable or USB port; then its flash may be worn out.",
            )


def _check_room(target: Target, new: list[bytes]) -> None:
    need, free = sum(-(-len(data) // BLOCK) * BLOCK for data in new), target.room()
    if need > free:
        raise FlashError(
            f"The controller's file system has {free} bytes free, and {need} are needed.",
            "Run again with --erase to empty it (readings that are not stored yet are lost), or take a board with more "
            "flash.",
        )
