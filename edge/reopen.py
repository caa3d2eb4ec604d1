"""A guest: opens the journal after a start, from its state and the headers of its segments.

Where the state or the end of a row cannot be read, nobody knows which numbers were given, so none of them may be given
again: the journal begins a new epoch. The packs that are there get new numbers in it; what was stored already is stored
again, which is harmless. Until they have them, the old segments have an `x` before their names.
"""

import binascii
import os
import struct

from edge import disk
from edge.guest import guest
from edge.segments import HEAD, Segments, seek

_HEADER = 32
_FORMAT = "<BIIQ24I"  # as in edge.journal
_VERSION = 1
_SEGMENTS = 33  # one of them is for what LittleFS2 adds to the others' blocks
_LARGEST = 131072  # bytes of a segment: to find a pack its headers are read


def read(journal, clock, size: int) -> None:
    """Fills a journal, and completes the clock. A disk that takes nothing makes a journal that takes nothing."""
    boots = [0, 0, 0]  # oldest and newest that packs wait of for their time, and the newest's last millisecond
    try:
        _load(journal, size, _state(journal.folder), boots)
    except ValueError:
        _load(journal, size, None, boots)
    guest("edge.boots", "begin", clock, *boots)


def _state(folder: str):
    data = disk.load(folder + "state")
    if data and len(data) == struct.calcsize(_FORMAT) and data[0] == _VERSION:
        return struct.unpack(_FORMAT, data)[1:]
    return None


def _load(journal, size: int, state, boots: list[int]) -> None:
    folder = journal.folder
    names = _names(folder, not state)
    begins = not state
    state = state or (int.from_bytes(os.urandom(4), "big"),) + (0,) * 26
    journal.epoch = "%08x" % state[0]
    head, journal.readings, journal.full, journal.damaged = state[1:5]
    journal.head = head
    segment = min(size // _SEGMENTS, _LARGEST)
    most = size // segment // 4
    journal.events = _row(folder + "e", most, segment, state[5:16])
    journal.telemetry = _row(folder + "t", 3 * most, segment, state[16:])
    for row, kind in ((journal.events, "e"), (journal.telemetry, "t")):
        firsts = [int(name[1:], 16) for name in names if name[0] == kind]
        for i in range(len(firsts)):
            sealed = i + 1 < len(firsts)
            if sealed and firsts[i + 1] <= row.cursor + 1:
                os.remove(row.name(firsts[i]))  # it was about to go
            else:
                _load_segment(journal, row, firsts[i], sealed, head, boots)
        journal.sweep(row)
    if begins:
        try:
            journal.save()
        except OSError:  # the first pack tries again
            pass
    for name in sorted([name[2:] + name[1] for name in names if name[0] == "x"]):
        _take_over(journal, folder + "x" + name[-1] + name[:-1], name[-1] == "e", boots)


def _row(prefix: str, most: int, size: int, kept) -> Segments:
    row = Segments(prefix, most, size)
    row.cursor = kept[0]
    row.ranges = [[kept[i], kept[i + 1]] for i in range(1, len(kept), 2) if kept[i]]
    return row


def _names(folder: str, aside: bool) -> list[str]:
    try:
        names = os.listdir(folder[:-1])
        for name in names:
            if aside and name[0] == "s":
                os.remove(folder + name)  # first: with it, the old epoch would go on without its packs
        for name in names:
            if aside and name[0] in "et":
                os.rename(folder + name, folder + "x" + name)
        return sorted(os.listdir(folder[:-1]))
    except OSError:
        try:
            os.mkdir(folder[:-1])
        except OSError:
            pass
        return []


def _load_segment(journal, row, first: int, sealed: bool, head: int, boots: list[int]) -> None:
    name = row.name(first)
    at = end = place = waiting = lost = 0
    try:
        with open(name, "rb") as file:
            size = file.seek(0, 2)
            while (at := seek(file, end)) >= 0:
                its_place, length, readings, number, boot, base_ms = struct.unpack_from("<HHHIIq", HEAD, 2)
                lost += its_place - place
                place = its_place + 1
                end = at + _HEADER + length
                if number > head:
                    journal.readings += readings
                    journal.head = max(journal.head, number)
                if number > row.cursor and not any([each[0] <= number <= each[1] for each in row.ranges]):
                    waiting += 1
                    _see(boots, boot, base_ms)
    except OSError:  # blocks that cannot be read
        size = end + 1
    if size == 0:
        os.remove(name)
        return
    if end < size:
        if not sealed:
            if at >= 0 or not hasattr(os, "truncate"):
                raise ValueError
            os.truncate(name, end)  # an append that was cut off; LittleFS2 has none
        else:
            lost += 1
    row.firsts.append(first)
    row.waiting.append(waiting)
    row.end, row.place = end, place
    if lost:
        row.lost[first] = lost


def _see(boots: list[int], boot: int, ms: int) -> None:
    if boot:
        boots[:] = min(boots[0] or boot, boot), max(boots[1], boot), max(boots[2], ms)


def _take_over(journal, path: str, event: bool, boots: list[int]) -> None:
    lost = place = end = 0
    try:
        with open(path, "rb") as file:
            while (at := seek(file, end)) >= 0:
                its_place, length, readings, _, boot, base_ms, crc = struct.unpack_from("<HHHIIqI", HEAD, 2)
                lost += its_place - place
                place = its_place + 1
                end = at + _HEADER + length
                file.seek(at + _HEADER)
                body = file.read(length)
                if binascii.crc32(body) == crc and _append(journal, body, readings, base_ms, boot, event):
                    _see(boots, boot, base_ms)
                else:
                    lost += 1
            lost += end < file.seek(0, 2)
        journal.head += lost
        journal.damaged += lost
        journal.save()  # a cut here doubles packs, which is harmless
        os.remove(path)
    except OSError:  # the next start tries again
        pass


def _append(journal, *pack) -> bool:
    try:
        journal.append(*pack)
    except OSError:
        return False
    return True
