"""What devices taught about themselves, kept over restarts: a JSON file IN and OUT.

{bus: {unit: {"profile": "sdm120 1", "block": 40, "slowest": 0.041, "refused": [["holding", 12, 4], …]}}}, times in
seconds. It is no more than a memory: a file that is damaged or gone costs some requests to learn it again.
"""

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import structlog

from device_profiles.blocks import MAX_REGISTERS, Limits, Refused
from device_profiles.schema import Profile, Table
from gateway.modbus.exploring import Lesson

log = structlog.get_logger("bus")

REFUSED_MOST = 500  # of one unit
SAVE_S = 60.0


@dataclass(kw_only=True)
class UnitMemory:
    """One unit. block: most registers that it gives in a read, where that is less than its profile says."""

    profile: str
    block: int = MAX_REGISTERS
    slowest: float = 0.0
    refused: set[Refused] = field(default_factory=set)

    def within(self, limits: Limits) -> Limits:
        """The profile's limits, and what was learned."""
        return Limits(
            block=min(limits.block, self.block), gap=limits.gap, overhead=limits.overhead,
            refused=frozenset(self.refused),
        )  # fmt: skip

    def take(self, lesson: Lesson) -> None:
        self.block = min(self.block, lesson.block)
        self.refused |= set(lesson.refused[: REFUSED_MOST - len(self.refused)])


class Learned:
    """All buses of a gateway. path: None for a memory that ends with the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._units: dict[str, dict[str, UnitMemory]] = {}
        self._written = ""
        self._failing = False
        if path is not None:
            self._read(path)

    def unit(self, bus: str, unit: int, profile: Profile) -> UnitMemory:
        """What is known of a unit; nothing where it was another device, or its profile another version."""
        identity = f"{profile.profile} {profile.version}"
        units = self._units.setdefault(bus, {})
        known = units.get(str(unit))
        if known is None or known.profile != identity:
            known = units[str(unit)] = UnitMemory(profile=identity)
        return known

    async def run(self) -> None:
        """Writes what changed once a minute for all buses, and when it is cancelled."""
        try:
            while True:
                await asyncio.sleep(SAVE_S)
                self.save()
        finally:
            self.save()

    def save(self) -> None:
        """Writes what changed. A disk that takes nothing is said once, and tried again."""
        text = json.dumps(
            {bus: {unit: _plain(memory) for unit, memory in units.items()} for bus, units in self._units.items()}
        )
        if self._path is None or text == self._written:
            return
        part = self._path.with_name(self._path.name + ".new")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, self._path)
            self._written, self._failing = text, False
        except OSError as error:
            if not self._failing:
                log.warning("what devices taught is not written down", file=str(self._path), error=str(error))
            self._failing = True

    def _read(self, path: Path) -> None:
        try:
            self._written = path.read_text(encoding="utf-8")
            document = json.loads(self._written)
            self._units = {
                bus: {unit: _memory(each) for unit, each in units.items()} for bus, units in document.items()
            }
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
            self._units = {}
            log.warning("what devices taught cannot be read: it is learned again", file=str(path), error=str(error))


def _plain(memory: UnitMemory) -> dict[str, Any]:
    refused = sorted([each.table, each.address, each.count] for each in memory.refused)
    slowest = round(memory.slowest, 2)  # so that not every answer changes the file
    return {"profile": memory.profile, "block": memory.block, "slowest": slowest, "refused": refused}


def _memory(plain: dict[str, Any]) -> UnitMemory:
    refused = set()
    for table, address, count in plain["refused"][:REFUSED_MOST]:
        if table not in get_args(Table):
            raise ValueError(f"{table} is no table")
        refused.add(Refused(table=table, address=int(address), count=int(count)))
    block = min(MAX_REGISTERS, max(1, int(plain["block"])))
    slowest = float(plain["slowest"])
    if not 0 <= slowest < 60:
        raise ValueError(f"{slowest} s is no answer time")
    return UnitMemory(profile=str(plain["profile"]), block=block, slowest=slowest, refused=refused)
