"""Measures each sensor of a configuration once, at the pins of the simulated board, and prints what is told."""

import json

from edge.boards.simulated import Board
from edge.sensors import Sensors


class Printed:
    def add(self, device, point, field, event=False):
        print("told", device, point, field)


def test_measure(args):
    with open(args["folder"] + "/config.json") as file:
        return measure(json.load(file), args["folder"])


async def measure(config, folder):
    sensors = Sensors(config, Board(config, folder), Printed())
    try:
        await sensors.run(stop)
    except Stopped:
        pass


class Stopped(Exception):
    pass


def stop():
    raise Stopped
