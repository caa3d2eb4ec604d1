"""The process of nodes: a world goes on step by step, its poles' readings become packs, the packs go to the broker.

Each step is cut into portions. The packs of a portion go into the spool in one transaction and are sent then; between
portions the loop carries what comes and goes. A process that was killed is started again with the same order: it goes
through the world anew, makes no pack twice, and sends what nobody confirmed.
"""

import hashlib
import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

import numpy as np
import structlog

from device_profiles.schema import Profile
from simulators.fleet import ranges
from simulators.fleet.births import Births
from simulators.fleet.commands import Commands
from simulators.fleet.connections import Connections
from simulators.fleet.latency import Latency
from simulators.fleet.loop import Loop
from simulators.fleet.node import BIRTH_ID, REPLY_ID, STATUS_ID, Node, status
from simulators.fleet.pace import Pace
from simulators.fleet.payloads import Payloads
from simulators.fleet.production import STEP_MS, Production, Readings
from simulators.fleet.spool import Pack, Spool
from simulators.truth.recorder import Recorder
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.city_map import CityMap
from simulators.world.world import World

MOST_PACKS = 20_160  # in a node's spool: a week of one every 30 s
LIVE_S = 60  # world time after which a reading is no longer live
SHOW_S = 1.0
DRAIN_S = 60.0  # at the end, for the spools to empty
IDLE_S = 20.0  # ... and so long without any confirmation at most
EASE_S = 10.0  # as fast as it goes: so long it waits at most for what is under way before the next step
TURN_S = 0.05

log = structlog.get_logger("fleet")


