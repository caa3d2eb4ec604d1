"""A node that speaks the wire, and ingest as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt

from pole.broker import free_port
from wire import messages, packs, stored, topics

EPOCH = "9f3c21aa"
POINTS = {
    "temperature": {"unit": "Cel"},
    "humidity": {"unit": "%RH"},
    "door": {"unit": ""},
    "note": {"unit": ""},
    "alarm": {"unit": "", "function": "emergency"},
}


def wait_until(true, seconds=15.0, what="it"):
    """What `true()` returns once it is true. Fails the test when that takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def birth(devices=("P0001/air-1",), *, points=POINTS, profile="fake", version=1, function="air"):
    """A birth's payload: every device of one profile, which the library does not know unless told otherwise."""
    message = {
        "ep": EPOCH,
        "version": "0.1",
        "time": now_ms(),
        "profiles": {profile: {"version": version, "function": function, "points": points}},
        "devices": [{"pole": d.split("/")[0], "device": d.split("/")[1], "profile": profile} for d in devices],
    }
    return messages.encode(message, messages.BIRTH)


def status(**changed):
    """A status's message."""
    plain = {"online": True, "ep": EPOCH, "head": 0, "stored": 0, "pending": 0, "dropped": {}, "readings": 0}
    return {**plain, "clock": "ok", "version": "0.1", "time": now_ms(), **changed}


def now_ms():
    return time.time_ns() // 1_000_000


class Node:
    """Sends packs until `down/stored` names them, as a gateway does, and keeps what it sent."""

    def __init__(self, broker, *, user="gw-1", area="wuhou", again_s=2.0):
        self.area, self.user = area, user
        self.sent = {}  # number -> body
        self.confirmed = set()
        self._due = {}
        self._again_s = again_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, client_id=f"node-{user}")
        self._client.username_pw_set(user, broker.passwords[user])
        self._client.on_connect = lambda client, *_: client.subscribe(topics.down(area, user, "stored"))
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        wait_until(self._client.is_connected, what="the node's connection")
        self._resender = threading.Thread(target=self._resend, daemon=True)
        self._resender.start()

    def publish(self, channel, body, qos=1, retain=False):
        return self._client.publish(topics.up(self.area, self.user, channel), body, qos=qos, retain=retain)

    def birth(self, *args, **kwargs):
        self.publish("birth", birth(*args, **kwargs), retain=True)

    def status(self, **changed):
        """The broker has it when this returns."""
        self.publish("status", messages.encode(status(**changed), messages.STATUS), retain=True).wait_for_publish(20)

    def pack(self, readings, *, number=None, channel="telemetry"):
        """Sends readings as the next pack; returns its number."""
        number = number or len(self.sent) + 1
        self.send(number, packs.encode(EPOCH, number, readings), channel)
        return number

    def send(self, number, body, channel="telemetry"):
        with self._lock:
            self.sent[number] = body
            self._due[number] = time.monotonic() + self._again_s
        self.publish(channel, body)

    def wait_confirmed(self, numbers=None, seconds=15.0):
        wanted = set(self.sent if numbers is None else numbers)
        wait_until(lambda: wanted <= self.confirmed, seconds, f"confirmation of {len(wanted)} packs")

    def close(self):
        self._ended.set()
        self._resender.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client, _data, message):
        epoch, ranges = stored.decode(message.payload)
        assert epoch == EPOCH
        with self._lock:
            for first, last in ranges:
                for number in range(first, last + 1):
                    self.confirmed.add(number)
                    self._due.pop(number, None)

    def _resend(self):
        while not self._ended.wait(0.2):
            now = time.monotonic()
            with self._lock:
                late = [number for number, due in self._due.items() if due < now]
                for number in late:
                    self._due[number] = now + self._again_s
            for number in late:
                self.publish("backfill", self.sent[number])


def readings(number, *, device="P0001/air-1", start_ms=None):
    """Three readings, of values that follow from the number."""
    at = (start_ms or 1_790_000_000_000) + number * 1000
    return [
        (device, "temperature", at, number / 8, None),
        (device, "humidity", at, number % 100, None),
        (device, "door", at, number % 2 == 0, None),
    ]


class Service:
    """`pole ingest run` as a child process."""

    def __init__(self, folder, broker, *, store="sqlite:readings.db", **options):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        (folder / "ingest.password").write_text(broker.passwords["ingest"] + "\n")
        self.config = folder / "ingest.yaml"
        settings = {
            "broker": broker.url("ingest"),
            "password_file": "ingest.password",
            "store": store,
            "dead_letters": "dead-letters.db",
            "http": f"127.0.0.1:{self.port}",
            **options,
        }
        self.config.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        self.arguments = []
        self._process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self, ready=True):
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "pole", "ingest", "run", str(self.config), "--json", *self.arguments]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)
        if ready:
            wait_until(lambda: self.health()[0] == 200, 60.0, what="health of ingest")

    @property
    def pid(self):
        return self._process.pid

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def pole(self, *arguments):
        """Runs another verb on the same configuration; returns the finished process."""
        return subprocess.run([sys.executable, "-m", "pole", *arguments], capture_output=True, text=True, timeout=60)

    def health(self):
        """(status, what is waited for); (0, []) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return answer.status, json.loads(answer.read())["waiting_for"]
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["waiting_for"]
        except OSError:
            return 0, []

    def metric(self, name):
        """The sum over a metric's labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("multipole_ingest_" + name))
