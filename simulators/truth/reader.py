"""Reads a truth back, also one that is still being written, or whose writer was killed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.truth import blocks
from simulators.truth.blocks import Blocks, TruthError
from simulators.truth.rows import Rows, Taken


@dataclass(frozen=True, kw_only=True)
class Step:
    """The readings of one step."""

    step: int
    tables: list[Taken]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A happening."""

    step: int
    kind: str
    en: str
    zh: str
    poles: list[int]


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a command made a pole do from this step on."""

    step: int
    pole: int
    what: str
    value: float


class Reader:
    """Every iteration starts at the beginning. After one, `torn` says what is wrong with the file's end (empty:
    nothing), and `complete` whether its writer closed it. Raises TruthError."""

    def __init__(self, *, folder: Path) -> None:
        self._blocks = Blocks(path=folder / blocks.FILE)
        self.complete = False
        kind, content = next(iter(self._blocks), (blocks.END, b""))
        if kind != blocks.HEADER:
            raise TruthError(f"{folder / blocks.FILE} has no header that can be read")
        self.header: dict[str, Any] = json.loads(content)

    @property
    def torn(self) -> str:
        return self._blocks.torn

    def __iter__(self) -> Iterator[Step | Told | Act]:
        rows = Rows(tables=self.header["tables"])
        self.complete = False
        for kind, content in self._blocks:
            if kind == blocks.STEP:
                step = int.from_bytes(content[:4], "little")
                yield Step(step=step, tables=rows.decode(memoryview(content)[4:]))
            elif kind == blocks.END:
                self.complete = True
            elif kind != blocks.HEADER:
                yield _told(kind, json.loads(content))

    def steps(self) -> Iterator[Step]:
        """The readings alone."""
        return (item for item in self if isinstance(item, Step))


def _told(kind: int, told: list[Any]) -> Told | Act:
    if kind == blocks.ACT:
        step, pole, what, value = told
        return Act(step=step, pole=pole, what=what, value=value)
    step, name, en, zh, poles = told
    return Told(step=step, kind=name, en=en, zh=zh, poles=poles)