class Engine:
    """nodes: which poles have one here. show(engine) is called once a second."""

    def __init__(
        self,
        *,
        world: World,
        city: CityMap,
        production: Production,
        payloads: list[Payloads],
        profiles: Mapping[str, Profile],
        truth: Recorder,
        spool: Spool,
        nodes: BoolArray,
        began_ms: int,
        speed: float | None,
        connect: Callable[["Engine", Loop], Connections],
        show: Callable[["Engine"], None],
    ) -> None:
        self.now = time.monotonic()
        self.live_ms = 0
        self.world = world
        self.city = city
        self.latency = Latency()
        self.made = self.readings = self.stored = self.dropped = self.resent = self.restored = 0
        self.behind_s = 0.0
        self.stopped = False
        self._production = production
        self._payloads = payloads
        self._births = Births(profiles)
        self._commands = Commands(profiles=profiles, act=self.act)
        self._truth = truth
        self._spool = spool
        self._began_ms = began_ms
        self._pace = Pace(speed=speed, began_ms=began_ms)
        self._show = show
        self._loop = Loop()
        self._overdue: list[tuple[float, int, int]] = []  # when, node, number: a heap
        self._heads: IntArray = np.zeros(city.poles, dtype=np.int64)
        self._readings: IntArray = np.zeros(city.poles, dtype=np.int64)
        self.nodes = {int(index): self._node(int(index)) for index in np.flatnonzero(nodes)}
        self._is_node = nodes
        self._up = np.zeros(city.poles, dtype=bool)
        self._clock = np.ones(city.poles, dtype=bool)
        self._version = np.zeros(city.poles, dtype=np.int64)
        self.connections = connect(self, self._loop)
        self._acts = deque(spool.acts())
        self._shown = 0.0

    def run(self, steps: int | None) -> None:
        """So many steps of the world, or until `stopped` is set. Raises sqlite3.Error: the disk takes no pack."""
        taken, done = 0, self._spool.done[0]
        while not self.stopped and (steps is None or taken < steps):
            self._act_again()
            step, readings = self._production.advance()
            taken += 1
            if step < done:
                self._number(readings)  # an earlier life of this process made them
                continue
            if step == done:
                self._restore(readings)
            self._tell_nodes()
            self._step(step, readings)

    def drain(self) -> None:
        """Until each node that has a session holds nothing any more, for a minute at most; then all say goodbye."""
        ends = time.monotonic() + DRAIN_S
        stored, since = self.stored, time.monotonic()
        while self._open_packs() and time.monotonic() < ends and since + IDLE_S > time.monotonic():
            self._turn(time.monotonic() + TURN_S)
            if self.stored > stored:
                stored, since = self.stored, time.monotonic()
        for node in self.nodes.values():
            node.say(b"up/status", self._status(node, online=False), STATUS_ID, retain=True)
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:  # what is still in buffers goes out
            self._turn(ends)
        self.connections.leave(self.nodes.values())
        self._spool.flush()
        self._loop.close()

    # What a node asks of its process.

    def pack(self, node: Node, number: int) -> tuple[int, int, bytes] | None:
        return self._spool.pack(node.index, number)

    def overdue(self, node: Node, number: int, due: float) -> None:
        heapq.heappush(self._overdue, (due, node.index, number))

    def confirmed(self, node: Node, numbers: list[int], seconds: list[float]) -> None:
        self.stored += len(numbers)
        self.latency.add(seconds)
        self._spool.stored(node.index, numbers)

    def greeting(self, node: Node) -> None:
        self.connections.opened()
        payload = self._births.payload(
            int(self.city.kit[node.index]), pole=self.city.names[node.index], epoch=node.epoch,
            version=self._version_of(node), time_ms=self._now_ms(),
        )  # fmt: skip
        node.say(b"up/birth", payload, BIRTH_ID, retain=True)
        node.say(b"up/status", self._status(node, online=True), STATUS_ID, retain=True)

    def act(self, pole: int, what: str, value: float) -> None:
        """A command, from the next step on."""
        step = self.world.step + 1
        self._spool.act(step, pole, what, value)
        self._truth.act(step, pole, what, value)
        self.world.act(pole, what, value)

    def gone(self, node: Node, reason: str, *, was_open: bool) -> None:
        self.connections.gone(node, reason, self.now, was_open=was_open)

    def command(self, node: Node, payload: bytes) -> None:
        kit, name = int(self.city.kit[node.index]), self.city.names[node.index]
        for reply in self._commands.replies(
            payload, index=node.index, name=name, kit=kit, now_ms=int(time.time() * 1000)
        ):
            node.say(b"up/reply", reply, REPLY_ID)

    def will(self, node: Node) -> bytes:
        """What the broker says of a node that it no longer hears."""
        return self._status(node, online=False)

    def _step(self, step: int, readings: list[Readings]) -> None:
        portions = self._pace.portions
        low = self._spool.done[1] if step == self._spool.done[0] else 0
        for portion in range(portions):
            high = STEP_MS * (portion + 1) // portions
            if high <= low:
                continue
            self._wait(self._pace.due(step, (portion + 1) / portions))
            if self.stopped:
                return
            self._produce(step, readings, low, high)
            low = high
        if self._pace.speed is None:
            self._ease()

    def _produce(self, step: int, readings: list[Readings], low: int, high: int) -> None:
        """The packs whose readings were taken from `low` to before `high` ms of the step."""
        packs: list[Pack] = []
        parts = []
        for each in readings:
            part = each.part(*np.searchsorted(each.moment_ms, (low, high)).tolist())
            if len(part.rows):
                parts.append(part)
                packs += self._packs(step, part)
        self._spool.append(packs, step, high)
        self.live_ms = self._began_ms + step * STEP_MS + high - LIVE_S * 1000
        nodes = self.nodes
        for index, number, event, _, payload in packs:
            node = nodes[index]
            node.made(number, payload, event=bool(event))
            if node.pending > MOST_PACKS:
                self._drop(node)
        self.made += len(packs)
        self.readings += sum(len(part.rows) * part.raw.shape[1] for part in parts)

    def _packs(self, step: int, part: Readings) -> list[Pack]:
        self._number([part])
        poles: list[int] = part.poles.tolist()
        numbers: list[int] = self._heads[part.poles].tolist()
        times: list[int] = (part.stamp_ms + (self._began_ms + step * STEP_MS)).tolist()
        names = [self.city.names[index] for index in poles]
        epochs = [self.nodes[index].epoch for index in poles]
        bodies = self._payloads[part.table].rows(names, epochs, numbers, times, part.raw, part.quality)
        return list(zip(poles, numbers, part.urgent.astype(int).tolist(), times, bodies, strict=True))

    def _number(self, readings: list[Readings]) -> None:
        for each in readings:
            self._heads[each.poles] += 1
            self._readings[each.poles] += each.raw.shape[1]

    def _drop(self, node: Node) -> None:
        number = node.drop_oldest()
        if number is not None:
            self._spool.drop(node.index, number)
            node.dropped += 1
            self.dropped += 1

    def _restore(self, readings: list[Readings]) -> None:
        """What an earlier life of this process had made: numbers, and what is still in the spool."""
        for each in readings:
            self._number([each.part(0, int(np.searchsorted(each.moment_ms, self._spool.done[1])))])
        held = Counter(index for index, _, _ in self._spool.pending())
        dropped = Counter(index for index, _ in self._spool.dropped())
        for index, node in self.nodes.items():
            node.head = int(self._heads[index])
            node.dropped = dropped[index]
            node.stored = node.head - held[index] - node.dropped
            self.stored += node.stored
            self.made += node.head
        for index, number, event in self._spool.pending():
            node = self.nodes[index]
            if event:
                node.events.append(number)
            else:
                ranges.add(node.unsent, number)
        self.readings = int(self._readings[self._is_node].sum())
        self.restored = self.made
        log.info("going on", packs=self.made, in_spools=sum(held.values()))

    def _act_again(self) -> None:
        """Commands of an earlier life of this process."""
        while self._acts and self._acts[0][0] == self.world.step + 1:
            step, pole, what, value = self._acts.popleft()
            self._truth.act(step, pole, what, value)
            self.world.act(pole, what, value)

    def _tell_nodes(self) -> None:
        """What the world did to the nodes: power, network, software, clocks."""
        world = self.world
        up = world.powered & world.reachable & world.running & self._is_node
        self.connections.cut(self.nodes[index] for index in np.flatnonzero(self._up & ~up).tolist())
        self.connections.want(self.nodes[index] for index in np.flatnonzero(up & ~self._up).tolist())
        self._up = up
        for index in np.flatnonzero((world.clock_known != self._clock) & self._is_node).tolist():
            node = self.nodes[index]
            node.clock = bool(world.clock_known[index])
            node.say(b"up/status", self._status(node, online=True), STATUS_ID, retain=True)
            node.pump()
        self._clock = world.clock_known.copy()
        for index in np.flatnonzero((world.version != self._version) & self._is_node).tolist():
            self._version[index] = world.version[index]
            node = self.nodes[index]
            node.say(b"up/status", self._status(node, online=True), STATUS_ID, retain=True)

    def _wait(self, due: float) -> None:
        while not self.stopped:
            self._turn(due)
            if self.now >= due:
                break
        self.behind_s = max(0.0, self.now - due) if self._pace.speed is not None else 0.0

    def _ease(self) -> None:
        """As fast as it goes is as fast as it is stored: a spool must not grow because time runs."""
        ends = time.monotonic() + EASE_S
        while not self.stopped and self._open_packs() > len(self.nodes) // 2 and time.monotonic() < ends:
            self._turn(time.monotonic() + TURN_S)

    def _turn(self, due: float) -> None:
        self.now = time.monotonic()
        self.connections.work(self.now)
        self._loop.turn(min(TURN_S, max(0.0, due - self.now)))
        self.now = time.monotonic()
        while self._overdue and self._overdue[0][0] <= self.now:
            _, index, number = heapq.heappop(self._overdue)
            node = self.nodes[index]
            resent = node.resent
            node.resend(number)
            self.resent += node.resent - resent
        if self.now - self._shown >= SHOW_S:
            self._shown = self.now
            self._show(self)

    def _open_packs(self) -> int:
        """Packs of the nodes that have a session."""
        return sum(node.pending for node in self.nodes.values() if node.connected and node.clock)

    def _node(self, index: int) -> Node:
        name, area = self.city.names[index], self.city.area[index]
        epoch = hashlib.blake2b(f"{self._spool.salt}/{name}".encode(), digest_size=4).hexdigest()
        return Node(fleet=self, index=index, name=f"{name}-node", area=area, epoch=epoch, session=None)

    def _status(self, node: Node, *, online: bool) -> bytes:
        return status(
            node, online=online, readings=int(self._readings[node.index]), version=self._version_of(node),
            time_ms=self._now_ms(),
        )  # fmt: skip

    def _version_of(self, node: Node) -> str:
        return self.world.versions[int(self.world.version[node.index])]

    def _now_ms(self) -> int:
        return self._began_ms + max(0, self.world.step) * STEP_MS
