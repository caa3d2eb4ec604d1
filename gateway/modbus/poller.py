"""Polls the devices of one bus: profiles and a Bus IN, readings OUT.

Each poll group of each device is a cycle with deadlines on a fixed grid, and whichever cycle is due longest goes next,
one block at a time. A device that does not answer is asked rarely (`health`), and its points are told as not read.
"""

import asyncio
import datetime
import heapq
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from device_profiles import registers
from device_profiles.blocks import Block, blocks
from device_profiles.schema import Point, Profile
from gateway.modbus.bus import Bus
from gateway.modbus.health import Health, Ward
from gateway.reading import Reading
from gateway.reports import SILENCE, Report
from protocols import errors, modbus

# Beyond the time on the wire. Slower devices say so by their latency, which is a usual value, not the worst.
ANSWER_S = 0.3
ANSWER_LATENCIES = 10


class Device(Protocol):
    """What the poller needs of a site's device."""

    @property
    def pole(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def unit(self) -> int | None: ...
    @property
    def channel(self) -> int: ...


def answer_wait(profile: Profile) -> float:
    """Seconds that a device of this profile is given to answer."""
    latency = profile.modbus.latency if profile.modbus else 0.0
    return max(ANSWER_S, ANSWER_LATENCIES * latency)


@dataclass(eq=False, kw_only=True, slots=True)
class _Unit:
    """One Modbus unit, which several devices share where it has channels."""

    number: int
    health: Health
    where: dict[str, object]  # for the log
    wait: float
    polls: list["_Poll"] = field(default_factory=list)
    ready_at: float = 0.0
    since: str = ""


@dataclass(eq=False, kw_only=True, slots=True)
class _Poll:
    """One block of one cycle."""

    block: Block
    request: bytes
    health: Health
    reports: tuple[Report, ...]  # one for each of block.points
    since: str = ""


@dataclass(eq=False, kw_only=True, slots=True)
class _Cycle:
    device: str
    unit: _Unit
    points: Mapping[str, Point]
    every: float
    polls: list[_Poll]
    due: float = 0.0
    position: int = 0


class Poller:
    """missed: cycles that fell out because the bus was busy. lost_s: bus time spent on requests without an answer."""

    def __init__(
        self,
        *,
        bus_name: str,
        bus: Bus,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        on_readings: Callable[[list[Reading], bool], None],
        now_ms: Callable[[], int],
        log: Any,
    ) -> None:
        self.missed = 0
        self.lost_s = 0.0
        self._bus_name = bus_name
        self._bus = bus
        self._on_readings = on_readings
        self._now_ms = now_ms
        self._log = log
        self._ward = Ward()
        self._down_since = ""
        self._units: dict[int, _Unit] = {}
        self._cycles = [cycle for device in devices for cycle in self._plan(device, profiles[device.profile])]

    @property
    def counters(self) -> dict[str, int]:
        """Since the start of the process: requests, timeouts, errors, missed."""
        counted = self._bus.counters
        return {
            "requests": counted.requests,
            "timeouts": counted.timeouts,
            "errors": counted.errors,
            "missed": self.missed,
        }

    async def run(self) -> None:
        """Polls until cancelled."""
        loop = asyncio.get_running_loop()
        order = itertools.count()
        queue: list[tuple[float, int, _Cycle]] = []
        for cycle in self._cycles:
            cycle.due = loop.time()
            heapq.heappush(queue, (cycle.due, next(order), cycle))
        while queue:
            at, _, cycle = queue[0]
            if at > loop.time():
                await asyncio.sleep(at - loop.time())
            heapq.heappop(queue)
            if cycle.unit.ready_at <= loop.time():
                await self._step(cycle)
            heapq.heappush(queue, (max(cycle.due, cycle.unit.ready_at), next(order), cycle))
        await asyncio.Event().wait()  # a bus without devices

    def _plan(self, device: Device, profile: Profile) -> list[_Cycle]:
        assert device.unit is not None
        wait = answer_wait(profile)
        where = {"pole": device.pole, "bus": self._bus_name, "unit": device.unit, "profile": device.profile}
        unit = self._units.setdefault(
            device.unit, _Unit(number=device.unit, health=Health(cost_s=0.0), where=where, wait=wait)
        )
        cycles = []
        for name, group in profile.polls.items():
            polls = [
                self._poll(block, profile.points, group.silence, wait)
                for block in blocks(profile, name, device.channel)
            ]
            unit.polls.extend(polls)
            unit.health.cost_s = max([unit.health.cost_s, *(poll.health.cost_s for poll in polls)])
            if polls:
                key = f"{device.pole}/{device.device}"
                cycles.append(_Cycle(device=key, unit=unit, points=profile.points, every=group.every, polls=polls))
        return cycles

    def _poll(self, block: Block, points: Mapping[str, Point], silence: float, wait: float) -> _Poll:
        reports = tuple(Report(deadband=points[part.point].deadband, silence=silence) for part in block.points)
        request = modbus.read(block.table, block.address, block.count)
        health = Health(cost_s=self._bus.wire_seconds(request) + wait)
        return _Poll(block=block, request=request, health=health, reports=reports)

    async def _step(self, cycle: _Cycle) -> None:
        """The next block of a cycle, asked or passed over."""
        poll, unit = cycle.polls[cycle.position], cycle.unit
        now = asyncio.get_running_loop().time()
        for health in (unit.health, poll.health):
            if health.silent and now < health.probe_at:
                self._tell(cycle, poll, health.quality)
                break
        else:
            await self._ask(cycle, poll)
        cycle.position += 1
        if cycle.position == len(cycle.polls):
            self._finish(cycle)

    def _finish(self, cycle: _Cycle) -> None:
        cycle.position = 0
        behind = asyncio.get_running_loop().time() - cycle.due
        steps = max(1, math.ceil(behind / cycle.every))
        self.missed += steps - 1
        cycle.due += steps * cycle.every

    async def _ask(self, cycle: _Cycle, poll: _Poll) -> None:
        loop = asyncio.get_running_loop()
        unit = cycle.unit
        began = loop.time()
        try:
            answer = await self._bus.transact(unit.number, poll.request, unit.wait)
        except errors.LineDown as error:
            self._line_is_down(error)
            self._tell(cycle, poll, error.quality)
        except errors.DeviceError as error:
            self._line_is_up()
            self._tell(cycle, poll, error.quality)
            if isinstance(error, modbus.ExceptionReply) and error.code not in modbus.NOBODY_THERE:
                self._refused(unit, poll, error)
                return
            self.lost_s += loop.time() - began
            # RTU answers carry no number: the unit gets time to say late what nobody waits for, and others go first.
            unit.ready_at = loop.time() + unit.wait
            self._failed(unit, poll, error)
        else:
            self._line_is_up()
            self._answered(unit, poll)
            self._tell(cycle, poll, None, modbus.items(poll.request, answer))

    def _tell(self, cycle: _Cycle, poll: _Poll, quality: str | None, words: Sequence[int] = ()) -> None:
        """Reports what is due of a block's points; words are None's place where quality says why there are none."""
        time_ms = self._now_ms()
        now = asyncio.get_running_loop().time()
        told: dict[bool, list[Reading]] = {True: [], False: []}
        for part, report in zip(poll.block.points, poll.reports, strict=True):
            point = cycle.points[part.point]
            if quality is None:
                value, code = _decode(point, words[part.start : part.start + part.count])
            else:
                value, code = None, quality
            why = report.reason(now, value, code)
            if why is not None:
                told[point.event and why != SILENCE].append((cycle.device, part.point, time_ms, value, code))
        for event, readings in told.items():
            if readings:
                self._on_readings(readings, event)

    def _answered(self, unit: _Unit, poll: _Poll) -> None:
        if self._ward.answered(unit.health):
            self._log.info("answers again", **unit.where, silent_since=unit.since)
        if self._ward.answered(poll.health) or poll.since:
            self._log.info("block answers again", **unit.where, **_place(poll), failed_since=poll.since)
        poll.since = ""

    def _refused(self, unit: _Unit, poll: _Poll, error: errors.DeviceError) -> None:
        """An exception is an answer: the unit lives, and the block costs next to nothing."""
        since = poll.since
        poll.since = ""
        self._answered(unit, poll)
        poll.since = since or _clock_time()
        if not since:
            self._log.warning("block refused", **unit.where, **_place(poll), since=poll.since, error=str(error))

    def _failed(self, unit: _Unit, poll: _Poll, error: errors.DeviceError) -> None:
        now = asyncio.get_running_loop().time()
        was_silent = unit.health.silent
        if unit.health.failures == 0:
            unit.since = _clock_time()
        others = any(not each.health.silent for each in self._units.values() if each is not unit)
        if self._ward.failed(unit.health, error, now, others_answer=others):
            for each in unit.polls:
                self._ward.discharge(each.health)
            self._log.warning("no answer", **unit.where, since=unit.since, error=str(error))
        elif not was_silent and self._ward.failed(poll.health, error, now, others_answer=True):
            poll.since = poll.since or _clock_time()
            self._log.warning("block without an answer", **unit.where, **_place(poll), error=str(error))

    def _line_is_down(self, error: errors.DeviceError) -> None:
        if not self._down_since:
            self._down_since = _clock_time()
            self._log.error("bus down", bus=self._bus_name, since=self._down_since, error=str(error))

    def _line_is_up(self) -> None:
        if self._down_since:
            self._log.info("bus up again", bus=self._bus_name, down_since=self._down_since)
            self._down_since = ""


def _decode(point: Point, words: Sequence[int]) -> tuple[float | bool | None, str | None]:
    try:
        return registers.value(point, words), None
    except registers.NoValue as reason:
        return None, str(reason)


def _place(poll: _Poll) -> dict[str, object]:
    return {"table": poll.block.table, "address": poll.block.address, "count": poll.block.count}


def _clock_time() -> str:
    return datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
