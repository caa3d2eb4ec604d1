"""A command and a kill -9: nothing is done twice, and the operator hears what is known."""

import asyncio
import json
import sys


async def send(folder, broker, *words):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pole", "send", *words, "--json",
        "--broker", broker.url("operator"), "--password-file", str(folder / "operator.password"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


def test_a_gateway_that_dies_in_the_middle_of_a_command_says_so_when_it_is_back(chain, tmp_path):
    async def scenario():
        async with chain(1) as city:
            gateway, lamp = city.gateways["gw-1"], city.devices["P0001/lamp-1"]
            gateway.start()
            network = city.ports[1]
            while not network.unit(1).requests:
                await asyncio.sleep(0.05)
            network.unit(1).faults.silent = True
            words = ("P0001", "lamp-1", "set_level", "level=40", "--id", "k1", "--expires", "120s", "--wait", "90s")
            sending = await send(tmp_path, city.broker, *words)
            first = json.loads(await asyncio.wait_for(sending.stdout.readline(), 90))
            assert first["state"] == "accepted"
            await asyncio.to_thread(gateway.kill)
            network.unit(1).faults.silent = False
            lamp.hold("level", 90)
            gateway.start()
            last = json.loads(await asyncio.wait_for(sending.stdout.readline(), 90))
            assert last["state"] == "failed"
            assert "interrupted" in last["reason"]
            assert await sending.wait() == 1
            again = await send(tmp_path, city.broker, *words)
            out, _ = await asyncio.wait_for(again.communicate(), 90)
            assert "nothing was done again" in json.loads(out.splitlines()[-1])["reason"]
            assert abs(lamp.value("level") - 90) < 0.5

    asyncio.run(scenario())
