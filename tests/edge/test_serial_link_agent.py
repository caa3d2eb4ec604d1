"""The whole agent over the serial line: a gateway process speaks for it, and nothing else about it is another."""

import asyncio
import subprocess
import sys

import pytest
import yaml

from bench.edge_pole import NODE, POLE
from pole.edge.held import held
from simulators.shared_line import SharedLine
from tests.edge.agent_city import AgentCity
from wire import messages

pytestmark = pytest.mark.parametrize("broker", [(NODE, "gw-1", "ingest", "operator")], indirect=True)


class SerialCity(AgentCity):
    """The controller has no broker, but a line to the gateway gw-1."""

    def __init__(self, folder, broker, interpreter):
        super().__init__(folder, broker, interpreter)
        self.line = SharedLine(folder=folder, ends=["gateway-end", "controller-end"])
        self.site = folder / "site.yaml"
        (folder / "gw-1.password").write_text(broker.passwords["gw-1"])
        site = yaml.safe_load(self.site.read_text())
        controller = site["controllers"][NODE]
        url = controller.pop("broker")
        controller |= {"through": "uplink-1", "address": 17, "uart": "up"}
        controller["uarts"]["up"] = {"port": self.line.path("controller-end")}
        site["gateways"] = {"gw-1": {"broker": url, "password_file": "gw-1.password", "pole": "P0002"}}
        site["poles"]["P0002"] = {"position": [30.65, 104.05]}
        site["buses"]["uplink-1"] = {"protocol": "controllers", "port": self.line.path("gateway-end")}
        self.site.write_text(yaml.safe_dump(site))
        self.gateway = None

    async def __aenter__(self):
        await self._running.enter_async_context(self.line)
        self.start_gateway()
        self._running.callback(lambda: self.gateway.wait())
        self._running.callback(lambda: self.gateway.kill())
        return await super().__aenter__()

    def start_gateway(self):
        with (self.folder / "gw-1.log").open("ab") as log:
            command = [sys.executable, "-m", "pole", "gateway", "run", str(self.site)]
            self.gateway = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_gateway(self):
        assert self.gateway.poll() is None, (self.folder / "gw-1.log").read_text()
        self.gateway.kill()
        self.gateway.wait()

    async def until(self, condition, what, seconds=90):
        try:
            await super().until(condition, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.ledger()}\n{(self.folder / 'gw-1.log').read_text()}") from None

    def ledger(self):
        return dict(self.rows("SELECT number, readings FROM packs WHERE node = ?", NODE))

    async def online(self):
        await self.until(lambda: self.heard.get("status", {}).get("online"), "the status")


@pytest.mark.parametrize("interpreter", ["micropython32"], indirect=True)  # the link alone runs on all three
def test_a_pole_at_the_gateways_serial_port(tmp_path, broker, interpreter):
    async def play():
        async with SerialCity(tmp_path, broker, interpreter) as city:
            city.ingest.start()
            await city.until((tmp_path / "readings.db").exists, "ingest")
            city.switch_on()
            await city.online()
            messages.check(city.heard["status"], messages.STATUS)
            messages.check(city.heard["birth"], messages.BIRTH)
            assert {each["pole"] for each in city.heard["birth"]["devices"]} == {POLE}
            await city.until(city.ledger, "a pack in the database")
            city.kill_gateway()
            await city.until(lambda: not city.heard["status"]["online"], "the will")
            city.pole.devices["cover-1"].hold("cover_open", True)
            city.start_gateway()
            await city.online()
            await city.until(
                lambda: city.rows("SELECT 1 FROM readings WHERE device = 'cover-1' AND value = 1"), "the open cover"
            )
            await city.command("c-1", "lamp-1", "set_level", level=40)
            assert (await city.done("c-1"))["read_back"] == {"level": 40}
            assert [each["state"] for each in city.replies["c-1"]] == ["accepted", "done"]
            assert (city.pole.root / "pins" / "dim").read_text() == "400"
            city.cut()
            city.switch_on()
            await city.until(lambda: len(city.births) >= 3, "the birth after a power cut")
            await city.online()
            before = len(city.ledger())
            await city.until(lambda: len(city.ledger()) > before, "more packs")
            city.cut()
            await asyncio.sleep(1)
            await asyncio.to_thread(city.ingest.stop)
            check(city)

    asyncio.run(play())


def check(city):
    """Every number that the journal gave is in the ledger or still on its disk."""
    kept, ledger = held(city.pole.root), city.ledger()
    assert kept.dropped == 0
    assert set(range(1, kept.head + 1)) == set(ledger) | set(kept.pending)
    waiting = sum(count for number, count in kept.pending.items() if number not in ledger)
    assert kept.readings == sum(ledger.values()) + waiting
    assert city.rows("SELECT sum(refused) FROM packs WHERE node = ?", NODE) == [(0,)]
