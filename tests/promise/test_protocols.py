"""Every protocol, from the device to InfluxDB, on real parts: what is stored is what the device held at that time.

One gateway process reads one device of each protocol, and Modbus RTU and TCP; ingest writes to a real InfluxDB.
"""

import asyncio
import json
import time
from collections import Counter

import pytest
import yaml

from device_profiles import loader
from pole.broker import Broker, free_port
from simulators.city import AREA, City
from simulators.device import EmulatedDevice
from simulators.hj212_station import Hj212Station
from simulators.rtu_over_tcp import RtuOverTcpPort
from simulators.snmp_agent import SnmpAgent
from tests.promise.conftest import Process

NODE, POLE = "gw-1", "P0001"
USERS = (NODE, "ingest", "operator", "chirpstack")
PROTOCOLS = {"modbus", "dlt645", "hj212", "snmp", "onvif", "ocpp", "multivision", "sip", "chirpstack"}
COMMANDS = [
    ("lamp-1", "set_level", "level=20"), ("screen-1", "set_brightness", "brightness=60"),
    ("screen-1", "set_text", "text=道路积水"), ("charger-2", "remote_start"),
    ("charger-2", "set_current", "current=10"), ("charger-1", "set_current", "current=8"),
    ("camera-1", "goto_preset", "preset=2"), ("camera-1", "reboot"),
]  # fmt: skip
# A reading is stamped when its answer is in, and what a device sends by itself may be some seconds old.
TOLERANCE_MS = 2500
ENOUGH_S = 120.0


def passwords(folder):
    secrets = {user: f"{user}-secret" for user in USERS}
    for user, secret in secrets.items():
        (folder / f"{user}.password").write_text(secret)
    return secrets


def values_in(influx):
    """(device, point, time_ms, value) of every stored value of the pole's emulated devices."""
    # each measurement by itself: over several, InfluxQL leaves out a field that is a text in one, a number in another
    (names,) = influx.query("SHOW MEASUREMENTS") or ({"values": []},)
    for (measurement,) in names["values"]:
        if measurement in ("quality", "pack", "gateway"):
            continue
        where = f"\"area\" = '{AREA}' AND \"pole\" = '{POLE}'"
        for series in influx.query(f'SELECT * FROM "{measurement}" WHERE {where}'):
            for row in series["values"]:
                cells = dict(zip(series["columns"], row, strict=True))
                name = f"{POLE}/{cells['device']}"
                told = {point: cells[point] for point in cells if point not in ("time", "area", "pole", "device")}
                yield from ((name, point, cells["time"], value) for point, value in told.items() if value is not None)


def to_check(device):
    """The points of a device whose truth an emulator can hold: not what the gateway measures, as an answer's time."""
    return {name for name, point in device.profile.points.items() if point.item is None or not point.item.measured}


class Others:
    """The ways that the demo's city does not go: RTU over TCP, HJ 212 on a serial line, SNMP version 3."""

    def __init__(self, folder):
        self._folder = folder
        self.devices = {
            name: EmulatedDevice(profile=loader.profile(profile), pole=POLE, name=name, address=address)
            for name, profile, address in (
                ("meter-3", "pzem-016", ""), ("station-2", "hj212-noise", "NOISE0001"), ("wifi-2", "ap-if-mib", ""),
            )
        }  # fmt: skip
        self.server = RtuOverTcpPort(devices=[self.devices["meter-3"]])
        self.station = Hj212Station(
            devices=[self.devices["station-2"]], path=folder / "station", every={"2011": 3.0, "2051": 5.0}
        )
        self.agent = SnmpAgent(
            device=self.devices["wifi-2"], user="multipole", password="auth-secret", privacy_password="priv-secret"
        )
        (folder / "snmp.auth").write_text("auth-secret")
        (folder / "snmp.privacy").write_text("priv-secret")

    def added_to(self, site):
        buses = {
            "rtu-tcp": {"host": self.server.host, "port": self.server.port, "framing": "rtu"},
            "serial-station": {"protocol": "hj212", "port": str(self._folder / "station")},
            "wifi-v3": {
                "protocol": "snmp", "version": 3, "user": "multipole", "password_file": "snmp.auth",
                "privacy_file": "snmp.privacy",
            },
        }  # fmt: skip
        places = [{"unit": self.devices["meter-3"].unit}, {"address": "NOISE0001"}, {"address": self.agent.address}]
        devices = [
            {"pole": POLE, "device": name, "profile": device.profile.profile, "bus": bus, **place}
            for (name, device), bus, place in zip(self.devices.items(), buses, places, strict=True)
        ]
        owned = {name: {"gateway": NODE, **bus} for name, bus in buses.items()}
        return {**site, "buses": site["buses"] | owned, "devices": [*site["devices"], *devices]}


