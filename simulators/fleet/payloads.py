"""Packs as text: one template for a table of poles that have the same devices, filled with a row of numbers."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.sensing.columns import Column
from simulators.world.arrays import IntArray
from wire.packs import QUALITIES

_BOOLS = ("false", "true")
_POLE = "\0"  # where a pole's name goes


class Payloads:
    """The packs of one table's poles. The text is what wire.packs would write."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.readings = len(columns)
        self._columns = list(columns)
        self._heads = [self._head(index) for index in range(len(columns))]
        self._good = self._template(["%s" if column.kind == "bool" else _number(column) for column in columns])

    def rows(
        self,
        names: Sequence[str],
        epochs: Sequence[str],
        numbers: Sequence[int],
        times_ms: Sequence[int],
        raw: IntArray,
        quality: NDArray[np.uint8],
    ) -> Iterator[bytes]:
        """A payload for each row: the pole's name, epoch and number, time, and its values and qualities."""
        good = np.count_nonzero(quality, axis=1) == 0
        cells = zip(*(self._cells(index, raw[:, index]) for index in range(len(self._columns))), strict=True)
        for row, values in enumerate(cells):
            time_ms = times_ms[row]
            identity = (time_ms // 1000, time_ms % 1000, epochs[row], numbers[row])
            if good[row]:
                text = self._good.replace(_POLE, names[row]) % (*identity, *values)
            else:
                text = self._bad(values, quality[row]).replace(_POLE, names[row]) % identity
            yield text.encode()

    def _cells(self, index: int, raw: IntArray) -> list[float] | list[int] | list[str]:
        column = self._columns[index]
        if column.kind == "bool":
            return [_BOOLS[value != 0] for value in raw.tolist()]
        if column.decimals == 0:
            whole: list[int] = raw.tolist()
            return whole
        scaled: list[float] = (raw / 10**column.decimals).tolist()
        return scaled

    def _bad(self, values: Sequence[object], quality: NDArray[np.uint8]) -> str:
        texts = []
        for column, value, code in zip(self._columns, values, quality.tolist(), strict=True):
            if code:
                texts.append(f'"q":"{QUALITIES[code - 1]}"')
            else:
                texts.append(_label(column) + ("%s" if column.kind == "bool" else _number(column)) % value)
        return self._template(texts, labelled=True)

    def _template(self, values: list[str], *, labelled: bool = False) -> str:
        texts = (
            values
            if labelled
            else [_label(column) + value for column, value in zip(self._columns, values, strict=True)]
        )
        return "[" + ",".join(head + text + "}" for head, text in zip(self._heads, texts, strict=True)) + "]"

    def _head(self, index: int) -> str:
        column = self._columns[index]
        out = "{"
        if index == 0 or self._columns[index - 1].device != column.device:
            out += f'"bn":"{_POLE}/{column.device}/",'
        if index == 0:
            out += '"bt":%d.%03d,"ep":"%s","sq":%d,'
        return out + f'"n":"{column.point}",'


def _label(column: Column) -> str:
    return '"vb":' if column.kind == "bool" else '"v":'


def _number(column: Column) -> str:
    return f"%.{column.decimals}f" if column.decimals else "%d"
