"""A gateway, a broker and controllers on three interpreters, killed at random: every pack that was numbered arrives."""

import asyncio
import json
import os
import random

import pytest

from simulators.shared_line import SharedLine
from tests.edge.cases.serial_link_node import pack
from tests.edge.conftest import compiled  # noqa: F401
from tests.gateway.controllers.city import INTERPRETERS, City, Played, interpreters
from tests.gateway.controllers.gateway_process import Gateway

NODES = [f"ctl-{each}" for each in INTERPRETERS]
PACKS = int(os.environ.get("PACKS", "20"))
KILLS = int(os.environ.get("KILLS", "4"))  # by hand: KILLS=200 PACKS=1500
SEED = int(os.environ.get("SEED", "20261121"))


@pytest.mark.parametrize("broker", [("gw-1", *NODES, "ingest", "operator")], indirect=True)
def test_kills(broker, tmp_path, compiled):  # noqa: F811
    asyncio.run(play(broker, tmp_path, compiled))


async def play(broker, folder, compiled):  # noqa: F811
    city = City(broker)
    places = dict(enumerate(interpreters(), 1))
    async with SharedLine(folder=folder, ends=["gateway", *places.values()]) as line, city.listening():
        gateway = Gateway(folder, broker, line, {f"ctl-{name}": (address, name) for address, name in places.items()})
        played = [
            Played(
                name=f"ctl-{name}", interpreter=name, compiled=compiled, folder=folder / f"of-{name}", address=address,
                port=line.path(name), count=PACKS,
            )
            for address, name in places.items()
        ]  # fmt: skip
        for process in (gateway, *played):
            process.start()
        try:
            await city.until(lambda: all(city.is_online(each.name) for each in played))
            killing = asyncio.create_task(kills(gateway, broker, played))
            await asyncio.gather(*(command(city, each) for each in played))
            await killing
            await city.until(lambda: all(len(each.lines("stored")) == PACKS for each in played), 90 + PACKS)
            await asyncio.to_thread(gateway.stop)
            await city.until(lambda: not any(city.is_online(each.name) for each in played))
        finally:
            for process in (gateway, *played):
                if process.process.poll() is None:
                    process.kill()
        for each in played:
            check(city, each)


async def kills(gateway, broker, played):
    dice = random.Random(SEED)
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.2, 1.5))
        victim = dice.choice([gateway, broker, *played])
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(dice.uniform(0, 0.5))
        await asyncio.to_thread(victim.start)


async def command(city, each):
    """Five commands, each told until it is answered: a broker that is killed forgets what waits in it."""
    for index in range(5):
        name = f"c-{index}"
        while name not in replied(city, each):
            await city.command(each.name, name)
            for _ in range(100):
                await asyncio.sleep(0.05)
                if name in replied(city, each):
                    break


def replied(city, each):
    return [json.loads(body)["id"] for body in city.of(each.name, "reply")]


def check(city, each):
    numbers = city.numbers(each.name)
    assert set(numbers) == set(range(1, PACKS + 1))
    for number, body in zip(numbers, city.of(each.name, "telemetry"), strict=True):
        assert body == pack(each.name, number)
    assert each.lines("commands") == [f"c-{index}" for index in range(5)]
    assert sorted(map(int, each.lines("stored"))) == list(range(1, PACKS + 1))
