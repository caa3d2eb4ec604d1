"""A gateway that runs in the test, beside devices that count how often they were asked, and who hears its broker."""

import asyncio
import contextlib
import json

import aiomqtt
import yaml

from device_profiles.schema import Profile
from gateway import service
from gateway.configuration import Configuration, short_sha
from simulators.tcp_server import TcpServer
from wire import messages, packs, stored, topics

LABELS = {"en": "x", "zh": "某"}
AREA, NODE, POLE = "wuhou", "gw-1", "P1"
PROFILE = Profile.model_validate(
    {
        "profile": "counting", "version": 1, "function": "air", "maker": "none", "model": "none", "labels": LABELS,
        "source": "made up for these tests", "verified": "bench", "protocol": "modbus", "modbus": {"latency": "5ms"},
        "polls": {"fast": {"every": "200ms", "silence": "1h"}, "slow": {"every": "1h", "silence": "1h"}},
        "points": {
            "count": {"labels": LABELS, "at": {"table": "input", "address": 0, "type": "uint16"}, "poll": "fast"},
            "level": {"labels": LABELS, "at": {"table": "holding", "address": 0, "type": "uint16"}, "poll": "slow"},
        },
        "commands": {
            name: {
                "labels": LABELS, "args": {"level": {"labels": LABELS, "range": [0, 65535]}}, "read_back": "level",
                "write": {"table": "holding", "address": 0, "type": "uint16"}, "settle": settle,
            }
            for name, settle in (("set", "300ms"), ("set_slowly", "60s"))
        },
    }
)  # fmt: skip


class CountingDevice(TcpServer):
    """Modbus TCP: each read says how many reads there were, over all units. asked_at: when, seconds of the loop."""

    def __init__(self):
        super().__init__()
        self.connections = 0
        self.asked_at = []
        self.written = []

    async def serve(self, reader, writer):
        self.connections += 1
        while True:
            header = await reader.readexactly(7)
            request = await reader.readexactly(int.from_bytes(header[4:6], "big") - 1)
            if request[0] == 4:
                self.asked_at.append(asyncio.get_running_loop().time())
                reply = bytes([4, 2]) + (len(self.asked_at) & 0xFFFF).to_bytes(2, "big")
            elif request[0] == 3:
                reply = bytes([3, 2]) + (self.written or [0])[-1].to_bytes(2, "big")
            else:
                self.written.append(int.from_bytes(request[3:5], "big"))
                reply = request
            writer.write(header[:4] + (len(reply) + 1).to_bytes(2, "big") + header[6:7] + reply)


def site(ports, devices, port, **more):
    """ports: bus -> port; devices: (name, bus, unit)."""
    return {
        "area": AREA,
        "gateways": {NODE: {"broker": f"mqtt://127.0.0.1:{port}", "password_file": "gw.password", "pole": POLE} | more},
        "poles": {POLE: {"position": [30.6, 104.0]}},
        "buses": {name: {"host": "127.0.0.1", "port": at} for name, at in ports.items()},
        "devices": [
            {"pole": POLE, "device": name, "profile": "counting", "bus": bus, "unit": unit}
            for name, bus, unit in devices
        ],
    }  # fmt: skip


class Running:
    """heard: (channel, message or pack) in the order of arrival; packs are confirmed as ingest does."""

    def __init__(self, folder, broker):
        self.path = folder / "site.yaml"
        self.broker = broker
        self.heard = []
        self.confirms = True
        (folder / "gw.password").write_text(broker.passwords[NODE])

    def write(self, content):
        text = yaml.safe_dump(content).encode()
        self.path.write_bytes(text)
        return short_sha(text)

    async def change(self, content):
        """The file is changed, and the gateway is told by SIGHUP; returns once it is in force."""
        sha = self.write(content)
        self.configuration.reload()
        await self.until(lambda: self.status.get("config", {}).get("sha") == sha)

    @contextlib.asynccontextmanager
    async def running(self):
        stop = asyncio.Event()
        self.configuration = Configuration(path=self.path)
        async with self.client("ingest") as self.ingest:
            await self.ingest.subscribe("poles/+/+/up/#", qos=1)
            listening = asyncio.create_task(self._listen())
            gateway = asyncio.create_task(service.run(configuration=self.configuration, stop=stop))
            try:
                await self.until(lambda: gateway.done() or (self.of("birth") and self.of("status")))
                yield
            finally:
                stop.set()
                await gateway
                listening.cancel()

    def client(self, user, broker=None):
        broker = broker or self.broker
        return aiomqtt.Client("127.0.0.1", broker.port, username=user, password=broker.passwords[user])

    def of(self, channel):
        return [body for name, body in self.heard if name == channel]

    @property
    def status(self):
        return (self.of("status") or [{}])[-1]

    @property
    def devices(self):
        """The counting ones in the latest birth."""
        return [each["device"] for each in self.of("birth")[-1]["devices"] if each["profile"] == "counting"]

    def counts(self, device):
        """What was read of a device, in the order of time."""
        readings = [reading for channel, pack in self.heard if channel in topics.PACK_CHANNELS for reading in pack]
        return [value for _, _, value in sorted((r[3], r[1], r[4]) for r in readings if r[1:3] == (device, "count"))]

    async def command(self, device, level, name, action="set"):
        """The states that came back, with their reasons."""
        now = self.of("status")[-1]["time"]
        message = {
            "id": name, "issued": now, "expires": now + 60_000, "issuer": "operator", "pole": POLE, "device": device,
            "action": action, "args": {"level": level},
        }  # fmt: skip
        async with self.client("operator") as operator:
            await operator.publish(topics.down(AREA, NODE, "command"), json.dumps(message), qos=1)
        await self.until(lambda: any(r["id"] == name and r["state"] != "accepted" for r in self.of("reply")), 30)
        return [(r["state"], r.get("reason", "")) for r in self.of("reply") if r["id"] == name]

    async def until(self, true, seconds=20):
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)

    async def _listen(self):
        async for message in self.ingest.messages:
            channel = topics.parse(str(message.topic))[3]
            if channel not in topics.PACK_CHANNELS:
                self.heard.append((channel, messages.decode(message.payload, getattr(messages, channel.upper()))))
                continue
            pack = packs.decode(message.payload)
            self.heard.append((channel, pack.readings))
            if self.confirms:
                confirmation = stored.encode(pack.epoch, [[pack.number, pack.number]])
                await self.ingest.publish(topics.down(AREA, NODE, "stored"), confirmation)
