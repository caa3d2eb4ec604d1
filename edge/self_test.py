"""What a controller can do, tried on the controller itself. `pole flash` and `pole edge install` call these one by one.

Each function prints JSON, a line for each result, and the caller judges: the words for people are kept on the host.
"""

import asyncio
import gc
import json
import os
import sys
import time


def _board(folder: str):
    with open(folder + "/config.json") as file:
        config = json.load(file)
    module = "edge.boards." + config["board"]
    __import__(module)
    return config, sys.modules[module].Board(config, folder)


def _tell(*values) -> None:
    print(json.dumps(values))


def memory(folder: str) -> None:
    """[free bytes; 0: not known]"""
    board = _board(folder)[1]
    gc.collect()
    _tell(board.memory_free())


def files(folder: str) -> None:
    """[whether what was written, renamed and read is the same, kind of file system, free bytes]"""
    name = folder + "/self-test"
    data = bytes(range(256)) * 4
    for _ in range(2):  # the second time over a file that is there
        with open(name + ".new", "wb") as file:
            file.write(data)
        os.rename(name + ".new", name)
    with open(name, "rb") as file:
        same = file.read() == data
    os.remove(name)
    kind = "posix"
    if sys.implementation.name == "micropython":
        kind = [str(found) for found, place in __import__("vfs").mount() if place == "/"][0]
    space = os.statvfs(folder or "/")
    _tell(same, kind, space[1] * space[3] if space[1] else space[0] * space[3])


def clock(folder: str, utc_ms: int) -> None:
    """[ms that a second took by the board's counter, by its clock, UTC ms now]; utc_ms: set first, unless 0."""
    board = _board(folder)[1]
    if utc_ms:
        board.set_utc_ms(utc_ms)
    began, ticks = board.utc_ms(), board.ms()
    time.sleep(1)
    now = board.utc_ms()
    _tell(board.ms() - ticks, None if now is None else now - began, now)


class _Heard:
    """A collector that tells what it is given. missing: who has told no value; silent: nothing at all."""

    def __init__(self, devices: list) -> None:
        self.missing = devices
        self.silent = devices[:]

    def add(self, device: str, point: str, field: str, event: bool = False) -> None:
        _tell(device, point, field)
        for waited in (self.silent,) if '"q"' in field else (self.silent, self.missing):
            if device in waited:
                waited.remove(device)


def readings(folder: str, kind: str, name: str, devices: list, longest: int, again: int) -> None:
    """[device, point, SenML field] as it comes, until each device has told a value. kind: inputs, sensors or bus.

    Not for longer than so many ms; nor than `again` ms, when each has told at least why there is no value.
    """
    config, board = _board(folder)
    heard = _Heard(list(devices))
    module, made = {"bus": ("poller", "Poller"), "inputs": ("inputs", "Inputs"), "sensors": ("sensors", "Sensors")}[
        kind
    ]
    __import__("edge." + module)
    make = getattr(sys.modules["edge." + module], made)
    source = make(board, name, heard) if kind == "bus" else make(config, board, heard)
    _run(_listen(board, heard, source, longest, again))


async def _listen(board, heard, source, longest, again) -> None:
    task = asyncio.create_task(source.run(lambda: None))
    began = board.ms()
    while heard.missing and board.ms() - began < (longest if heard.silent else again) and not task.done():
        await asyncio.sleep(0.05)
    if task.done():
        await task  # raises what ended it
    task.cancel()


def network(folder: str) -> None:
    """[whether it is connected]"""
    board = _board(folder)[1]
    _tell(bool(_run(board.network())))


def broker(folder: str, will: str) -> None:
    """["ok", ms] when the broker has taken identity, subscription and a reply; else [what it was]."""
    config, board = _board(folder)
    kind = "edge.mqtt" if config["uplink"]["kind"] == "mqtt" else "edge.serial_link"
    __import__(kind)
    link = sys.modules[kind].Client(config, board, lambda channel, payload: None)
    _run(_session(board, link, will.encode()))


async def _session(board, link, will) -> None:
    began = board.ms()
    try:
        await board.network()
        await asyncio.wait_for(link.connect(will), 60)
        reply = ('{"id":"self-test","state":"done","time":%d}' % (board.utc_ms() or 0)).encode()
        await asyncio.wait_for(link.publish("reply", len(reply), (reply,)), 60)
        took = board.ms() - began
        await link.close()
        _tell("ok", took)
    except asyncio.TimeoutError:  # noqa: UP041  MicroPython has no other name for it
        _tell("timeout")
    except OSError as error:
        _tell(*[str(each) for each in error.args] or ["OSError"])


def _run(work):
    try:
        return asyncio.run(work)
    finally:
        if hasattr(asyncio, "new_event_loop"):
            asyncio.new_event_loop()  # MicroPython keeps one loop, with its tasks
