"""A controller's MQTT client over a long time: does anything get lost, does the heap grow, do its packet ids wrap?

The broker is killed (SIGKILL) and started again on the way. A subscriber marks each number that arrives, and confirms
like ingest does; what is not confirmed is published again.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from pole.broker import Broker
from pole.edge import bundle

ROOT = Path(__file__).resolve().parents[1]
HEAP = "48K"
PASSWORDS = {"ctl-1": "ctl-1-secret", "ingest": "ingest-secret"}
DOWN_S = 0.2  # the broker is away so long
CONFIRM_S = 0.05
MOST_S = 3600.0

_COMPILING = threading.Lock()  # tests measure in threads, and Python 3.11 must not parse in two at once


def run(
    *, publishes: int = 100_000, kills: int = 100, first: int = 1, interpreter: str = "micropython32",
    told: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:  # fmt: skip
    """first: the packet id that it begins with. interpreter: micropython32, micropython or cpython."""
    with tempfile.TemporaryDirectory(prefix="pole-publishes-") as folder:
        return _Run(Path(folder), publishes, kills, told).measure(interpreter, first)


class _Run:
    def __init__(self, folder: Path, publishes: int, kills: int, told: Callable[[str], None]) -> None:
        self._folder = folder
        self._publishes = publishes
        self._kills = kills
        self._told = told
        self._broker = Broker(folder=folder / "broker", passwords=PASSWORDS)
        self._store = _Store(publishes)
        (folder / "password").write_text(PASSWORDS["ctl-1"])

    def measure(self, interpreter: str, first: int) -> dict[str, Any]:
        self._broker.start()
        began = time.monotonic()
        try:
            with self._store.connected(self._broker.port), self._started(interpreter, first) as process:
                try:
                    self._watch(process)
                    lines = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
                finally:
                    process.kill()
        finally:
            self._broker.kill()
        summary = lines.pop()
        heap = [line["heap"] for line in lines]
        return {
            "publishes": self._publishes,
            "broker_kills": self._kills,
            "lost": self._publishes - self._store.different,
            "sent": summary["sent"],
            "sessions": summary["sessions"],
            "packet_ids_wrapped": summary["wraps"],
            "seconds": round(time.monotonic() - began, 1),
            # of a few samples the least: a conservative collector may hold a dead object for one
            "heap_bytes": {"begin": min(heap[:3]), "least": min(heap), "most": max(heap), "end": min(heap[-3:])},
        }

    def _watch(self, process: subprocess.Popen[str]) -> None:
        killed, until = 0, time.monotonic() + MOST_S
        while self._store.different < self._publishes:
            if process.poll() is not None:
                raise RuntimeError(f"the publisher ended: {process.communicate()}")
            if time.monotonic() > until:
                raise TimeoutError(f"{self._store.different} of {self._publishes} arrived in {MOST_S:g} s")
            if killed < self._kills and self._store.different > killed * self._publishes // self._kills:
                killed += 1
                self._broker.kill()
                time.sleep(DOWN_S)
                self._broker.start()
                self._told(f"{self._store.different} of {self._publishes} stored, {killed} kills")
            time.sleep(0.01)

    def _started(self, interpreter: str, first: int) -> subprocess.Popen[str]:
        if interpreter == "cpython":
            command = [sys.executable]
        else:
            command = [str(ROOT / ".tools" / interpreter), "-X", f"heapsize={HEAP}"]
            names = ("edge/__init__", "edge/guest", "edge/mqtt", "edge/dial")
            sources = [(name, ROOT / f"{name}.py") for name in names]
            with _COMPILING:
                bundle.build(self._folder, [*sources, ("bench/edge_publisher", ROOT / "bench" / "edge_publisher.py")])
        process = subprocess.Popen(
            [*command, "-c", "from bench.edge_publisher import main; main()"], cwd=ROOT / "bench",
            env=os.environ | {"MICROPYPATH": f"{self._folder}:.frozen", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        uplink = {"host": "127.0.0.1", "port": self._broker.port, "user": "ctl-1", "tls": False}
        config = {"area": "bench", "node": "ctl-1", "uplink": uplink}
        args = {"publishes": self._publishes, "first": first, "folder": str(self._folder), "config": config}
        assert process.stdin
        process.stdin.write(json.dumps(args) + "\n")
        process.stdin.flush()
        return process


class _Store:
    """Marks what arrives, and confirms up to the first number that is missing, as often as something came."""

    def __init__(self, numbers: int) -> None:
        self._here = bytearray(numbers + 2)  # one byte a number
        self._here[0] = 1
        self._first_missing = 1
        self.different = 0
        self._done = threading.Event()

    def connected(self, port: int) -> "_Store":
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("ingest", PASSWORDS["ingest"])
        client.reconnect_delay_set(0.1, 0.1)  # type: ignore[arg-type]
        client.on_connect = lambda client, *_: client.subscribe("poles/+/+/up/telemetry", qos=1)
        client.on_message = self._on_message
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._thread = threading.Thread(target=self._confirm)
        return self

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        number = int(message.payload[:60])
        self.different += not self._here[number]
        self._here[number] = 1

    def _confirm(self) -> None:
        told = 0
        while not self._done.wait(CONFIRM_S):
            self._first_missing = self._here.index(0, self._first_missing)
            if self._first_missing - 1 > told and self._client.is_connected():
                told = self._first_missing - 1
                self._client.publish("poles/bench/ctl-1/down/stored", str(told))


if __name__ == "__main__":
    print(json.dumps(run(told=lambda line: print(line, file=sys.stderr, flush=True))))
