"""Which pack goes next: events first, then live telemetry, then what is left from earlier, at a bounded rate.

At most a window of packs is unconfirmed at a time; beyond it they wait on the disk. Pure but for the spool it reads,
on whose thread it is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.disk.spool import Spool

EVENT_WINDOW = 32  # packs
TELEMETRY_WINDOW = 32  # packs, of which backfill may fill half: live readings never wait behind it
LIVE_MS = 60_000  # an older pack is backfill
BACKFILL_RATE = 20.0  # packs a second
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
    def __init__(self) -> None:
        self._under_way: dict[int, _UnderWay] = {}
        self._allowance = BACKFILL_RATE
        self._allowance_at = 0.0
        self.reset()

    def reset(self) -> None:
        """A new connection: nothing is under way, everything on the disk may be sent."""
        self._under_way.clear()
        self._event_cursor = self._live_cursor = self._backfill_cursor = 0

    def confirmed(self, ranges: Iterable[list[int]]) -> None:
        """These are stored. What was sent well before one of them and is not stored is sent again at once."""
        newest = 0.0
        for first, last in ranges:
            for number in [number for number in self._under_way if first <= number <= last]:
                newest = max(newest, self._under_way.pop(number).sent_at)
        for sent in self._under_way.values():
            if sent.sent_at < newest - OVERTAKEN_S and sent.wait_s == RESEND_S:
                sent.again_at = 0.0

    def take(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        """What to send now, in order; now is monotonic, in seconds."""
        return [
            *self._overdue(spool, now_ms, now),
            *self._events(spool, now),
            *self._live(spool, now_ms, now),
            *self._backfill(spool, now_ms, now),
        ]

    def _overdue(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        sends = []
        for number, sent in list(self._under_way.items()):
            if now < sent.again_at:
                continue
            pack = spool.pack(number)
            if pack is None:  # confirmed, or dropped because the disk was full
                del self._under_way[number]
                continue
            sent.wait_s = min(sent.wait_s * 2, RESEND_MAX_S)
            sent.sent_at, sent.again_at = now, now + sent.wait_s
            if sent.channel == "telemetry" and pack.newest_ms < now_ms - LIVE_MS:
                sent.channel = "backfill"
            sends.append(Send(number, sent.channel, pack.body))
        return sends

    def _events(self, spool: Spool, now: float) -> list[Send]:
        sends = []
        for pack in spool.events(after=self._event_cursor, limit=EVENT_WINDOW - self._count("event")):
            self._event_cursor = pack.number
            sends.append(self._send(pack.number, "event", pack.body, now))
        return sends

    def _live(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        self._live_cursor = max(self._live_cursor, spool.first_since(now_ms - LIVE_MS) - 1)
        room = TELEMETRY_WINDOW - self._count("telemetry", "backfill")
        sends = []
        for pack in spool.telemetry(after=self._live_cursor, before=1 << 62, limit=room):
            self._live_cursor = pack.number
            sends.append(self._send(pack.number, "telemetry", pack.body, now))
        return sends

    def _backfill(self, spool: Spool, now_ms: int, now: float) -> list[Send]:
        self._allowance = min(BACKFILL_RATE, self._allowance + (now - self._allowance_at) * BACKFILL_RATE)
        self._allowance_at = now
        room = min(
            TELEMETRY_WINDOW - self._count("telemetry", "backfill"),
            TELEMETRY_WINDOW // 2 - self._count("backfill"),
            int(self._allowance),
        )
        sends: list[Send] = []
        before = spool.first_since(now_ms - LIVE_MS)
        while room > len(sends):
            packs = spool.telemetry(after=self._backfill_cursor, before=before, limit=room - len(sends))
            if not packs:
                break
            for pack in packs:
                self._backfill_cursor = pack.number
                if pack.number not in self._under_way:
                    sends.append(self._send(pack.number, "backfill", pack.body, now))
        self._allowance -= len(sends)
        return sends

    def _send(self, number: int, channel: str, body: bytes, now: float) -> Send:
        self._under_way[number] = _UnderWay(channel, now, now + RESEND_S)
        return Send(number, channel, body)

    def _count(self, *channels: str) -> int:
        return sum(sent.channel in channels for sent in self._under_way.values())
