"""Packs IN, durable and numbered in one row; OUT in the order of sending, until `down/stored` names their numbers.

Two rows of segments in the folder `journal`, events and telemetry, each bounded by its share of the journal's bytes.
The file `state` is small enough for LittleFS2 to keep it inside the folder's own block. It says what the segments
cannot: the epoch, the counts, the highest number given before a segment began. So it is written before each segment,
and whenever something was dropped. Confirmations are written now and then: to forget one only means to send again.
"""

import binascii
import os
import struct

from edge import disk
from edge.guest import guest
from edge.segments import HEAD, Segments

_WINDOW = 8  # packs under way, unconfirmed
_LIVE_WINDOW = 6  # of them at most telemetry, live and backfill: an event finds room
_BACKFILL_WINDOW = 4
_BACKFILL_AFTER_MS = 5_000  # at most so long after the connection: a district's controllers come back at one time
_LIVE_MS = 60_000  # an older pack is backfill
_LOOK_AT = 16  # packs that are passed over in one call, at most
_SOON_MS = 1_000  # a confirmation that takes longer is late
_RESEND_MS = 20_000  # unconfirmed for so long: sent again, and then after twice the time
_RESEND_MAX_MS = 60_000
_SAVE_AFTER = 64  # confirmed packs: so many are sent again after a power cut
_HEADER = 32
_ENOSPC = 28
_TELEMETRY = 1  # channels; 0 is event
_BACKFILL = 2


