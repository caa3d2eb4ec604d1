"""The load of `pole bench ingest`: packs of many nodes over a few connections, in a process of its own.

A city's nodes have a session each; here one user speaks for all of them, so that what is measured is the way from the
broker into the store and not ten thousand sockets. `pole fleet load` has those. Packets are made before the clock runs.

Parent and process speak lines of JSON: {"do": name, …} -> the answer.
"""

import contextlib
import json
import math
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.ingest_packs import Count, maker
from device_profiles import loader
from simulators.fleet import mqtt_bytes
from simulators.load.packs import AREA
from wire import topics

USER = "load"  # the bench's own rule in the broker's ACL
ACL = f"\nuser {USER}\ntopic write poles/+/+/up/#\ntopic read poles/+/+/down/stored\n"
CONNECTIONS = 4
READ_BYTES = 1 << 16
CHUNK = 64  # packets that go out together when there is no rate
TICK_S = 0.002
GONE_S = 120.0  # nothing is acknowledged for so long: the broker is gone
_ROOT = Path(__file__).resolve().parent.parent


class Load:
    """The process, from the outside."""

    def __init__(self, *, port: int, password: str, nodes: int, mix: str) -> None:
        self._order = {"port": port, "password": password, "nodes": nodes, "mix": mix}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.ingest_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
        )
        self.pid = self._process.pid
        self.ask("begin", **self._order)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # the process ends by itself
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, do: str, **what: Any) -> Any:
        """Waits for the answer. Raises RuntimeError where the process has ended."""
        self.tell(do, **what)
        return self.answer()

    def tell(self, do: str, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load has ended; its last words stand on standard error")
        return json.loads(line)


class _Sender:
    """One connection. Packet ids go round; acknowledged counts what the broker has taken."""

    def __init__(self, *, port: int, password: str, number: int, heard: "_Heard") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            mqtt_bytes.connect(f"{USER}-{number}", user=USER, password=password, keep_alive_s=0)
            + (mqtt_bytes.subscribe(1, [b"poles/+/+/down/stored"]) if number == 0 else b"")
        )
        self._heard = heard
        self._next = 0
        self.acknowledged = 0
        self._socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()

    def packet(self, topic: bytes, payload: bytes) -> bytes:
        self._next = self._next % 0xFFFF + 1
        return mqtt_bytes.publish(topic, payload, self._next)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _read(self) -> None:
        rest = b""
        while data := self._socket.recv(READ_BYTES):
            data = rest + data
            found, taken = mqtt_bytes.packets(data)
            rest = data[taken:]
            for first, body in found:
                kind = first & 0xF0
                if kind == mqtt_bytes.PUBACK:
                    self.acknowledged += 1
                elif kind == mqtt_bytes.PUBLISH:
                    self._heard.take(first, body, self.send)


class _Heard:
    """Confirmations: with a list of due times each pack's latency, else only their number."""

    def __init__(self) -> None:
        self.messages = 0
        self.due: dict[tuple[bytes, int], float] = {}
        self.latencies: list[float] = []

    def take(self, first: int, body: bytes, send: Any) -> None:
        self.messages += 1
        now = time.monotonic()
        topic, payload, packet_id = mqtt_bytes.published(first, body)
        if packet_id:
            send(mqtt_bytes.puback(packet_id))
        if self.due:
            node = topic.split(b"/", 3)[2]
            for low, high in json.loads(payload)["sq"]:
                for number in range(low, high + 1):
                    due = self.due.pop((node, number), None)
                    if due is not None:
                        self.latencies.append(now - due)


