"""The controllers on one serial line, asked in turn. Nothing of what they say is a reading of the gateway's own."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from device_profiles.items import Value
from device_profiles.schema import Command
from device_profiles.site_model import Device
from gateway.clock import WALL_FROM_MS
from gateway.controllers.controller import Controller
from gateway.controllers.frame import Frame
from gateway.controllers.line import Line
from gateway.driver import Counters, counted
from gateway.identity import Node
from protocols import errors

LOOK_S = 1.0
DOWN_S = 0.5  # how often a port that is not there is looked for


class ControllersDriver:
    """controllers: address -> who it is at the broker. now_ms: as of gateway.clock."""

    def __init__(
        self, *, name: str, line: Line, controllers: Mapping[int, Node], now_ms: Callable[[], int], log: Any
    ) -> None:
        self.counters = Counters()
        self._line = line
        self._now_ms = now_ms
        self._is_down = False
        self._due = asyncio.Event()
        log = log.bind(bus=name)
        self._log = log
        self._controllers = [
            Controller(node=node, address=address, on_due=self._due.set, log=log)
            for address, node in controllers.items()
        ]

    @property
    def figures(self) -> dict[str, float]:
        return {
            **counted(self.counters), "crc_errors": self.counters.crc, "line_down": int(self._is_down),
            "silent": sum(each.turn.is_silent for each in self._controllers),
        }  # fmt: skip

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look(), name="silent controllers")
            tasks.create_task(self._ask_in_turn(), name="line of controllers")

    async def write(self, device: Device, command: Command, wanted: Value | None, in_time: Callable[[], None]) -> None:
        raise errors.LineDown("a line of controllers has no devices of the gateway")

    async def read(self, device: Device, point: str) -> Value:
        raise errors.LineDown("a line of controllers has no devices of the gateway")

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._controllers))
        self._line.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for each in self._controllers:
                each.look(asyncio.get_running_loop().time())

    async def _ask_in_turn(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._due.clear()
            each = min(self._controllers, key=lambda one: one.turn.due, default=None)
            due = loop.time() + LOOK_S if each is None else each.turn.due
            if each is not None and due <= loop.time():
                await self._ask(each)
                continue
            try:
                async with asyncio.timeout_at(due):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _ask(self, each: Controller) -> None:
        loop = asyncio.get_running_loop()
        self.counters.requests += 1
        used, damaged = self._line.busy_s, self._line.damaged
        try:
            answer = await self._line.ask(lambda: self._question(each))
        except errors.LineDown as error:
            self.counters.down += 1
            self._tell_down(str(error))
            await asyncio.sleep(DOWN_S)
        except errors.DeviceError as error:
            if isinstance(error, errors.Timeout):
                self.counters.timeouts += 1
            else:
                self.counters.errors += 1
            self._tell_down("")
            each.failed(error, loop.time(), self._line.busy_s - used, [one.turn for one in self._controllers])
        else:
            self._tell_down("")
            each.answered(answer, loop.time())
        self.counters.crc += self._line.damaged - damaged

    def _question(self, each: Controller) -> Frame:
        is_known = self._now_ms() >= WALL_FROM_MS
        time_ms = time.time_ns() // 1_000_000 if is_known else None
        now = asyncio.get_running_loop().time()
        return each.question(time_ms=time_ms, now=now, character_s=self._line.times.character)

    def _tell_down(self, trouble: str) -> None:
        if bool(trouble) != self._is_down:
            self._is_down = bool(trouble)
            if trouble:
                self._log.warning("the line of controllers is down", error=trouble)
            else:
                self._log.info("the line of controllers is there again")