class Journal:
    """epoch: 8 hexadecimal digits. head: the highest number given. readings: how many were ever numbered.

    full, damaged: packs that were dropped because there was no room, or because they could not be read.
    """

    epoch: str
    head: int
    readings: int
    full: int
    damaged: int
    events: Segments
    telemetry: Segments

    def __init__(self, board, config: dict, clock) -> None:
        """config["journal"]: bytes."""
        self.folder = board.folder + "/journal/"
        self._ms = board.ms
        self._clock = clock
        self._moved = 0  # packs confirmed since the state was written
        self._dirty = False  # packs were dropped that the written state does not count
        self._buffer = memoryview(bytearray(256))
        self._file = None
        self._sending = ""  # the segment that is being sent from stays
        guest("edge.reopen", "read", self, clock, config["journal"])
        self.lost_sight()

    def lost_sight(self) -> None:
        """A new connection: nothing is under way, and all that is on the disk may be sent."""
        self._close()
        firsts = self.telemetry.firsts
        self._under_way: list[list[int]] = []  # number, channel, when it was sent, how long that holds
        self._after = [0, firsts[-1] - 1 if firsts else 0, 0]  # by channel: the last number that was looked at
        self._share = 1  # packs of backfill that may be under way
        self._backfill_from = self._ms() + os.urandom(1)[0] * _BACKFILL_AFTER_MS // 255

    def save(self) -> None:
        """What is confirmed until now is not sent again after a power cut. Raises OSError."""
        kept = [1, int(self.epoch, 16), self.head, self.readings, self.full, self.damaged]
        for row in (self.events, self.telemetry):
            end = len(kept) + 11
            kept.append(row.cursor)
            for each in row.ranges:
                kept += each
            kept += [0] * (end - len(kept))
        disk.save(self.folder + "state", struct.pack("<BIIQ24I", *kept))  # as in edge.reopen
        self._moved = 0
        self._dirty = False

    def append(self, body: bytes, readings: int, base_ms: int, boot: int, event: bool) -> int:
        """Durable when it returns its number. Raises OSError, and then nothing but this pack is lost.

        body: a pack's JSON, from the `"bn":` of its first record on; times relative to base_ms, which is UTC where boot
        is 0, else milliseconds of that boot.
        """
        row = self.events if event else self.telemetry
        for again in (False, True):
            try:
                if not row.firsts or 0 < row.end > row.size - _HEADER - len(body):
                    self._begin(row)
                row.write(self.head + 1, body, readings, base_ms, boot)
                break
            except OSError as error:
                if again or not event or error.errno != _ENOSPC or len(self.telemetry.firsts) < 2:
                    raise
                self.save()  # where not even that finds room, nothing is dropped in vain
                self._drop(self.telemetry)  # others filled the disk: old telemetry goes before an event
                self.sweep(self.telemetry)
        self.head += 1
        self.readings += readings
        return self.head

    def _begin(self, row: Segments) -> None:
        for _ in range(len(row.firsts) + 1 - row.most):
            self._drop(row)
            self.sweep(row)
        self.save()  # the head is on the disk before the segments that have it can go
        row.firsts.append(self.head + 1)
        row.waiting.append(0)
        row.end = row.place = 0

    def _drop(self, row: Segments) -> None:
        """The oldest segment goes with the next sweep()."""
        first = row.firsts[0]
        if row.name(first) == self._sending:
            self._close()
        self.full += row.waiting[0]
        self.damaged += row.lost.pop(first, 0)
        row.waiting[0] = 0
        row.cut(row.firsts[1] - 1)
        self._dirty = True

    def sweep(self, row: Segments) -> None:
        """Segments that nobody waits for go, but for the last; what they dropped is counted on the disk before."""
        try:
            i = 0
            while i < len(row.firsts) - 1:
                first = row.firsts[i]
                # not before the cursor can pass the lost: they would be counted again
                if row.waiting[i] or row.name(first) == self._sending or (i and first in row.lost):
                    i += 1
                    continue
                if first in row.lost:
                    self._drop(row)
                if self._dirty:
                    self.save()
                os.remove(row.name(first))
                del row.firsts[i]
                del row.waiting[i]
        except OSError:  # another time
            pass

    def stored(self, first: int, last: int) -> None:
        """These numbers are in the database; never raises. What is not here is left out of account."""
        last = min(last, self.head)
        for sent in self._under_way[:]:
            if first <= sent[0] <= last:
                self._under_way.remove(sent)
                if sent[1] == _BACKFILL:
                    late = self._ms() - sent[2] > _SOON_MS
                    self._share = 1 if late else min(self._share + 1, _BACKFILL_WINDOW)
        for row in (self.events, self.telemetry):
            self._moved += row.settle(first, last)
            self.sweep(row)
        if self._moved >= _SAVE_AFTER:
            try:
                self.save()
            except OSError:
                pass

    def state(self) -> dict:
        """The labels of a status that are about packs; head == stored + pending + the sum of dropped."""
        pending = 0
        for row in (self.events, self.telemetry):
            pending += sum(row.waiting) + sum(row.lost.values())
        return {
            "ep": self.epoch,
            "head": self.head,
            "stored": self.head - pending - self.full - self.damaged,
            "pending": pending,
            "dropped": {"full": self.full, "damaged": self.damaged},
            "readings": self.readings,
        }

    # --- sending ---

    def next(self, now: int):
        """(channel, size, chunks) of the pack to publish now, or None. now: as board.ms().

        The chunks end with the next call. A pack was looked at as a whole before its first byte goes out; one that is
        damaged is dropped.
        """
        self._close()
        while True:
            sent = self._choose(now)
            if not sent:
                return None
            pack = self.read(self.telemetry if sent[1] else self.events)
            if pack:
                return (("event", "telemetry", "backfill")[sent[1]],) + pack
            self._under_way.remove(sent)

    def _choose(self, now: int):
        live_ms = (self._clock.now() or 1 << 62) - _LIVE_MS
        count = [0, 0, 0]
        numbers = []
        for sent in self._under_way[:]:
            number, channel, since, wait = sent
            if now - since < wait:
                count[channel] += 1
                numbers.append(number)
            elif (self.telemetry if channel else self.events).find(number - 1) != number:
                self._under_way.remove(sent)  # it was dropped
            else:
                if channel == _BACKFILL:
                    self._share = 1
                elif channel and self._time()[0] < live_ms:
                    channel = _BACKFILL
                sent[1:] = channel, now, min(wait * 2, _RESEND_MAX_MS)
                return sent
        for channel in range(3):
            if len(numbers) >= _WINDOW or channel and count[1] + count[2] >= _LIVE_WINDOW:
                break
            if channel == _BACKFILL and (count[2] >= self._share or now < self._backfill_from):
                break
            if channel == _BACKFILL and self._after[2] >= self._after[1]:
                break
            for _ in range(_LOOK_AT):
                number = (self.telemetry if channel else self.events).find(self._after[channel])
                time = number and self._time()
                if not time or (channel == _BACKFILL and number > self._after[1]):
                    break
                self._after[channel] = number
                if number not in numbers and (channel != _TELEMETRY or time[0] >= live_ms):
                    sent = [number, channel, now, _RESEND_MS]
                    self._under_way.append(sent)
                    return sent
        return None

    def _time(self):
        """(UTC ms, whether it is an estimate) of the pack that was found last, or None while nobody knows."""
        boot, base_ms = struct.unpack_from("<Iq", HEAD, 12)
        return self._clock.time(boot, base_ms)

    def read(self, row: Segments):
        """(size, chunks) of the pack that was found last, or None where it cannot be read."""
        first, at, number = row.at
        length, crc = struct.unpack_from("<H18xI", HEAD, 4)
        ms, estimated = self._time()
        head = ('[{"ep":"%s","sq":%d,"bt":%d.%03d,' % (self.epoch, number, ms // 1000, ms % 1000)).encode()
        self._close()
        self._sending = row.name(first)
        try:
            self._file = file = open(self._sending, "rb")  # type: ignore[assignment]
            file.seek(at + _HEADER)
            found = 0
            for chunk in self._chunks(file, length, b""):
                found = binascii.crc32(chunk, found)
            if found == crc:
                file.seek(at + _HEADER)
                if not estimated:
                    return len(head) + length, self._chunks(file, length, head)
                body = guest("edge.estimate", "marked", file.read(length))
                return len(head) + len(body), (head, body)
            if row.settle(number, number):
                self.damaged += 1
                self.save()
        except OSError:
            pass
        return None

    def _chunks(self, file, left: int, head: bytes):
        yield head
        while left > 0:
            got = file.readinto(self._buffer[:left]) if file is self._file else 0  # type: ignore[attr-defined]
            if not got:
                raise OSError("dropped")
            left -= got
            yield self._buffer[:got]

    def _close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None
        self._sending = ""
