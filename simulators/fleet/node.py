"""One node: an identity, a session while it can have one, and which of its packs are under way.

A pack is in the spool before a node hears of it (`made`), and leaves when `down/stored` names it. At most WINDOW packs
are under way; live packs go first, what has waited follows as backfill, as fast as it is confirmed.
"""

import json
from typing import Protocol

from simulators.fleet import mqtt_bytes, ranges
from simulators.fleet.session import CLOSED, OPEN, Session
from wire import stored
from wire.errors import WireError

WINDOW = 8  # unconfirmed packs under way
EVENT_WINDOW = 4  # more of them, for events alone
BACKFILL_WINDOW = 2  # of the window, for what has waited
CONFIRM_S = 15.0  # a pack that is not confirmed by then is sent again; twice as long after each time, as ingest is busy
MOST_DOUBLED = 5
SILENT_S = 45.0  # a broker that said nothing for so long, while packs wait, is taken for gone
STATUS_ID, SUBSCRIBE_ID, BIRTH_ID, REPLY_ID = 65532, 65533, 65534, 65535  # packs take the ids below


class Fleet(Protocol):
    """What a node needs of the process that it lives in."""

    now: float  # time.monotonic() of this turn
    live_ms: int  # readings older than this are backfill

    def pack(self, node: "Node", number: int) -> tuple[int, int, bytes] | None: ...
    def confirmed(self, node: "Node", numbers: list[int], seconds: list[float]) -> None: ...
    def overdue(self, node: "Node", number: int, due: float) -> None: ...
    def greeting(self, node: "Node") -> None: ...
    def gone(self, node: "Node", reason: str, *, was_open: bool) -> None: ...
    def command(self, node: "Node", payload: bytes) -> None: ...


