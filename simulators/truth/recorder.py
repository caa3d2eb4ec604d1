"""Writes the truth of a run: everything that was taken, that happened and that was done, in the order of the steps.

Nothing of the wall clock goes in: the same seed, scenario and poles write the same bytes on every run.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from simulators.truth import blocks
from simulators.truth.rows import Rows, Taken
from simulators.world.arrays import IntArray


class Happening(Protocol):
    """What began or ended at a step, as the world tells it: in English, in Chinese, and at which poles."""

    @property
    def step(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def en(self) -> str: ...
    @property
    def zh(self) -> str: ...
    @property
    def poles(self) -> IntArray: ...


class Recorder:
    """header: plain values for JSON: seed, scenario, poles, start, every, depths, and tables: {"kit", "columns": [{…}],
    "poles": [index, …]}. Each call has reached the operating system when it returns, so a killed run keeps it: record a
    step before you send it. A folder that has a truth gets a new one. Raises OSError.
    """

    def __init__(self, *, folder: Path, header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._rows = Rows(tables=header["tables"])
        self._digest = hashlib.sha256()
        self._file = (folder / blocks.FILE).open("wb")
        self._put(blocks.MARK)
        self._tell(blocks.HEADER, header)

    @property
    def sha256(self) -> str:
        """Of the file so far, in hexadecimal digits: two runs with the same one had the same truth."""
        return self._digest.hexdigest()

    def step(self, step: int, tables: Sequence[Taken | tuple[Any, ...]]) -> None:
        """Every row is one pack of its node: its number is the count of the node's rows up to and with this one.

        A step in which nobody read anything leaves no trace.
        """
        if not tables:
            return
        content = step.to_bytes(4, "little") + self._rows.encode([Taken(*table) for table in tables])
        self._put(blocks.block(blocks.STEP, content))

    def happening(self, told: Happening) -> None:
        poles = [int(pole) for pole in told.poles]
        self._tell(blocks.HAPPENING, [told.step, told.kind, told.en, told.zh, poles])

    def act(self, step: int, pole: int, what: str, value: float) -> None:
        """What a command made a pole do from this step on."""
        self._tell(blocks.ACT, [step, pole, what, value])

    def close(self) -> None:
        """Marks the truth as complete."""
        if not self._file.closed:
            self._tell(blocks.END, [])
            self._file.close()

    def _tell(self, kind: int, told: object) -> None:
        self._put(blocks.block(kind, json.dumps(told, sort_keys=True, ensure_ascii=False).encode()))

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
        self._file.flush()
