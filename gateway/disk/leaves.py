"""The rows of a damaged spool, read from its leaf pages alone: whatever is wrong above them hides none.

Layout: sqlite.org/fileformat2.html, sections 1.5 (free pages), 1.6 (pages, cells, overflow) and 2.1 (records). Nothing
here is trusted: each row that is used carries a checksum.
"""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from gateway.disk import write_ahead_log
from gateway.disk.rows import Kept, State, pack_of, state_of
from gateway.disk.write_ahead_log import PAGE

_LOCAL_MOST = PAGE - 35  # bytes of a record within its leaf
_LOCAL_LEAST = (PAGE - 12) * 32 // 255 - 23
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes


class Leaves:
    """with Leaves(path): a spool's file and its log, as they stand on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        log = write_ahead_log.read(path)
        self._logged = log.pages
        self._both = log.cut
        self._count = max(path.stat().st_size // PAGE, *log.pages, 1) if log.pages else path.stat().st_size // PAGE
        self._free = self._free_pages()

    def __enter__(self) -> "Leaves":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def state(self) -> State | None:
        """None where it cannot be read."""
        rows = [row[1:] for _, row in self._rows(write_ahead_log.STATE_PAGE) if len(row) == 9]
        states = [state for row in rows if (state := state_of(row)) is not None]
        return max(states, key=lambda state: state.head, default=None)

    def packs(self) -> Iterator[Kept]:
        """Telemetry, then events, each oldest first and each number once; few are in memory at a time."""
        first: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        for page in range(2, self._count + 1):
            for flag, number in {pack.event: pack.number for pack in reversed(list(self._packs(page)))}.items():
                first[flag].append((number, page))
        for flag, pages in zip((False, True), first, strict=True):
            last = 0
            for _, page in sorted(pages):
                for pack in sorted(self._packs(page), key=lambda pack: pack.number):
                    if pack.event == flag and pack.number > last:  # an old copy of a page may be about
                        last = pack.number
                        yield pack

    def rows(self, columns: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """(rowid, the columns, of which the rowid's own is None) of every row with so many, in no order."""
        for page in range(2, self._count + 1):
            if page not in self._free:
                yield from (each for each in self._rows(page) if len(each[1]) == columns)

    def _packs(self, page: int) -> Iterator[Kept]:
        if page in self._free:
            return
        for number, row in self._rows(page):
            if len(row) == 5:
                for event in (False, True):
                    if (pack := pack_of(event, (number, *row[1:]))) is not None:
                        yield pack

    def _page(self, number: int) -> bytes:
        if number in self._logged:
            return self._logged[number]
        return self._filed(number)

    def _filed(self, number: int) -> bytes:
        self._file.seek((number - 1) * PAGE)
        return self._file.read(PAGE).ljust(PAGE, b"\0")

    def _free_pages(self) -> set[int]:
        """Deleted packs lie there. Empty where the list is damaged: then some are sent again."""
        trunk, count = struct.unpack_from(">2I", self._page(1), 32)
        free: set[int] = set()
        while 0 < trunk <= self._count and trunk not in free:
            free.add(trunk)
            trunk, entries = struct.unpack_from(">2I", page := self._page(trunk))
            free.update(struct.unpack_from(f">{min(entries, PAGE // 4 - 2)}I", page, 8))
        return free if len(free) == count else set()

    def _rows(self, number: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
        yield from self._rows_of(self._page(number))
        if self._both and number in self._logged:
            yield from self._rows_of(self._filed(number))

    def _rows_of(self, page: bytes) -> Iterator[tuple[int, tuple[Any, ...]]]:
        cells = min(struct.unpack_from(">H", page, 3)[0], PAGE // 4)
        for (at,) in struct.iter_unpack(">H", page[8 : 8 + 2 * cells]):
            with contextlib.suppress(IndexError, struct.error, ValueError, OverflowError):
                size, at = _varint(page, at)
                rowid, at = _varint(page, at)
                yield rowid, _columns(self._payload(page, at, size))

    def _payload(self, page: bytes, at: int, size: int) -> bytes:
        if size <= _LOCAL_MOST:
            return page[at : at + size]
        if size > 1 << 20:
            raise ValueError("no row of a spool is so long")
        local = _LOCAL_LEAST + (size - _LOCAL_LEAST) % (PAGE - 4)
        local = local if local <= _LOCAL_MOST else _LOCAL_LEAST
        whole = bytearray(page[at : at + local])
        (following,) = struct.unpack_from(">I", page, at + local)
        while len(whole) < size:
            if not 0 < following <= self._count:
                raise ValueError("the rest is not there")
            overflow = self._page(following)
            (following,) = struct.unpack_from(">I", overflow)
            whole += overflow[4 : 4 + min(PAGE - 4, size - len(whole))]
        return bytes(whole)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        byte = data[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise AssertionError("not reached")


def _columns(record: bytes) -> tuple[Any, ...]:
    end, at = _varint(record, 0)
    content = end
    columns: list[Any] = []
    while at < end:
        kind, at = _varint(record, at)
        size = _INTEGERS.get(kind, 0) if kind < 12 else (kind - 12) // 2
        part = record[content : content + size]
        if len(part) < size:
            raise ValueError("the record ends early")
        content += size
        columns.append(_value(kind, part))
    return tuple(columns)


def _value(kind: int, part: bytes) -> Any:
    if kind in (8, 9):
        return kind - 8
    if kind in _INTEGERS:
        return int.from_bytes(part, "big", signed=True)
    if kind >= 12:
        return part.decode() if kind % 2 else part
    return None
