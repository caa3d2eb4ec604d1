"""Controllers on three interpreters on one line that hurts what it carries: nothing is lost, nothing else arrives."""

import asyncio
import json
import os
import random
import time

import pytest
import structlog

from gateway.controllers.controllers_driver import ControllersDriver
from gateway.controllers.line import Line
from gateway.identity import Node
from simulators.shared_line import SharedLine
from tests.edge.cases.serial_link_node import pack
from tests.edge.conftest import compiled  # noqa: F401
from tests.gateway.controllers.city import AREA, INTERPRETERS, City, Played, interpreters
from tests.gateway.controllers.noise import Noise

NODES = [f"ctl-{each}" for each in INTERPRETERS]
PACKS = int(os.environ.get("PACKS", "15"))  # by hand: PACKS=1000
SEED = int(os.environ.get("SEED", "20261121"))


@pytest.mark.parametrize("broker", [(*NODES, "ingest", "operator")], indirect=True)
def test_noise(broker, tmp_path, compiled):  # noqa: F811
    asyncio.run(play(broker, tmp_path, compiled))


async def play(broker, folder, compiled):  # noqa: F811
    city, noise = City(broker), Noise(random.Random(SEED), 0.03)
    places = dict(enumerate(interpreters(), 1))
    async with SharedLine(folder=folder, ends=["gateway", *places.values()], noise=noise) as line, city.listening():
        connect = {"hostname": "127.0.0.1", "port": broker.port}
        nodes = {
            address: Node(AREA, f"ctl-{name}", {**connect, "username": f"ctl-{name}", "password": f"ctl-{name}-secret"})
            for address, name in places.items()
        }
        driver = ControllersDriver(
            name="line", line=Line(port=line.path("gateway"), baud=115200), controllers=nodes,
            now_ms=lambda: time.time_ns() // 1_000_000, log=structlog.get_logger(),
        )  # fmt: skip
        asking = asyncio.create_task(driver.run())
        played = [
            Played(
                name=f"ctl-{name}", interpreter=name, compiled=compiled, folder=folder / f"of-{name}", address=address,
                port=line.path(name), count=PACKS,
            )
            for address, name in places.items()
        ]  # fmt: skip
        for each in played:
            each.start()
        try:
            await city.until(lambda: all(city.is_online(each.name) for each in played))
            for each in played:
                for index in range(5):
                    await city.command(each.name, f"c-{index}")
            await city.until(lambda: all(is_done(city, each) for each in played), 90 + PACKS)
            for each in played:
                each.end()
            await city.until(lambda: all(each.is_over for each in played))
        finally:
            for each in played:
                each.kill()
        for each in played:
            check(city, each)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await driver.close()
        await city.until(lambda: not any(city.is_online(each.name) for each in played), 10)
    assert noise.hurt > 0, "there was some"
    assert driver.counters.timeouts + driver.counters.errors > 0


def is_done(city, each):
    return len(each.lines("stored")) == PACKS and len(city.of(each.name, "reply")) >= 5


def check(city, each):
    numbers = city.numbers(each.name)
    assert set(numbers) == set(range(1, PACKS + 1))
    for number, body in zip(numbers, city.of(each.name, "telemetry"), strict=True):
        assert body == pack(each.name, number)
    replies = [json.loads(body)["id"] for body in city.of(each.name, "reply")]
    assert each.lines("commands") == [f"c-{index}" for index in range(5)]
    begun, succeeded, tripped = each.counts
    assert set(replies) == set(each.lines("commands"))
    assert len(replies) == 5 or begun > succeeded, "twice only where a session broke"
    arrived = len(numbers) + len(replies) + len([1 for body in city.of(each.name, "status") if b"true" in body])
    assert succeeded <= arrived <= begun, "what was acknowledged is there, and nothing that was not sent"
    assert tripped == 0
    times = [json.loads(body)["time"] for body in city.of(each.name, "status") if b"true" in body]
    assert all(abs(each - time.time() * 1000) < 600_000 for each in times), "it has its clock from the gateway"
