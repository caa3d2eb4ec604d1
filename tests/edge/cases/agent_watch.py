"""The watchdog is fed while every part is alive, and no longer: a broker that is away is no part."""

import asyncio

from edge.agent import Agent
from edge.boards.simulated import Board

CONFIG = {
    "area": "a", "node": "n", "self": "P1/n", "ntp": None, "journal": 65536, "lamp": None, "buses": [], "inputs": [],
    "sensors": [], "uarts": {}, "pins": {}, "pwms": {}, "adcs": {}, "i2cs": {}, "position": [0, 0], "utc_offset": 0,
    "network": None, "uplink": {"kind": "mqtt", "host": "127.0.0.1", "port": 9, "user": "n", "tls": False},
}  # fmt: skip


class Guard:
    def __init__(self, folder):
        self.root = folder + "/"
        self.state = b"a\0\0\0"

    def slot(self, other=False):
        return self.root + ("b" if other else "a")

    def version(self, slot):
        return "0.1.0"

    def confirm(self):
        pass


class Watched(Board):
    ahead = fed = 0

    def ms(self):
        return Board.ms(self) + self.ahead

    def watchdog(self):
        def feed():
            self.fed += 1

        return feed


def made(args):
    board = Watched(dict(CONFIG), args["folder"])
    return board, Agent(board, dict(CONFIG), Guard(args["folder"]))


async def is_fed(board, seconds):
    for _ in range(int(seconds * 10)):
        if board.fed:
            return True
        await asyncio.sleep(0.1)
    return False


async def fed_after_seven_minutes(board, agent, seconds):
    """Whether it is fed within so many seconds then: as a rule it is within one."""
    running = asyncio.create_task(agent.run())
    assert await is_fed(board, 20), "fed at first"
    board.ahead = 420_000
    await asyncio.sleep(1.2)
    board.fed = 0
    found = await is_fed(board, seconds)
    running.cancel()
    return found


async def test_a_part_that_is_stuck_starves_it(args):
    board, agent = made(args)

    async def stuck(beat):
        await asyncio.sleep(3600)

    agent.session.run = stuck
    assert not await fed_after_seven_minutes(board, agent, 1.2)


async def test_a_broker_that_is_away_does_not(args):
    board, agent = made(args)
    assert await fed_after_seven_minutes(board, agent, 20)


async def test_a_part_that_raises_ends_the_agent(args):
    _, agent = made(args)

    async def broken(beat):
        raise ValueError("broken")

    agent.session.run = broken
    why = ""
    try:
        await asyncio.wait_for(agent.run(), 5)
    except ValueError as error:
        why = str(error)
    assert why == "broken"
