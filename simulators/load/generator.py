"""The open loop: packs go out when they are due, and what comes back is told from when they were due.

connect and warm up (each node: birth, one pack, its confirmation)  ->  the stages  ->  wait for the last confirmations
"""

import gc
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping

from device_profiles.schema import Profile
from simulators.fleet import mqtt_bytes
from simulators.fleet.loop import Loop
from simulators.load.account import StageAccount
from simulators.load.errors import LoadError
from simulators.load.meter import Meter
from simulators.load.node import BIRTH_ID, KEEP_ALIVE_S, Node
from simulators.load.packs import Packs, heard, topic
from simulators.load.priority import real_time
from simulators.load.result import Moment, Result
from simulators.load.schedule import Schedule
from simulators.load.target import Target, make_room

CONNECTING = 64  # nodes on their way to a session; a broker's backlog of connections is 100
WARMING = 400  # nodes on their way to their first confirmation
SILENCE_S = 30.0  # without any progress for so long, connecting is given up
DRAIN_S, DRAIN_QUIET_S = 60.0, 5.0  # how long the last confirmations may take, and how long nothing may come
BURST = 32  # packs sent without a look at what came back, when we are behind
AHEAD_S = 0.1  # from the last preparation to the first pack

_ACKNOWLEDGED, _STORED = 1, 2