class Node:
    """Numbers count packs. `clock` is False while it does not know the time: then nothing leaves it."""

    __slots__ = (
        "again", "clock", "dropped", "epoch", "events", "fleet", "greeted", "head", "heard", "index", "name",
        "patience", "resent", "session", "stored", "topic", "unsent", "wait", "waiting",
    )  # fmt: skip

    def __init__(self, *, fleet: Fleet, index: int, name: str, area: str, epoch: str, session: Session | None) -> None:
        """index: of its pole. session is set by the fleet, as it needs the node."""
        self.fleet = fleet
        self.index = index
        self.name = name
        self.topic = f"poles/{area}/{name}/".encode()
        self.epoch = epoch
        self.session = session
        self.head = self.stored = self.dropped = self.resent = 0
        self.clock = True
        self.greeted = False  # the broker has let it in, and the session has not been found gone
        self.heard = 0.0
        self.wait = 0.0  # the pause before the next connection
        self.patience = 0  # how often the time for a confirmation was doubled
        self.waiting: dict[int, float] = {}  # under way: number -> when it was first sent
        self.again: list[int] = []  # were under way when the session ended, oldest first
        self.events: list[int] = []  # not sent yet, and must not wait
        self.unsent: list[list[int]] = []

    @property
    def pending(self) -> int:
        """Packs in its spool."""
        return self.head - self.stored - self.dropped

    @property
    def connected(self) -> bool:
        return self.session is not None and self.session.state == OPEN

    @property
    def away(self) -> bool:
        return self.session is None or self.session.state == CLOSED

    def made(self, number: int, payload: bytes, *, event: bool) -> None:
        """A pack is in the spool."""
        self.head = number
        if self.connected and self.clock and len(self.waiting) < WINDOW + (EVENT_WINDOW if event else 0):
            self._send(number, b"up/event" if event else b"up/telemetry", payload)
        elif event:
            self.events.append(number)
        else:
            ranges.add(self.unsent, number)

    def pump(self) -> None:
        """Sends what the window allows: events, then what waits, oldest first."""
        while self.connected and self.clock:
            number = self._next()
            if number is None:
                return
            pack = self.fleet.pack(self, number)
            if pack is None:  # stored meanwhile
                continue
            event, time_ms, payload = pack
            late = time_ms < self.fleet.live_ms
            self._send(number, b"up/event" if event else b"up/backfill" if late else b"up/telemetry", payload)

    def resend(self, number: int) -> None:
        """The confirmation is overdue."""
        if number not in self.waiting or not self.connected:
            return
        if self.fleet.now - self.heard > SILENT_S:
            assert self.session is not None
            self.session.close()
            self.lost(f"the broker said nothing for {SILENT_S:g} s")
            return
        pack = self.fleet.pack(self, number)
        if pack is not None:
            self.resent += 1
            self.patience = min(MOST_DOUBLED, self.patience + 1)
            self._send(number, b"up/event" if pack[0] else b"up/telemetry", pack[2])

    def drop_oldest(self) -> int | None:
        """Its spool is full: the number of the oldest telemetry that is not under way; None where there is none."""
        if self.again:
            return self.again.pop(0)
        return ranges.oldest(self.unsent) if self.unsent else None

    def opened(self) -> None:
        """The broker has let us in."""
        self.heard, self.wait, self.greeted = self.fleet.now, 0.0, True
        assert self.session is not None
        self.session.send(mqtt_bytes.subscribe(SUBSCRIBE_ID, [self.topic + b"down/#"]))
        self.fleet.greeting(self)
        self.pump()

    def say(self, channel: bytes, payload: bytes, packet_id: int, *, retain: bool = False) -> None:
        """Anything but a pack."""
        if self.connected:
            assert self.session is not None
            self.session.send(mqtt_bytes.publish(self.topic + channel, payload, packet_id, retain=retain))

    def acknowledged(self, packet_id: int) -> None:
        """The broker has it: that says that it lives, and nothing of the database."""
        self.heard = self.fleet.now

    def received(self, topic: bytes, payload: bytes) -> None:
        """What comes down."""
        self.heard = self.fleet.now
        channel = topic[len(self.topic) :]
        if channel == b"down/stored":
            self._confirmed(payload)
        elif channel == b"down/command":
            self.fleet.command(self, payload)

    def lost(self, reason: str) -> None:
        """The session is gone: what was under way is sent again, before anything else."""
        self.forget()
        was_open, self.greeted = self.greeted, False
        self.fleet.gone(self, reason, was_open=was_open)

    def forget(self) -> None:
        """Nothing is under way any more."""
        if self.waiting:
            self.again = sorted({*self.again, *self.waiting})
            self.waiting = {}

    def _next(self) -> int | None:
        under_way = len(self.waiting)
        if self.events and under_way < WINDOW + EVENT_WINDOW:
            return self.events.pop(0)
        if under_way >= BACKFILL_WINDOW:
            return None
        if self.again:
            return self.again.pop(0)
        return ranges.oldest(self.unsent) if self.unsent else None

    def _send(self, number: int, channel: bytes, payload: bytes) -> None:
        assert self.session is not None
        self.waiting.setdefault(number, self.fleet.now)
        self.fleet.overdue(self, number, self.fleet.now + CONFIRM_S * 2**self.patience)
        self.session.send(mqtt_bytes.publish(self.topic + channel, payload, (number - 1) % (STATUS_ID - 1) + 1))

    def _confirmed(self, payload: bytes) -> None:
        try:
            epoch, told = stored.decode(payload)
        except WireError:
            return
        if epoch != self.epoch:
            return
        done: list[int] = []
        seconds: list[float] = []
        for first, last in told:
            for number in [number for number in self.waiting if first <= number <= last]:
                seconds.append(self.fleet.now - self.waiting.pop(number))
                done.append(number)
            done += [number for number in self.again if first <= number <= last]
            done += [number for number in self.events if first <= number <= last]
            done += ranges.remove(self.unsent, first, last)
        gone = set(done)
        self.again = [number for number in self.again if number not in gone] if self.again else self.again
        self.events = [number for number in self.events if number not in gone] if self.events else self.events
        self.stored += len(done)
        self.patience = 0
        self.fleet.confirmed(self, done, seconds)
        self.pump()


def status(node: Node, *, online: bool, readings: int, version: str, time_ms: int) -> bytes:
    """The payload of up/status (docs/wire.md)."""
    return json.dumps({
        "online": online, "ep": node.epoch, "head": node.head, "stored": node.stored, "pending": node.pending,
        "dropped": {"full": node.dropped} if node.dropped else {}, "readings": readings,
        "clock": "ok" if node.clock else "unset", "version": version, "time": time_ms,
    }).encode()  # fmt: skip
