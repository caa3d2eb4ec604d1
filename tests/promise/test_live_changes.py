"""The promise while the site changes under load: each reading that was produced is stored, once, and is true.

LIVE_CHANGES in the environment makes it longer.
"""

import asyncio
import json
import os
import random
import signal
import time

import aiomqtt
import yaml

from device_profiles import loader
from gateway.configuration import short_sha
from pole.broker import free_port
from simulators.device import EmulatedDevice
from simulators.tcp_port import TcpPort
from tests.promise.test_kills import assert_nothing_lost, assert_values_are_true, settle
from wire import messages, topics

CHANGES = int(os.environ.get("LIVE_CHANGES", "12"))
NODE, AREA = "gw-1", "wuhou"
INVALID = [  # not what needs a restart: a gateway that is killed would take it
    lambda site: site | {"devices": [*site["devices"], {**site["devices"][0], "profile": "no-such"}]},
    lambda site: site | {"devices": [*site["devices"], site["devices"][0]]},
    lambda site: site | {"buses": {}},
    lambda site: {},
    lambda site: "area: [",
]


def load(city):
    """Forty devices more, at two network addresses of their own; what is at the first never changes."""
    path = city.folder / "site.yaml"
    site = yaml.safe_load(path.read_text())
    profile = loader.profiles()["rcmb300"]
    for bus in ("steady", "load"):
        devices = [EmulatedDevice(profile=profile, unit=n, pole="P0001", name=f"{bus}-{n}") for n in range(1, 21)]
        port = TcpPort(devices=devices, port=free_port())
        site["buses"][bus] = {"host": "127.0.0.1", "port": port.port}
        site["devices"] += [
            {"pole": "P0001", "device": f"{bus}-{each.unit}", "profile": "rcmb300", "bus": bus, "unit": each.unit}
            for each in devices
        ]
        city.ports.append(port)
        city.devices |= {device.name: device for device in devices}
    path.write_text(yaml.safe_dump(site))


class Operator:
    """Changes the site of a running gateway, by file or by the broker, and knows what has to become of it."""

    def __init__(self, city, client, source):
        self.city, self.client, self.source = city, client, source
        self.path = city.folder / "site.yaml"
        self.whole = yaml.safe_load(self.path.read_text())
        self.devices = {
            bus: [each for each in self.whole["devices"] if each["bus"] == bus] for bus in self.whole["buses"]
        }
        self.status = {}
        self.counts = {"in force": 0, "refused": 0}

    async def listen(self):
        async for message in self.client.messages:
            self.status = messages.decode(message.payload, messages.STATUS)

    async def change(self, *, kill=False):
        """A random site, valid or not; returns when the gateway, which may be killed before, has judged it."""
        bus = self.source.choice([name for name in self.whole["buses"] if name != "steady"])
        every = [each for each in self.whole["devices"] if each["bus"] == bus]
        self.devices[bus] = [each for each in every if self.source.random() < 0.5]
        site = self.whole | {"devices": [each for devices in self.devices.values() for each in devices]}
        if bad := self.source.random() < 0.3:
            site = self.source.choice(INVALID)(site)
        content = site if isinstance(site, str) else yaml.safe_dump(site)
        content += f"\n# {self.source.random()}\n"  # each is new
        before = time.time_ns() // 1_000_000
        if self.source.random() < 0.5:
            await self.client.publish(topics.down(AREA, NODE, "config"), content, qos=1, retain=True)
        else:
            self.path.write_text(content)
            os.kill(self.city.gateways[NODE]._process.pid, signal.SIGHUP)
        sha = short_sha(content.encode())
        if kill:
            await asyncio.sleep(self.source.uniform(0, 0.5))
            await asyncio.to_thread(self.city.gateways[NODE].kill)
            before = time.time_ns() // 1_000_000
            self.city.gateways[NODE].start()
        key = "config_refused" if bad else "config"
        async with asyncio.timeout(90):
            while self.status.get(key, {}).get("sha") != sha or self.status["time"] < before:
                await asyncio.sleep(0.05)
        self.counts["refused" if bad else "in force"] += 1


def test_no_reading_is_lost_or_double_while_the_site_changes(chain):
    async def scenario():
        city = chain(1)
        load(city)
        async with city:
            city.start()
            await settle(city)
            source = random.Random(CHANGES)
            login = {"username": "operator", "password": city.passwords["operator"]}
            async with aiomqtt.Client("127.0.0.1", city.broker.port, **login) as client:
                operator = Operator(city, client, source)
                await client.subscribe(topics.up(AREA, NODE, "status"))
                listening = asyncio.create_task(operator.listen())
                for index in range(CHANGES):
                    if index % 6 == 5:  # what came and went while nobody listened is stored, too
                        await asyncio.to_thread(city.ingest.kill)
                    await operator.change(kill=index % 5 == 3)
                    if index % 6 == 1 and not city.ingest.running:
                        city.ingest.start()
                listening.cancel()
            if not city.ingest.running:
                city.ingest.start()
            (city.folder / "site.yaml").write_text(yaml.safe_dump(operator.whole))
            await city.drained()
            await asyncio.to_thread(city.ingest.stop)
            readings = assert_nothing_lost(city)
            assert_values_are_true(city)
            print(json.dumps({"readings": readings, **operator.counts}))
            assert min(operator.counts.values()) > 1

    asyncio.run(scenario())


def test_what_came_and_went_while_the_broker_was_down_is_stored(chain):
    async def scenario():
        async with chain(1) as city:
            path = city.folder / "site.yaml"
            whole = path.read_text()
            without = yaml.safe_load(whole)
            without["devices"] = [each for each in without["devices"] if each["device"] != "water-1"]
            path.write_text(yaml.safe_dump(without))
            city.start()
            await settle(city)
            await asyncio.to_thread(city.broker.kill)
            gauge = city.ports[0].unit(3)
            for text in (whole, yaml.safe_dump(without)):
                path.write_text(text)
                os.kill(city.gateways[NODE]._process.pid, signal.SIGHUP)
                async with asyncio.timeout(60):
                    while gauge.requests < 2:  # the first answer is read when the second request comes
                        await asyncio.sleep(0.05)
            while (
                path.read_text()
                not in json.loads((city.folder / f"{NODE}.db.config.json").read_text().partition(" ")[2])["file"]
            ):
                await asyncio.sleep(0.05)
            await asyncio.to_thread(city.broker.start)
            await city.drained()
            await asyncio.to_thread(city.ingest.stop)
            assert_nothing_lost(city)
            assert city.rows("SELECT count(*) FROM readings WHERE device = 'water-1'")[0][0] > 0

    asyncio.run(scenario())