class Generator:
    """One run. told is called about once a second."""

    def __init__(
        self,
        *,
        target: Target,
        schedule: Schedule,
        profiles: Mapping[str, Profile],
        readings: int,
        told: Callable[[Moment], None] = lambda moment: None,
    ) -> None:
        self._target = target
        self._schedule = schedule
        self._told = told
        self.epoch = secrets.token_hex(4)
        self._packs = Packs(profiles=profiles, readings=readings, epoch=self.epoch)
        self._loop = Loop()
        self._nodes = [
            Node(index=index, name=user, topic=topic(user, "telemetry"), loop=self._loop, run=self)
            for index, user in enumerate(target.users)
        ]
        self._accounts = [StageAccount(stage) for stage in schedule.stages]
        self._flags = bytearray(schedule.count)
        self._tell_at = 0.0
        self._began = time.monotonic()  # time.monotonic() when pack 0 is due
        self._wall_ms = 0  # the same moment, ms since 1970
        self._next = 0  # number of the next pack ...
        self._due = math.inf  # ... and time.monotonic() when it is due
        self._confirmed = 0
        self._greeted = 0  # nodes that began to connect ...
        self._open = 0  # ... that have a session ...
        self._ready = 0  # ... and that have their first confirmation
        self._losses: Counter[str] = Counter()

    def run(self) -> Result:
        """Blocks. Raises LoadError where the nodes cannot begin, or ingest says what it must not."""
        started = time.monotonic()
        make_room(len(self._nodes))
        try:
            self._connect()
            connected_s = time.monotonic() - started
            gc.collect()
            gc.freeze()  # what exists now stays: no collection has to look at it while we measure
            with real_time() as priority:
                self._begin()
                for index in range(len(self._accounts)):
                    self._stage(index)
                self._drain()
        finally:
            gc.unfreeze()
            for node in self._nodes:
                node.session.close(politely=True)
            self._loop.close()
        return Result(
            nodes=len(self._nodes), sources=len(self._target.sources), tls=self._target.tls is not None,
            readings=self._packs.readings, confirm=self._target.confirm, priority=priority, connected_s=connected_s,
            accounts=self._accounts, losses=dict(self._losses),
        )  # fmt: skip

    # --- what nodes tell -------------------------------------------------------------------------------------------

    def begun(self, node: Node) -> None:
        """Its session is open: it says what the contract wants, and its first pack, which belongs to no stage."""
        self._open += 1
        name = node.name.decode()
        now_ms = time.time_ns() // 1_000_000
        birth = mqtt_bytes.publish(topic(name, "birth"), self._packs.birth(name, now_ms), BIRTH_ID)
        node.send(self._packs.pack(node.name, 1, now_ms), before=mqtt_bytes.subscribe(1, [heard(name)]) + birth)

    def acknowledged(self, node: Node, first: int, last: int) -> None:
        self._heard(node, first, last, _ACKNOWLEDGED, self._target.confirm == "broker")

    def stored(self, node: Node, first: int, last: int) -> None:
        self._heard(node, first, last, _STORED, self._target.confirm == "stored")

    def lost(self, node: Node, reason: str) -> None:
        self._losses[reason] += 1

    def _heard(self, node: Node, first: int, last: int, flag: int, confirms: bool) -> None:
        took_till = time.monotonic() - self._began
        count, flags, schedule = len(self._nodes), self._flags, self._schedule
        for number in range(first, last + 1):
            if number == 1:
                self._ready += confirms
                continue
            pack = node.index + (number - 2) * count
            if flags[pack] & flag:
                continue  # told twice
            flags[pack] |= flag
            self._confirmed += confirms
            account = self._accounts[schedule.stage_of(pack)]
            durations = account.to_stored if flag == _STORED else account.to_puback
            durations.record(took_till - schedule.due(pack))

    # --- the phases ------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        total = len(self._nodes)
        moved, seen = time.monotonic(), -1
        while self._ready < total:
            while self._greeted < min(total, self._open + CONNECTING, self._ready + WARMING):
                self._greet(self._nodes[self._greeted])
                self._greeted += 1
            self._loop.turn(0.1)
            now = time.monotonic()
            if self._losses:
                where, reason = f"{self._target.host}:{self._target.port}", next(iter(self._losses))
                raise LoadError(f"{where}: {reason}; {self._ready} of {total} nodes were ready.")
            if self._ready != seen:
                moved, seen = now, self._ready
            elif now - moved > SILENCE_S:
                raise LoadError(self._silence())
            self._tell(now, "connecting", self._ready, total)

    def _greet(self, node: Node) -> None:
        name, target = node.name.decode(), self._target
        greeting = mqtt_bytes.connect(name, user=name, password=target.users[name], keep_alive_s=KEEP_ALIVE_S)
        source = target.sources[node.index % len(target.sources)]
        try:
            node.session.start((target.host, target.port), greeting, source=source, tls=target.tls)
        except OSError as error:
            raise LoadError(f"no connection from {source or 'this machine'} to {target.host}: {error}") from error

    def _silence(self) -> str:
        where = f"{self._target.host}:{self._target.port}"
        if not any(node.connected for node in self._nodes):
            return f"{where}: no answer for {SILENCE_S:g} s: is it a broker?"
        return (
            f"{where}: nothing was confirmed for {SILENCE_S:g} s; {self._ready} of {len(self._nodes)} nodes were ready."
            " Is ingest connected to this broker? Without one, take PUBACK for the end: --confirm broker."
        )

    def _begin(self) -> None:
        self._meter = Meter(self._target.parts)
        self._began = time.monotonic() + AHEAD_S
        self._due = self._due_at(0)
        self._wall_ms = time.time_ns() // 1_000_000 + round(AHEAD_S * 1000)

    def _stage(self, index: int) -> None:
        account, ends = self._accounts[index], self._began + self._schedule.begins[index + 1]
        last = index == len(self._accounts) - 1
        began = max(time.monotonic(), self._began)
        self._meter.lap()
        while (now := time.monotonic()) < ends:
            self._send(now)
            self._tell(now, "sending", self._confirmed, self._next)
            self._loop.turn(min(self._due, ends) - time.monotonic())
        if last:
            while self._next < self._schedule.count:
                self._send(time.monotonic())
                self._loop.turn(0)
        account.seconds = max(0.001, time.monotonic() - began)  # one that we are late for may be over at once
        account.waiting = self._next - self._confirmed
        account.cost = self._meter.lap()

    def _send(self, now: float) -> None:
        nodes, schedule = self._nodes, self._schedule
        for _ in range(BURST):
            if self._due > now:
                return
            pack, due = self._next, self._due - self._began
            account = self._accounts[schedule.stage_of(pack)]
            account.lateness.record(time.monotonic() - self._due)
            node = nodes[pack % len(nodes)]
            if node.connected:
                node.send(self._packs.pack(node.name, node.head + 1, self._wall_ms + int(due * 1000)))
                account.sent += 1
            else:
                node.skip()
            self._next = pack + 1
            self._due = self._due_at(pack + 1)

    def _due_at(self, pack: int) -> float:
        return self._began + self._schedule.due(pack) if pack < self._schedule.count else math.inf

    def _drain(self) -> None:
        ends = time.monotonic() + DRAIN_S
        sent = sum(account.sent for account in self._accounts)
        moved, seen = time.monotonic(), self._confirmed
        while len(self._loop) and self._confirmed < sent:
            now = time.monotonic()
            if now > min(ends, moved + DRAIN_QUIET_S):
                return
            self._loop.turn(0.1)
            self._tell(now, "waiting for the last confirmations", self._confirmed, self._next)
            if self._confirmed != seen:
                moved, seen = now, self._confirmed

    def _tell(self, now: float, phase: str, done: int, of: int) -> None:
        if now >= self._tell_at:
            self._tell_at = now + 1.0
            self._told(Moment(phase=phase, at_s=max(0.0, now - self._began), done=done, of=of))
