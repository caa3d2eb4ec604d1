"""A guest: the offsets of boots whose packs may still wait, on the disk. An entry is a boot and its offset, ascending.

A boot whose time was never known has none: the milliseconds of the next one count on from its own, and the next offset
is good for both. Its readings thus get the latest times that they can have.
"""

import struct

from edge import disk

_ENTRY = "<Iq"
_BYTES = 12
_MOST = 64  # entries
_SPAN_MS = 20_000  # between a pack's base time and its last reading, at most


def begin(clock, oldest: int, newest: int, ms: int) -> None:
    """Numbers this boot. Packs wait for their time since boot oldest, the last of boot newest at its ms; 0: none."""
    table = disk.load(clock.path) or b""
    if table:
        clock.known = struct.unpack_from(_ENTRY, table, len(table) - _BYTES)[0]
    clock.boot = max(clock.known, newest) + 1
    clock.oldest = oldest
    if newest > clock.known:
        clock.start = ms + _SPAN_MS


def enter(clock, offset: int) -> None:
    """This boot's offset is on the disk from now on. Where it takes no more, its packs wait for the next boot's."""
    table = disk.load(clock.path) or b""
    while table and (not clock.oldest or struct.unpack_from(_ENTRY, table)[0] < clock.oldest):
        table = table[_BYTES:]
    if len(table) < _MOST * _BYTES:
        disk.save(clock.path, table + struct.pack(_ENTRY, clock.boot, offset))
        clock.known = clock.boot


def find(clock, boot: int) -> tuple[int, int, int] | None:
    """(boot, the boot whose offset is good for it, offset)."""
    table = disk.load(clock.path) or b""
    for at in range(0, len(table), _BYTES):
        known, offset = struct.unpack_from(_ENTRY, table, at)
        if known >= boot:
            return boot, known, offset
    return None