class _Process:
    """The process, from the inside: each method is one thing that may be asked for."""

    def begin(self, *, port: int, password: str, nodes: int, mix: str) -> dict[str, Any]:
        self._packs = maker(mix, profiles=loader.profiles(), nodes=nodes, epoch=secrets.token_hex(4))
        self._heard = _Heard()
        self._senders = [
            _Sender(port=port, password=password, number=number, heard=self._heard) for number in range(CONNECTIONS)
        ]
        self._names = [f"P{number + 1:06}" for number in range(nodes)]
        self._topics = [topics.up(AREA, name, "telemetry").encode() for name in self._names]
        self._sent = 0  # packs, over all nodes in turn
        self._made: list[bytes] = []
        self._taken: set[int] = set()  # milliseconds of a second
        return {}

    def births(self) -> dict[str, Any]:
        """All nodes announce themselves; returns when the broker has it."""
        now_ms = time.time_ns() // 1_000_000
        made = []
        for number, name in enumerate(self._names):
            topic = topics.up(AREA, name, "birth").encode()
            made.append(self._senders[number % CONNECTIONS].packet(topic, self._packs.birth(number, name, now_ms)))
        return self._flat(made)

    def prepare(self, *, packs: int) -> dict[str, Any]:
        """Makes them: each node's times follow each other by a second, and end now. count: of all of them."""
        nodes, first = len(self._names), self._sent
        until_ms = self._unused(time.time_ns() // 1_000_000)
        rounds = (first + packs - 1) // nodes
        self._made = []
        size, count = 0, Count(0, 0, 0, 0)
        for pack in range(first, first + packs):
            number, node = divmod(pack, nodes)
            time_ms = until_ms - (rounds - number) * 1000
            payload = self._packs.pack(node, self._names[node].encode(), number + 1, time_ms)
            count += self._packs.count(node, number + 1)
            size += len(payload)
            self._made.append(self._senders[pack % CONNECTIONS].packet(self._topics[node], payload))
        self._sent += packs
        return {"bytes": size // packs, "count": count}

    def _unused(self, now_ms: int) -> int:
        # floods overlap in time: one that falls on the very milliseconds of another would take its points' places
        while now_ms % 1000 in self._taken:
            now_ms -= 1
        self._taken.add(now_ms % 1000)
        return now_ms

    def flat(self) -> dict[str, Any]:
        """Sends what was prepared as fast as the broker takes it."""
        made, self._made = self._made, []
        return self._flat(made)

    def _flat(self, made: list[bytes]) -> dict[str, Any]:
        before = self._acknowledged()
        began = time.monotonic()
        for start in range(0, len(made), CHUNK * CONNECTIONS):
            for number, sender in enumerate(self._senders):
                sender.send(b"".join(made[start + number : start + CHUNK * CONNECTIONS : CONNECTIONS]))
        moved, seen = time.monotonic(), 0
        while (done := self._acknowledged() - before) < len(made):
            if done != seen:
                moved, seen = time.monotonic(), done
            if time.monotonic() - moved > GONE_S:
                raise RuntimeError(f"the broker acknowledged {done} of {len(made)} and no more")
            time.sleep(TICK_S)
        return {"began": began, "seconds": time.monotonic() - began}

    def rate(self, *, packs_per_s: float, seconds: float, patience_s: float = 10.0) -> dict[str, Any]:
        """Sends at times that are fixed in advance; latencies are told from then, whenever a pack really went out."""
        nodes, count = len(self._names), round(packs_per_s * seconds)
        heard = self._heard
        heard.latencies.clear()
        heard.due[b"", 0] = math.inf  # never empty: it is told when to look
        began, began_ms = time.monotonic() + 0.1, time.time_ns() // 1_000_000 + 100
        late = []
        sent = readings = 0
        while sent < count:
            now = time.monotonic()
            until = min(count, int((now - began) * packs_per_s) + 1) if now >= began else 0
            for _ in range(sent, until):
                due = sent / packs_per_s
                number, node = divmod(self._sent, nodes)
                name = self._names[node].encode()
                heard.due[name, number + 1] = began + due
                payload = self._packs.pack(node, name, number + 1, began_ms + int(due * 1000))
                sender = self._senders[sent % CONNECTIONS]
                sender.send(sender.packet(self._topics[node], payload))
                late.append(time.monotonic() - began - due)
                readings += self._packs.count(node, number + 1).readings
                self._sent += 1
                sent += 1
            time.sleep(TICK_S)
        ends = time.monotonic() + patience_s
        while len(heard.due) > 1 and time.monotonic() < ends:
            time.sleep(0.02)
        unconfirmed = len(heard.due) - 1
        heard.due.clear()
        return {
            "packs": count, "readings": readings, "unconfirmed": unconfirmed, "stored": shares(heard.latencies),
            "late": shares(late),
        }  # fmt: skip

    def _acknowledged(self) -> int:
        return sum(sender.acknowledged for sender in self._senders)


def shares(seconds: list[float]) -> dict[str, float]:
    """Seconds -> p50, p99 and max in ms, by nearest rank; empty of nothing."""
    if not seconds:
        return {}
    ascending = sorted(seconds)
    of = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        name: round(1000 * ascending[min(len(ascending) - 1, int(share * len(ascending)))], 1)
        for name, share in of.items()
    }


def _serve() -> None:
    process = _Process()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(process, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    _serve()