async def obeyed(folder):
    """Every command is done, as an operator sees it."""
    for index, (device, *command) in enumerate(COMMANDS):
        arguments = ["send", POLE, device, *command, "--site", str(folder / "site.yaml"), "--json"]
        last = {}
        async with asyncio.timeout(ENOUGH_S):  # the device may not have dialled in yet
            while last.get("state") != "done":
                send = Process(folder, f"send-{index}", arguments)
                send.log.unlink(missing_ok=True)
                send.start()
                while send.running:
                    await asyncio.sleep(0.1)
                last = json.loads(send.log.read_text().splitlines()[-1])
                await asyncio.sleep(0.2)


def test_what_each_protocol_s_device_holds_arrives_in_influxdb_and_commands_reach_it(tmp_path, influx1):
    broker = Broker(folder=tmp_path / "broker", passwords=passwords(tmp_path))
    config = {
        "broker": broker.url("ingest"), "password_file": "ingest.password", "store": influx1.store,
        "dead_letters": "dead-letters.db", "http": "127.0.0.1:0",
    }  # fmt: skip
    (tmp_path / "ingest.yaml").write_text(yaml.safe_dump(config))
    gateway = Process(tmp_path, NODE, ["gateway", "run", str(tmp_path / "site.yaml"), "--node", NODE])
    ingest = Process(tmp_path, "ingest", ["ingest", "run", str(tmp_path / "ingest.yaml")])

    async def scene():
        city = City(
            folder=tmp_path / "ports", free_port=free_port, broker=f"mqtt://127.0.0.1:{broker.port}",
            lora_password="chirpstack-secret",
        )  # fmt: skip
        others = Others(tmp_path)
        async with city, others.server, others.station, others.agent:
            for name, secret in city.secrets.items():
                (tmp_path / name).write_text(secret)
            (tmp_path / "site.yaml").write_text(yaml.safe_dump(others.added_to(city.site()), allow_unicode=True))
            ingest.start()
            gateway.start()
            await obeyed(tmp_path)
            here = {name: device for name, device in city.devices.items() if name.startswith(f"{POLE}/")}
            here |= {device.name: device for device in others.devices.values()}
            await everything_told(here)
            await asyncio.to_thread(gateway.stop)
            await asyncio.sleep(1)
            await asyncio.to_thread(ingest.stop)
            return here, list(values_in(influx1))

    async def everything_told(here):
        wanted = {(name, point) for name, device in here.items() for point in device.points}
        deadline = time.monotonic() + ENOUGH_S
        while time.monotonic() < deadline:
            await asyncio.sleep(2)
            told = {
                (device, point) for device, point, _, _ in await asyncio.to_thread(lambda: list(values_in(influx1)))
            }
            if wanted <= told:
                return
        pytest.fail(f"never stored: {sorted(wanted - told)}\n{gateway.log.read_text()[-3000:]}")

    broker.start()
    try:
        here, stored = asyncio.run(scene())
    finally:
        for process in (gateway, ingest):
            if process.running:
                process.kill()
        broker.kill()
    checked, wrong = Counter(), []
    for name, point, time_ms, value in stored:
        device = here[name]
        if point in to_check(device):
            held = device.held(point, time_ms, TOLERANCE_MS)
            checked[device.profile.protocol] += 1
            if value not in held:
                wrong.append((name, point, time_ms, value, sorted(map(str, held))[:5]))
    print(json.dumps(checked))
    assert wrong == []
    assert set(checked) == PROTOCOLS
    assert {loader.profile(device.profile.profile).protocol for device in here.values()} == PROTOCOLS
