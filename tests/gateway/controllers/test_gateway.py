"""A real gateway process, and what its site file says of controllers: who they are, who comes, and who leaves."""

import asyncio
import contextlib
import copy
import json

import pytest
import yaml
from typer.testing import CliRunner

from device_profiles import site as sites
from edge.boards.simulated import Board
from edge.serial_link import Client
from gateway import bounds, needs
from pole.broker import free_port
from pole.command import app
from simulators.shared_line import SharedLine
from tests.gateway.controllers.city import City
from tests.gateway.controllers.gateway_process import Gateway
from tests.parts import certificates
from tests.promise.test_tls import take_in_tls
from wire import messages

pytestmark = pytest.mark.parametrize("broker", [("gw-1", "ctl-1", "ctl-2", "ingest", "operator")], indirect=True)

WILL, ONLINE = b'{"online":false}', b'{"online":true}'
ENDS = {"ctl-1": (1, "one"), "ctl-2": (247, "two")}


class Stays:
    """A controller that comes back whenever its session ends."""

    def __init__(self, line, folder, node):
        self.sessions = 0
        board = Board({"uarts": {"up": {"port": line.path(ENDS[node][1])}}}, str(folder))
        self.client = Client({"uplink": {"uart": "up", "address": ENDS[node][0]}}, board, lambda *_: None)
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            with contextlib.suppress(OSError):
                await self.client.connect(WILL)
                self.sessions += 1
                await self.client.publish("status", len(ONLINE), (ONLINE,))
                await self.client.closed()
            await asyncio.sleep(0.1)


def played(scene):
    def test(broker, tmp_path):
        async def play():
            city = City(broker)
            async with SharedLine(folder=tmp_path, ends=["gateway", "one", "two"]) as line, city.listening():
                gateway = Gateway(tmp_path, broker, line, ENDS)
                nodes = {node: Stays(line, tmp_path, node) for node in ENDS}
                try:
                    await scene(city, gateway, nodes)
                    if gateway.is_running:
                        await asyncio.to_thread(gateway.stop)
                finally:
                    for node in nodes.values():
                        node.task.cancel()
                    if gateway.is_running:
                        gateway.kill()

        asyncio.run(play())

    test.__name__ = scene.__name__
    return test


@played
async def test_controllers_come_and_leave_while_it_runs(city, gateway, nodes):
    both = gateway.content
    one = copy.deepcopy(both)
    del one["controllers"]["ctl-2"]
    gateway.write(one)
    gateway.start()
    await city.until(lambda: city.is_online("ctl-1"))
    lamp = copy.deepcopy(one)
    lamp["controllers"]["ctl-1"]["journal_kilobytes"] = 1024
    gateway.change(lamp)
    await city.until(lambda: "configuration in force" in gateway.log.read_text())
    assert nodes["ctl-1"].sessions == 1, "what is the controller's own does not touch its line"
    gateway.change(both)
    await city.until(lambda: nodes["ctl-1"].sessions > 1)  # until then it is the one of before that is online
    await city.until(lambda: city.is_online("ctl-1") and city.is_online("ctl-2"))
    assert nodes["ctl-1"].sessions == 2, "the line begins anew"
    two = copy.deepcopy(both)
    del two["controllers"]["ctl-1"]
    gateway.change(two)
    await city.until(lambda: not city.is_online("ctl-1") and city.is_online("ctl-2"))


@played
async def test_its_own_status_and_what_it_counts_of_the_line(city, gateway, nodes):
    gateway.start()
    await city.until(lambda: city.is_online("ctl-1") and city.is_online("ctl-2"))
    birth = messages.decode(city.of("gw-1", "birth")[-1], messages.BIRTH)
    assert {each["device"] for each in birth["devices"]} == {"gateway", "bus-line"}
    wanted = {"requests", "timeouts", "errors", "crc_errors", "silent", "line_down"}
    await city.until(lambda: any("bus-line" in body.decode() for body in city.of("gw-1", "telemetry")))
    await city.until(
        lambda: wanted <= {record["n"] for body in city.of("gw-1", "telemetry") for record in json.loads(body)}
    )


@played
async def test_each_controller_shows_its_own_certificate(city, gateway, nodes):
    port, folder = free_port(), gateway.site.parent
    certificates.make(folder, ["server", "gw-1", "ctl-1", "ctl-2"])
    take_in_tls(city.broker, folder, port)
    await asyncio.to_thread(city.broker.restart)
    content = copy.deepcopy(gateway.content)
    content["gateways"]["gw-1"] |= {"broker": f"mqtts://127.0.0.1:{port}", "ca": "ca.pem"}
    for node, own in [*content["gateways"].items(), *content["controllers"].items()]:
        del own["password_file"]
        own |= {"cert": f"{node}.pem", "key": f"{node}.key"}
    gateway.write(content)
    gateway.start()
    await city.until(lambda: city.is_online("ctl-1") and city.is_online("ctl-2"))


def load(content, folder):
    text = yaml.safe_dump(content).encode()
    return sites.parse(text, shown="site.yaml", folder=folder)[0]


@played
async def test_the_broker_cannot_change_for_whom_it_speaks(city, gateway, nodes):
    folder = gateway.site.parent
    own = load(gateway.content, folder)
    assert bounds.overreach(own, own, "gw-1") == []
    for key, value in (("address", 9), ("user", "gw-1x"), ("password_file", "gw-1.password")):
        offered = copy.deepcopy(gateway.content)
        offered["controllers"]["ctl-1"][key] = value
        (found,) = bounds.overreach(load(offered, folder), own, "gw-1")
        assert found.startswith("controllers.ctl-1: not as in the gateway's own site file.")
    offered = copy.deepcopy(gateway.content)
    del offered["controllers"]["ctl-2"]
    (found,) = bounds.overreach(load(offered, folder), own, "gw-1")
    assert found.startswith("controllers.ctl-2:")
    offered = copy.deepcopy(gateway.content)
    offered["controllers"]["ctl-1"]["journal_kilobytes"] = 1024
    assert bounds.overreach(load(offered, folder), own, "gw-1") == []


@played
async def test_a_check_names_the_controllers_of_a_line(city, gateway, nodes):
    shown = CliRunner().invoke(app, ["gateway", "check", str(gateway.site)])
    assert "115200 8N1 controllers): ctl-1 (1), ctl-2 (247)" in shown.stdout
    report = json.loads(CliRunner().invoke(app, ["gateway", "check", str(gateway.site), "--json"]).stdout)
    assert report["controllers"] == {"line": ["ctl-1", "ctl-2"]}
    assert report["problems"] == []


@played
async def test_a_password_that_is_not_there_is_missed_before_the_start(city, gateway, nodes):
    folder = gateway.site.parent
    (folder / "ctl-2.password").unlink()
    (found,) = needs.missing(load(gateway.content, folder), "gw-1")
    assert found.startswith("controllers.ctl-2.password_file: there is no file")
