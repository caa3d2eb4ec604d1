"""The agent: starts the parts that the configuration asks for, and keeps an eye on them.

A part that raises ends the agent: the guard notes what it was, the controller is reset, and the next birth tells it. A
lost broker ends nothing. The watchdog is fed only while every part has been alive of late.
"""

import asyncio
import gc
import json
import os
import sys

from edge.clock import Clock
from edge.collector import Collector
from edge.guest import guest, leave
from edge.journal import Journal
from edge.session import Session

LOOK_S = 0.5
_OWN_MS = 60_000  # between two readings of the controller's own counters
_WAITING = 8  # commands, and replies, at most
_STUCK_MS = 60_000  # a part that was not alive for so long is stuck; its longest wait is far below
_SESSION_STUCK_MS = 300_000


class Agent:
    """replies: what waits to be told under up/reply. release, chunk: for the update (edge/update.py)."""

    def __init__(self, board, config: dict, guard) -> None:
        self.board = board
        self.config = config
        self.guard = guard
        self.replies: list = []
        self.chunk = None
        self.lamp: object = None
        self._own_name = config["self"]
        self._own_due = 0
        self.pollers: dict = {}
        self._alive: list = []  # of each part: its longest silence, and when it was alive
        # the first one tells what a reset broke off
        self._commands: list = [b""] if "commands" in os.listdir(guard.root) else []
        self.release: object = None
        self._release_at = 0  # when it is tried again; a new one at once
        self.clock = Clock(board, config)
        self.journal = Journal(board, config, self.clock)
        self._feed = board.watchdog()  # a long journal takes longer to open than an RP2040's watchdog waits
        self.collector = Collector(board, self.clock, self.journal)
        # where nothing hangs on it there is nothing to read before a release has proved itself
        self.collector.sensed = not (config["buses"] or config["inputs"] or config["sensors"])
        kind = "edge.mqtt" if config["uplink"]["kind"] == "mqtt" else "edge.serial_link"
        __import__(kind)
        self.link = sys.modules[kind].Client(config, board, self._received)
        self.session = Session(board, guard, self.clock, self.journal, self.collector, self.link, self.replies)

    async def run(self) -> None:
        """Until a part fails: raises what it raised."""
        tasks = [self._part(self.session.run, _SESSION_STUCK_MS), self._part(self._guests, _SESSION_STUCK_MS)]
        tasks += [self._part(run, _STUCK_MS) for run in self._wired()]
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self.collector.due()
                now = self.board.ms()
                if now >= self._own_due:
                    self._own(now)
                if all([now - part[1] < part[0] for part in self._alive]):
                    self._feed()
                for task in tasks:
                    if task.done():
                        await task
        finally:
            for task in tasks:
                task.cancel()
            self.collector.flush()

    def _part(self, run, longest: int):
        part = [longest, self.board.ms()]
        self._alive.append(part)

        def beat() -> None:
            part[1] = self.board.ms()

        return asyncio.create_task(run(beat))

    def _wired(self) -> list:
        # the modules of what the site does not hang on this controller are never loaded
        config, board, collector = self.config, self.board, self.collector
        runs = []
        if config["lamp"]:
            from edge.lamp import Lamp

            self.lamp = lamp = Lamp(board, self.clock, collector, config, self._write_lamp)
            runs.append(lamp.run)
        for bus in config["buses"]:
            from edge.poller import Poller

            self.pollers[bus] = poller = Poller(board, bus, collector)
            runs.append(poller.run)
        if config["inputs"]:
            from edge.inputs import Inputs

            runs.append(Inputs(config, board, collector).run)
        if config["sensors"]:
            from edge.sensors import Sensors

            runs.append(Sensors(config, board, collector).run)
        if config["ntp"]:
            runs.append(self.clock.run)
        for key in ("pins", "pwms", "adcs", "i2cs", "uarts", "inputs", "sensors"):  # each has taken what it needs
            config.pop(key)
        return runs

    def _received(self, channel: str, payload: memoryview) -> None:
        if channel == "stored":
            # wire.stored would cost 6 kB for this; a number that is not ours means nothing to the journal
            try:
                message = json.loads(bytes(payload))
                if message["ep"] == self.journal.epoch:
                    for first, last in message["sq"]:
                        self.journal.stored(int(first), int(last))
            except (ValueError, TypeError, KeyError) as error:
                print("stored:", error)
        elif channel == "chunk":
            if self.chunk:
                self.chunk(payload)
        elif channel == "command":
            if len(self._commands) < _WAITING:
                self._commands.append(bytes(payload))
        elif channel == "release":
            self.release, self._release_at = bytes(payload), 0
        elif channel == "time":
            self.clock.set(int.from_bytes(payload, "big"))

    async def _guests(self, beat) -> None:
        # one guest at a time, so that their memory is needed once; an update steps aside for a command, or a newer one
        def go_on() -> bool:
            beat()
            return not self._commands and self.release is None

        while True:
            beat()
            if self._commands and len(self.replies) < _WAITING:
                await self._guest("edge.commands", "run", self._commands.pop(0))
            elif self.release is not None and self.board.ms() >= self._release_at and self.session.online:
                wait = await self._guest("edge.update", "run", go_on)
                self._release_at = self.board.ms() + wait * 1000
            await asyncio.sleep(LOOK_S)

    async def _guest(self, module: str, function: str, *arguments):
        try:
            return await guest(module, function, self, *arguments)
        finally:
            leave("wire.messages")  # which no other part uses

    def _own(self, now: int) -> None:
        # what the controller counts of itself
        self._own_due = now + _OWN_MS
        state = self.journal.state()
        gc.collect()
        for point, value in (
            ("uptime_s", now // 1000),
            ("spool_pending", state["pending"]),
            ("packs_dropped", sum(state["dropped"].values())),
            ("readings_produced", state["readings"]),
            ("resets", self.clock.boot),
            ("memory_free", self.board.memory_free()),
        ):
            self.collector.add(self._own_name, point, '"v":%d' % value, read=False)

    async def _write_lamp(self, level: int) -> None:
        # Raises OSError while the lamp does not take it
        await self._guest("edge.commands", "write", self.config["lamp"]["output"][1], level)
