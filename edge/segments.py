"""One row of packs on the disk: files that only grow, and go when nobody waits for them any more.

A segment's name is its kind and the lowest number that it may hold. A record, little endian: mark, place in the
segment, bytes of the body, readings (16 bits each); number, boot (32 each; boot 0: the time is UTC); time in ms (64);
CRC-32 of the body, CRC-32 of the header before it (32 each); the body. A damaged record costs only itself: the next
mark is searched for, and the places tell how many were lost between.
"""

import binascii
import os
import struct

from edge import disk

_MARK = b"\xa7\x5b"
_HEADER = 32
_RANGES = 5
HEAD = bytearray(_HEADER)  # the header that was found last
_CHECKED = memoryview(HEAD)[:28]


def seek(file, at: int) -> int:
    """Offset of the first whole header at or after `at`, which is then in HEAD; -1: there is none."""
    while True:
        file.seek(at)
        if file.readinto(HEAD) < _HEADER:
            return -1
        if binascii.crc32(_CHECKED) == struct.unpack_from("<I", HEAD, 28)[0]:
            return at
        file.seek(at + 1)
        block = file.read(256)
        mark = block.find(_MARK)
        at += 1 + mark if mark >= 0 else len(block)


class Segments:
    """cursor: packs up to this number are settled: stored, or dropped. waiting: how many of each segment are not.

    ranges: [first, last], settled beyond the cursor, ascending. lost: first of a segment -> how many of its headers are
    damaged. at: what find() found: first of its segment, offset, number. end, place: of the last segment.
    """

    def __init__(self, prefix: str, most: int, size: int) -> None:
        """most: how many segments. size: bytes of each."""
        self.most = most
        self.size = size
        self.cursor = self.end = self.place = 0
        self.ranges: list[list[int]] = []
        self.firsts: list[int] = []
        self.waiting: list[int] = []
        self.lost: dict[int, int] = {}
        self.at = (0, 0, 0)
        self._prefix = prefix

    def name(self, first: int) -> str:
        return "%s%08x" % (self._prefix, first)

    def write(self, number: int, body: bytes, readings: int, base_ms: int, boot: int) -> None:
        """Durable when it returns. Raises OSError, and then the record is not there."""
        name, end = self.name(self.firsts[-1]), self.end
        head = _MARK + struct.pack(
            "<HHHIIqI", self.place, len(body), readings, number, boot, base_ms, binascii.crc32(body)
        )
        try:
            with open(name, "r+b" if end else "wb") as file:
                file.seek(end)
                file.write(head + binascii.crc32(head).to_bytes(4, "little"))
                file.write(body)
                disk.sync(file)
            if not end:
                disk.sync_folder(name)
        except OSError:
            if end and hasattr(os, "truncate"):  # LittleFS2 leaves the file as it was
                os.truncate(name, end)
            raise
        self.end = end + _HEADER + len(body)
        self.place += 1
        self.waiting[-1] += 1

    def find(self, after: int) -> int:
        """Number of the first pack above `after` that waits, or 0. Its header is in HEAD, its place in `at`."""
        firsts = self.firsts
        first, at, number = self.at
        if number > after or first not in firsts:
            first = at = 0
        for i in range(len(firsts)):
            if not self.waiting[i] or firsts[i] < first or (i + 1 < len(firsts) and firsts[i + 1] <= after + 1):
                continue
            if firsts[i] != first:
                at = 0
            try:
                with open(self.name(firsts[i]), "rb") as file:
                    while (at := seek(file, at)) >= 0:
                        length, _, number = struct.unpack_from("<HHI", HEAD, 4)
                        if number > max(after, self.cursor):
                            for each in self.ranges:
                                if each[0] <= number <= each[1]:
                                    break
                            else:
                                self.at = (firsts[i], at, number)
                                return int(number)
                        at += _HEADER + length
            except OSError:  # blocks that cannot be read
                pass
        return 0

    def settle(self, first: int, last: int) -> int:
        """These wait no more. Returns how many packs did; 0 also where there is no room to remember it."""
        number = oldest = self.find(self.cursor)
        if first > oldest:
            number = self.find(first - 1)
        if not 0 < number <= last:
            return 0
        ranges = []
        for each in self.ranges:
            if each[1] < first - 1 or each[0] > last + 1:
                ranges.append(each)
            else:
                first, last = min(first, each[0]), max(last, each[1])
        if len(ranges) >= _RANGES and number != oldest:
            return 0
        count = 0
        while 0 < number <= last:
            self.waiting[self.firsts.index(self.at[0])] -= 1
            count += 1
            number = self.find(number)
        ranges.append([first, last])
        ranges.sort()
        self.ranges = ranges
        number = self.find(self.cursor)
        cursor = ranges[-1][1]
        for i in range(len(self.firsts)):
            first = self.firsts[i]
            if self.waiting[i] or first in self.lost:  # also what cannot be read keeps the cursor
                cursor = (number if number and self.at[0] == first else first) - 1
                break
        self.cut(cursor)
        return count

    def cut(self, cursor: int) -> None:
        """Everything up to the cursor is settled."""
        self.cursor = max(self.cursor, cursor)
        while self.ranges and self.ranges[0][1] <= self.cursor:
            del self.ranges[0]
