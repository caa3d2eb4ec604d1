"""The whole chain on real parts: emulated devices, gateway processes, mosquitto, an ingest process, SQLite.

Every process is forked from one server that has the imports done, so that hundreds of kills fit into minutes.
"""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
import yaml

from device_profiles import loader
from pole.broker import Broker, BrokerError, find_program, free_port
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort
from tests.parts.servers import missing

AREA = "wuhou"
# What hangs on each pole: device, profile, unit. Levels and inputs move, so that there is something to report.
ON_SERIAL = [("air-1", "xy-md03", 1), ("meter-1", "sdm120", 2), ("water-1", "qdy30a", 3)]
ON_NETWORK = [("lamp-1", "arlight-dali", 1), ("inputs-1", "wp8028adam", 2), ("charger-1", "phoenix-ac1m", 3)]


def pole(arguments: list[str], log: str) -> None:
    """In a process of its own: the `pole` command, its output in a file."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    import sys

    from pole import command

    sys.argv = ["pole", *arguments]
    command.main()


class Process:
    """`pole` with arguments, as often as it is started."""

    def __init__(self, folder: Path, name: str, arguments: list[str]) -> None:
        self.name, self.log, self.arguments = name, folder / f"{name}.log", arguments
        self.kills = 0
        self._process = None
        self._said = 0

    def start(self) -> None:
        self._process = _forks().Process(target=pole, args=(self.arguments, str(self.log)), name=self.name, daemon=True)
        self._said = self.log.stat().st_size if self.log.exists() else 0
        self._process.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def kill(self) -> None:
        assert self.running, f"{self.name} had ended by itself:\n{self.log.read_text()[-3000:]}"
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self.kills += 1

    def stop(self) -> None:
        if self.running:
            while self.log.stat().st_size == self._said and self.running:  # it has not yet come to its signal handlers
                time.sleep(0.02)
            self._process.terminate()
            self._process.join(60)
            assert self._process.exitcode == 0, f"{self.name} did not stop in order:\n{self.log.read_text()[-3000:]}"


@functools.cache
def _forks():
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["pole.command", "gateway.service", "ingest.service", "ingest.sqlite_store"])
    return forks


class Chain:
    """nodes: gateways, each with one pole, one RS-485 bus and one Modbus TCP address."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.nodes = [f"gw-{index}" for index in range(1, nodes + 1)]
        self.passwords = {user: f"{user}-secret" for user in [*self.nodes, "ingest", "operator"]}
        self.broker = Broker(folder=folder / "broker", passwords=self.passwords)
        self.devices: dict[str, EmulatedDevice] = {}
        self.ports: list[RtuPort | TcpPort] = []
        for user, password in self.passwords.items():
            (folder / f"{user}.password").write_text(password)
        self._emulate()
        self._write_site()
        self._write_ingest()
        self.store.mkdir()
        site = str(folder / "site.yaml")
        self.gateways = {node: Process(folder, node, ["gateway", "run", site, "--node", node]) for node in self.nodes}
        self.ingest = Process(folder, "ingest", ["ingest", "run", str(folder / "ingest.yaml")])

    def start(self) -> None:
        for process in [*self.gateways.values(), self.ingest]:
            process.start()

    def spool(self, node: str) -> dict:
        """A gateway's own counts, read from its file after it has ended."""
        with contextlib.closing(sqlite3.connect(self.folder / f"{node}.db")) as db:
            names = ("epoch", "head", "stored", "readings", "dropped")
            row = db.execute(f"SELECT {', '.join(names)} FROM state").fetchone()
            return dict(zip(names, row, strict=True)) | {
                "pending": db.execute("SELECT count(*) FROM packs").fetchone()[0]
            }

    def rows(self, query: str, *arguments: object) -> list[tuple]:
        """From the database."""
        with contextlib.closing(sqlite3.connect(self.store / "readings.db", timeout=20)) as db:
            return db.execute(query, arguments).fetchall()

    async def drained(self, seconds: float = 120.0) -> None:
        """Ends every gateway in order and starts it again, each time for longer, until nothing is left in its spool."""
        deadline, pause = time.monotonic() + seconds, 3.0
        while True:
            for gateway in self.gateways.values():
                await asyncio.to_thread(gateway.stop)
            if not any(self.spool(node)["pending"] for node in self.nodes):
                return
            assert time.monotonic() < deadline, {node: self.spool(node) for node in self.nodes}
            for gateway in self.gateways.values():
                gateway.start()
            await asyncio.sleep(pause)
            pause = min(2 * pause, 24.0)  # on a slow machine it has just come up after three seconds

    async def __aenter__(self) -> "Chain":
        for port in self.ports:
            await port.__aenter__()
        await asyncio.to_thread(self.broker.start)
        return self

    async def __aexit__(self, *error: object) -> None:
        for process in [*self.gateways.values(), self.ingest]:
            if process.running:
                process.kill()
        await asyncio.to_thread(self.broker.kill)
        for port in self.ports:
            await port.__aexit__(None, None, None)

    def _emulate(self) -> None:
        profiles = loader.profiles()
        for index, node in enumerate(self.nodes):
            for kind in (ON_SERIAL, ON_NETWORK):
                devices = [
                    EmulatedDevice(
                        profile=profiles[profile], unit=unit, channel=0, seed=index, pole=f"P{index + 1:04}", name=name
                    )
                    for name, profile, unit in kind
                ]
                self.devices |= {device.name: device for device in devices}
                if kind is ON_SERIAL:
                    self.ports.append(RtuPort(path=self.folder / f"tty-{node}", devices=devices, baud=19200))
                else:
                    self.ports.append(TcpPort(devices=devices, port=free_port()))

    def _write_site(self) -> None:
        poles = {f"P{index + 1:04}": {"position": [30.6, 104.0 + index / 100]} for index in range(len(self.nodes))}
        buses, devices = {}, []
        for index, node in enumerate(self.nodes):
            buses[f"rs485-{index}"] = {"gateway": node, "port": str(self.folder / f"tty-{node}"), "baud": 19200}
            buses[f"tcp-{index}"] = {"gateway": node, "host": "127.0.0.1", "port": self.ports[2 * index + 1].port}
            for bus, kind in ((f"rs485-{index}", ON_SERIAL), (f"tcp-{index}", ON_NETWORK)):
                for name, profile, unit in kind:
                    devices.append(
                        {"pole": f"P{index + 1:04}", "device": name, "profile": profile, "bus": bus, "unit": unit}
                    )
                    if loader.profiles()[profile].modbus.channels > 1:
                        devices[-1]["channel"] = 0
        gateways = {
            node: {
                "broker": f"mqtt://127.0.0.1:{self.broker.port}",
                "password_file": f"{node}.password",
                "pole": f"P{index + 1:04}",
            }
            for index, node in enumerate(self.nodes)
        }
        site = {"area": AREA, "gateways": gateways, "poles": poles, "buses": buses, "devices": devices}
        (self.folder / "site.yaml").write_text(yaml.safe_dump(site))

    def _write_ingest(self) -> None:
        config = {
            "broker": self.broker.url("ingest"),
            "password_file": "ingest.password",
            "store": "sqlite:store/readings.db",  # the store is up when its folder is there
            "dead_letters": "dead-letters.db",
            "http": "127.0.0.1:0",
        }
        (self.folder / "ingest.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture
def chain(tmp_path):
    """Makes a Chain: chain(nodes)."""
    try:
        find_program("mosquitto")
    except BrokerError as problem:
        missing(str(problem))
    return functools.partial(Chain, tmp_path)
