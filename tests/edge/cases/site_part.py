"""A controller that starts from the folder which `pole edge part` wrote, and nothing else."""

import asyncio
import gc
import json

from edge.inputs import Inputs
from edge.lamp import Lamp
from edge.poller import Poller
from edge.sensors import Sensors


class Told:
    def __init__(self):
        self.readings = {}

    def add(self, device, point, field, event=False, read=True):
        self.readings[device + "/" + point] = field

    def now(self):
        return None


def started(args):
    from edge.boards.simulated import Board

    with open(args["folder"] + "/config.json") as file:
        config = json.load(file)
    return config, Board(config, args["folder"]), Told()


def pin(args, name, text):
    with open(args["folder"] + "/pins/" + name, "w") as file:
        file.write(text)


def read(args, name):
    with open(args["folder"] + "/pins/" + name) as file:
        return file.read()


def test_contacts(args):
    config, board, told = started(args)
    pin(args, "cover", "1")
    pin(args, "sos", "1")  # which the site inverts
    Inputs(config, board, told).sample()
    assert told.readings == {"P0001/cover-1/cover_open": '"vb":true', "P0001/sos-1/sos_pressed": '"vb":false'}


async def test_sensors(args):
    config, board, told = started(args)
    pin(args, "loop", "1200000")
    pin(args, "chips-44", "666693beef92")
    pin(args, "chips-23", "8390")
    task = asyncio.create_task(Sensors(config, board, told).run(lambda: None))
    for _ in range(200):
        if len(told.readings) == 4:
            break
        await asyncio.sleep(0.05)
    task.cancel()
    assert told.readings == {
        "P0001/water-1/level": '"v":2.5',
        "P0001/air-1/temperature": '"v":25',
        "P0001/air-1/humidity": '"v":74.585',
        "P0001/light-1/illuminance": '"v":28066.7',
    }
    assert read(args, "chips-44.sent") == "2400"


async def test_lamp(args):
    config, board, told = started(args)
    lamp = Lamp(board, told, told, config)
    await lamp.show(lamp.wanted())
    assert (read(args, "dim"), read(args, "relay")) == ("1000", "1"), "it fails lit"
    lamp.override(40)
    await lamp.show(lamp.wanted())
    assert (read(args, "dim"), read(args, "relay")) == ("400", "1")
    assert told.readings == {"P0001/lamp-1/level": '"v":40', "P0001/lamp-1/on": '"vb":true'}


def test_bus(args):
    config, board, told = started(args)
    for bus in config["buses"]:
        Poller(board, bus, told)
    assert config["buses"] == ["field-1"]


def test_memory(args):
    """A full config.json takes a share of the heap that was planned for it."""
    if not hasattr(gc, "mem_alloc"):
        return
    gc.collect()
    before = gc.mem_alloc()
    with open(args["folder"] + "/config.json") as file:
        config = json.load(file)
    gc.collect()
    taken = gc.mem_alloc() - before
    print("config.json takes", taken, "bytes", len(config))
    assert taken < args["most"]
