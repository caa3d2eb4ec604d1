"""The nodes of `pole bench ingest-chaos`: each keeps its packs until ingest has confirmed them, and sends them again.

All speak over one connection. What they made is the truth that the store is held to.
"""

import asyncio
import contextlib
import itertools
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.ingest_chaos_mortal import MARK
from bench.ingest_load import USER
from device_profiles import loader
from simulators.fleet import mqtt_bytes
from simulators.load.packs import Packs, topic

AGAIN_S = 3.0  # an unconfirmed pack is sent again after so long
WINDOW = 2000  # packs under way over the connection; what is beyond waits for confirmations
STEP_MS = 100  # between two packs of a node, in their own time
TURN_S = 0.02


_VALUE = re.compile(rb'"v":[-0-9.e]+')
BAD = b'"v":-99999'


def is_bad(number: int) -> bool:
    """Whether a pack of this number has a record that must not be stored."""
    return number % 100 == 50


@dataclass(slots=True)
class Node:
    """Packs 1 to head; waiting: those that are not confirmed, with when they were last sent; made: when made."""

    name: str
    head: int = 0
    waiting: dict[int, float] = field(default_factory=dict)
    made: dict[int, float] = field(default_factory=dict)  # of those that wait
    poison: set[int] = field(default_factory=set)  # packs that workers die of


class Nodes:
    """Makes packs_per_s over all nodes in turn while `making`, and never forgets one."""

    def __init__(self, *, count: int, readings: int, packs_per_s: float) -> None:
        self.packs = Packs(profiles=loader.profiles(), readings=readings, epoch=secrets.token_hex(4))
        self.nodes = [Node(f"P{number + 1:06}") for number in range(count)]
        self.began_ms = time.time_ns() // 1_000_000
        self.making = False
        self.again = 0  # packs that were sent more than once
        self._by_name = {node.name: node for node in self.nodes}
        self._rate = packs_per_s
        self._made = 0.0
        self._writer: asyncio.StreamWriter | None = None
        self._packet = 0
        self._confirmed_at = time.monotonic()
        self._silence_s = self._wait_s = 0.0
        self._poison = 0  # packs that are to be poison, and are not made yet

    @property
    def waiting(self) -> int:
        """Packs that nobody has confirmed."""
        return sum(len(node.waiting) for node in self.nodes)

    @property
    def made(self) -> int:
        return sum(node.head for node in self.nodes)

    @property
    def silent_s(self) -> float:
        """How long nothing was confirmed."""
        return time.monotonic() - self._confirmed_at

    @property
    def oldest_s(self) -> float:
        """How long the oldest pack that waits does so."""
        now = time.monotonic()
        return max((now - made for node in self.nodes for made in itertools.islice(node.made.values(), 1)), default=0.0)

    @property
    def poison_waits(self) -> int:
        return self._poison + sum(number in node.waiting for node in self.nodes for number in node.poison)

    def poison(self) -> None:
        """The next pack that has nothing else wrong is one that workers die of."""
        self._poison += 1

    def listen(self) -> None:
        """From now on silences and waits count."""
        self._confirmed_at = time.monotonic()
        self._silence_s = self._wait_s = 0.0

    def heard(self) -> tuple[float, float]:
        """Since `listen`, in seconds: (longest without a confirmation, longest that a pack waited for its own).

        Of what workers die of the wait does not count: it is the others that must go on.
        """
        return max(self._silence_s, self.silent_s), max(self._wait_s, self.oldest_s)

    def time_ms(self, number: int) -> int:
        """Of a node's pack."""
        return self.began_ms - 3_600_000 + number * STEP_MS

    def payload(self, node: Node, number: int) -> bytes:
        """Of one pack in a hundred, the first record is out of range; poison has its mark there."""
        pack = self.packs.pack(node.name.encode(), number, self.time_ms(number))
        if number in node.poison:
            return _VALUE.sub(MARK, pack, count=1)
        return pack if not is_bad(number) else _VALUE.sub(BAD, pack, count=1)

    async def run(self, port: int, password: str) -> None:
        """Connects again and again, until cancelled."""
        making = asyncio.create_task(self._make(), name="make")
        try:
            while True:
                with contextlib.suppress(OSError, EOFError, TimeoutError, mqtt_bytes.Malformed):
                    async with asyncio.timeout(None) as patience:
                        await self._session(port, password, patience)
                self._writer = None
                await asyncio.sleep(0.1)
        finally:
            making.cancel()

    async def _session(self, port: int, password: str, patience: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        patience.reschedule(loop.time() + 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(mqtt_bytes.connect(USER, user=USER, password=password, keep_alive_s=0))
            writer.write(mqtt_bytes.subscribe(1, [b"poles/+/+/down/stored"]))
            rest = b""
            while data := await reader.read(1 << 16):
                patience.reschedule(None)
                found, taken = mqtt_bytes.packets(rest + data)
                rest = (rest + data)[taken:]
                for first, body in found:
                    self._hear(writer, first, body)
        finally:
            writer.close()

    def _hear(self, writer: asyncio.StreamWriter, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == mqtt_bytes.SUBACK:  # now we hear confirmations, so packs may go
            for node in self.nodes:
                birth = self.packs.birth(node.name, self.began_ms)
                writer.write(mqtt_bytes.publish(topic(node.name, "birth"), birth, self._id(), retain=True))
                node.waiting = dict.fromkeys(node.waiting, 0.0)
            self._writer = writer
        elif kind == mqtt_bytes.PUBLISH:
            where, payload, packet_id = mqtt_bytes.published(first, body)
            if packet_id:
                writer.write(mqtt_bytes.puback(packet_id))
            now = time.monotonic()
            self._silence_s = max(self._silence_s, now - self._confirmed_at)
            self._confirmed_at = now
            node = self._by_name[where.split(b"/", 3)[2].decode()]
            for low, high in json.loads(payload)["sq"]:
                for number in range(low, high + 1):
                    self._confirmed(node, number, now)

    def _confirmed(self, node: Node, number: int, now: float) -> None:
        if node.waiting.pop(number, None) is not None:
            made = node.made.pop(number)
            if number not in node.poison:
                self._wait_s = max(self._wait_s, now - made)

    async def _make(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TURN_S)
            now = time.monotonic()
            if self.making:
                self._made += (now - last) * self._rate
                while self._made >= 1:
                    self._made -= 1
                    self._one(now)
            last = now
            self._send(now)

    def _one(self, now: float) -> None:
        node = self.nodes[self.made % len(self.nodes)]
        node.head += 1
        node.waiting[node.head], node.made[node.head] = 0.0, now
        if self._poison and not is_bad(node.head):
            self._poison -= 1
            node.poison.add(node.head)

    def _send(self, now: float) -> None:
        if self._writer is None or self._writer.transport.get_write_buffer_size() > 1 << 20:
            return
        room = WINDOW - sum(sent > now - AGAIN_S for node in self.nodes for sent in node.waiting.values())
        for node, number in self._due(now):
            if room <= 0:
                return
            room -= 1
            self.again += node.waiting[number] > 0
            node.waiting[number] = now
            data = mqtt_bytes.publish(topic(node.name, "telemetry"), self.payload(node, number), self._id())
            self._writer.write(data)

    def _due(self, now: float) -> Iterator[tuple[Node, int]]:
        for node in self.nodes:
            for number, sent in list(node.waiting.items()):
                if sent < now - AGAIN_S:
                    yield node, number

    def _id(self) -> int:
        self._packet = self._packet % 0xFFFF + 1
        return self._packet
