"""Which pack goes next: events first, then live telemetry, then what is left from earlier, as fast as it is stored.

At most a window of packs is unconfirmed at a time; beyond it they wait on the disk. Pure but for the spool it reads,
on whose thread it is used.

Backfill's share of the window is found by trying, as TCP finds a path's (RFC 5681, section 3.1): it grows while
confirmations come soon, and is halved when they are late. So a node alone sends what ingest can store, thousands of
nodes that come back together each send little, and on a slow line no live reading queues behind a backlog.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.disk.spool import Spool

EVENT_WINDOW = 32  # packs
TELEMETRY_WINDOW = 32  # live packs
BACKFILL_WINDOW = 64  # packs, beside those; not yet by far a queue that a broker notices
BACKFILL_FIRST = 1.0  # packs, at the beginning; it doubles with each round trip
BACKFILL_LEAST = 1 / 16  # packs: one in 16 s
BACKFILL_AFTER_S = 5.0  # at most so long after the connection: a district's nodes come back at one time
SOON_S = 1.0  # a confirmation that takes longer is late
LIVE_MS = 60_000  # an older pack is backfill
RESEND_S = 20.0  # unconfirmed for so long: sent again, and then after twice the time
RESEND_MAX_S = 60.0
OVERTAKEN_S = 1.0  # a pack sent so much later was confirmed: this one, or its confirmation, was lost on the way


@dataclass(frozen=True)
class Send:
    number: int
    channel: str
    body: bytes


@dataclass
class _UnderWay:
    channel: str
    sent_at: float
    again_at: float
    wait_s: float = RESEND_S


class Window:
    """now is monotonic, in seconds, in all of it."""

    def __init__(self, *, jitter: random.Random | None = None) -> None:
        self._jitter = jitter or random.Random()
        self._under_way: dict[int, _UnderWay] = {}
        self.reset(0.0)

    def reset(self, now: float) -> None:
        """A new connection: nothing is under way, everything on the disk may be sent."""
        self._under_way.clear()
        self._event_cursor = self._live_cursor = self._backfill_cursor = 0
        self._share = Share()
        self._backfill_from = now + self._jitter.uniform(0, BACKFILL_AFTER_S)

    def confirmed(self, ranges: Iterable[list[int]], now: float) -> None:
        """These are stored. What was sent well before one of them and is not stored is sent again at once."""
        newest = 0.0
        for first, last in ranges:
            for number in [number for number in self._under_way if first <= number <= last]:
                sent = self._under_way.pop(number)
                newest = max(newest, sent.sent_at)
                if sent.channel == "backfill":
                    self._share.confirmed(sent.sent_at, now)
        for sent in self._under_way.values():
            if sent.sent_at < newest - OVERTAKEN_S and sent.wait_s == RESEND_S:
                sent.again_at = 0.0

    def take(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        """What to send now, in order."""
        sends = [*self._overdue(spool, now_ms, now), *self._events(spool, now), *self._live(spool, now_ms, now)]
        if now >= self._backfill_from:
            sends += self._backfill(spool, now)
            if not self._under_way and self._share.room(now):
                spool.tell_missing()
        return sends

    def _overdue(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        sends = []
        for number, sent in list(self._under_way.items()):
            if now < sent.again_at:
                continue
            pack = spool.pack(number)
            if pack is None:  # confirmed, or dropped because the disk was full
                del self._under_way[number]
                continue
            if sent.channel == "backfill":
                self._share.silence(now)
            sent.wait_s = min(sent.wait_s * 2, RESEND_MAX_S)
            sent.sent_at, sent.again_at = now, now + sent.wait_s
            if sent.channel == "telemetry" and pack.newest_ms < now_ms - LIVE_MS:
                sent.channel = "backfill"
            sends.append(Send(number, sent.channel, pack.body))
        return sends

    def _events(self, spool: Spool, now: float) -> list[Send]:
        room = EVENT_WINDOW - self._count("event")
        if room <= 0:
            return []
        sends = []
        for pack in spool.events(after=self._event_cursor, limit=room):
            self._event_cursor = pack.number
            sends.append(self._send(pack.number, "event", pack.body, now))
        return sends

    def _live(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        self._live_cursor = max(self._live_cursor, spool.first_since(now_ms - LIVE_MS, after=self._live_cursor) - 1)
        room = TELEMETRY_WINDOW - self._count("telemetry")
        if room <= 0:
            return []
        sends = []
        for pack in spool.telemetry(after=self._live_cursor, before=1 << 62, limit=room):
            self._live_cursor = pack.number
            if pack.number not in self._under_way:
                sends.append(self._send(pack.number, "telemetry", pack.body, now))
        return sends

    def _backfill(self, spool: Spool, now: float) -> list[Send]:
        oldest = min((sent.sent_at for sent in self._under_way.values() if sent.channel == "backfill"), default=now)
        if now - oldest > SOON_S:  # late already, whenever it comes
            self._share.late(oldest, now)
        room = self._share.room(now) - self._count("backfill")
        sends: list[Send] = []
        while room > len(sends):
            packs = spool.telemetry(after=self._backfill_cursor, before=self._live_cursor + 1, limit=room - len(sends))
            if not packs:
                break
            for pack in packs:
                self._backfill_cursor = pack.number
                if pack.number not in self._under_way:
                    sends.append(self._send(pack.number, "backfill", pack.body, now))
        return sends

    def _send(self, number: int, channel: str, body: bytes, now: float) -> Send:
        self._under_way[number] = _UnderWay(channel, now, now + RESEND_S)
        return Send(number, channel, body)

    def _count(self, *channels: str) -> int:
        return sum(sent.channel in channels for sent in self._under_way.values())


class Share:
    """How many packs backfill may have under way; below one: how long it waits before the next."""

    def __init__(self) -> None:
        self.packs = BACKFILL_FIRST
        self._calm = False  # it was late before: grow by one pack a window instead of one a confirmation
        self._halved_at = -1.0

    def room(self, now: float) -> int:
        if self.packs < 1:
            return int(now >= self._halved_at + SOON_S / self.packs)
        return int(self.packs)

    def confirmed(self, sent_at: float, now: float) -> None:
        if now - sent_at > SOON_S:
            self.late(sent_at, now)
        elif self.packs < 1:
            self.packs *= 2
        else:
            self.packs = min(self.packs + (1 / self.packs if self._calm else 1), BACKFILL_WINDOW)

    def late(self, sent_at: float, now: float) -> None:
        """Once for what was under way together."""
        if sent_at >= self._halved_at:
            self.packs, self._calm, self._halved_at = max(BACKFILL_LEAST, self.packs / 2), True, now

    def silence(self, now: float) -> None:
        """A pack was not confirmed at all."""
        self.packs, self._calm, self._halved_at = min(1.0, self.packs), True, now
