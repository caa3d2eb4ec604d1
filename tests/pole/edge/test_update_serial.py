"""A controller without network gets its release through the gateway's serial port."""

import asyncio

import pytest

from device_profiles import site
from simulators.shared_line import SharedLine
from tests.edge.conftest import Interpreter
from tests.edge.controller import Signed
from tests.gateway.controllers.gateway_process import Gateway
from tests.pole.edge import fleet as fleets

NODE = "line-1"
# of no use to this one: the line carries half as much
WITHOUT = (
    "boards/linux", "commands", "mqtt", "self_test", "poller", "dial", "lamp", "modbus", "access", "sensors", "plan",
    "sntp", "cpython_stream", "sun",
)  # fmt: skip


class Line(fleets.Fleet):
    """One controller, whose site says that it is on a gateway's line."""

    def _site(self):
        return site.load(self.folder / "site.yaml")


@pytest.mark.parametrize("broker", [("gw-1", NODE, "ingest", "operator")], indirect=True)
def test_a_release_gets_through_a_serial_line(broker, tmp_path):
    signer, now = Signed(tmp_path / "signed"), fleets.agent()
    files = {path: data for path, data in now.items() if path not in [f"edge/{name}.mpy" for name in WITHOUT]}
    release = fleets.build(signer, tmp_path / "good.release", files, "0.2.0", 60)
    interpreter = Interpreter("micropython32", tmp_path)
    interpreter.command[-1] = "heapsize=100K"

    async def play():
        async with SharedLine(folder=tmp_path, ends=["gateway", "controller"]) as line:
            gateway = Gateway(tmp_path, broker, line, {NODE: (1, "controller")})
            fleet = Line(tmp_path, broker, signer, [interpreter], area="line")
            fleet.flash(now)
            gateway.start()
            try:
                async with fleets.Store(broker) as store, fleet:
                    await store.until(lambda told: told.get(NODE, {}).get("stored"))
                    rollout = fleets.Rollout(broker, tmp_path)
                    code, said = await rollout.run("wuhou", release, "--watch", "1s", "--patience", "60s")
            finally:
                gateway.kill()
        assert (code, said["updated"]) == (0, [NODE])
        assert fleet.version(NODE) == ("0.2.0", ("b", 0, 0, 0))

    asyncio.run(play())
