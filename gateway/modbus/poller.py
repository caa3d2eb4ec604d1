"""Polls the devices of one bus: profiles and a Bus IN, readings OUT.

Which group goes next stands in `schedule`, what one read brings in `blocks` of device_profiles, who is asked rarely
because he does not answer in `health`, and what devices teach about themselves in `exploring` and `learned`. One block
is one transaction: whoever is more urgent goes between two blocks, and a block that fails costs its own points alone.
"""

import asyncio
import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from device_profiles import bus_time
from device_profiles.blocks import Block, Refused
from device_profiles.schema import Profile
from device_profiles.unit_plan import Device, unit_plans
from gateway.modbus.bus import Bus
from gateway.modbus.exploring import explore, is_one
from gateway.modbus.health import SILENT_AFTER, Ward
from gateway.modbus.learned import Learned
from gateway.modbus.schedule import Schedule
from gateway.modbus.unit import BlockState, Turns, Unit
from gateway.reading import Reading
from protocols import errors, modbus

# A turn that failed is taken again so soon, where the group's period is longer.
RETRY_S = 5.0
# Why a read of several values fails is looked into so rarely where nothing came of it.
EXPLORE_AGAIN_S = 600.0
ILLEGAL = (2, 3)  # exceptions that speak of the registers asked for, and not of the device's state


def answer_wait(profile: Profile) -> float:
    """Seconds that a device of this profile is given to answer."""
    return bus_time.answer_wait(profile.modbus.latency if profile.modbus else 0.0)


class Poller:
    """missed: turns that fell out because the bus was busy. lost_s: bus time spent on requests without an answer.

    wanted_s, actual_s: the periods of all turns so far, as they should be and as they were.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        dead_share: float,
        learned: Learned,
        on_readings: Callable[[list[Reading], bool], None],
        now_ms: Callable[[], int],
        log: Any,
    ) -> None:
        self.missed = 0
        self.lost_s = 0.0
        self.wanted_s = 0.0
        self.actual_s = 0.0
        self._bus = bus
        self._log = log
        self._ward = Ward(dead_share)
        self._down_since = ""
        self._schedule: Schedule[Turns] = Schedule()
        self.units: dict[int, Unit] = {
            plan.unit: Unit(
                plan=plan, memory=learned.unit(bus.name, plan.unit, plan.profile), wait=answer_wait(plan.profile),
                where={
                    "pole": plan.devices[0].pole, "bus": bus.name, "unit": plan.unit, "profile": plan.profile.profile,
                },
                on_readings=on_readings, now_ms=now_ms,
            )
            for plan in unit_plans(devices, profiles, bus.times)
        }  # fmt: skip
        self.planned_load = sum(unit.plan.load(bus.times) for unit in self.units.values())

    async def run(self) -> None:
        """Polls until cancelled."""
        loop = asyncio.get_running_loop()
        for unit in self.units.values():
            for turns in unit.turns:
                turns.due = loop.time()
                self._schedule.put(turns, turns.due)
        while True:
            due = self._schedule.next(loop.time())
            if due is None:
                await asyncio.sleep(self._schedule.wait() - loop.time())
            else:
                await self._step(due)

    async def _step(self, turns: Turns) -> None:
        """The next block of a turn, asked or passed over."""
        unit, now = turns.unit, asyncio.get_running_loop().time()
        given, turns = turns, turns.leader or turns
        if turns.leader is None:
            unit.begin(turns, now)
        block = turns.reads[-1]
        state = unit.block(block)
        failing = next((each for each in (unit.health, state.health) if each.failures and now < each.ask_at), None)
        if failing is None:
            await self._ask(turns, block, state)
        elif failing.silent:
            unit.tell(block, failing.quality)
        elif failing is unit.health:  # a late answer of it must not be taken for another's: others go first
            self._schedule.put(given, failing.ask_at)
            return
        turns.reads.pop()
        if not turns.reads:
            self._finish(turns)

    def _finish(self, turns: Turns) -> None:
        now = asyncio.get_running_loop().time()
        health = turns.unit.health
        again = max(now + RETRY_S, health.ask_at) if turns.failed or health.silent else math.inf
        for each in turns.company:
            each.leader = None
            self.missed += max(0, int((now - each.due) / each.group.every))
            self.wanted_s += each.group.every if each.read_at else 0.0
            self.actual_s += now - each.read_at if each.read_at else 0.0
            each.read_at = now
            each.due = min(max(each.due + each.group.every, now), again)
            self._schedule.put(each, each.due)
        turns.company = ()

    async def _ask(self, turns: Turns, block: Block, state: BlockState) -> None:
        unit = turns.unit
        try:
            words = await self._read(unit, block)
        except errors.LineDown as error:
            turns.failed = True
            self._line_is_down(error)
            unit.tell(block, error.quality)
        except modbus.ExceptionReply as error:
            if error.code in modbus.NOBODY_THERE:
                self._no_answer(turns, block, state, error)
            else:
                turns.failed = error.code in modbus.BUSY
                await self._refused(unit, block, state, error)
        except errors.DeviceError as error:
            self._no_answer(turns, block, state, error)
            if state.health.failures == SILENT_AFTER and not unit.health.silent and isinstance(error, errors.Timeout):
                await self._explore(unit, block, state, silence=True)
        else:
            self._answered(unit, block, state)
            unit.tell(block, None, words)

    async def _read(self, unit: Unit, block: Block) -> list[int]:
        """One transaction. Raises DeviceError; LineDown and all others are told apart in the log."""
        loop = asyncio.get_running_loop()
        request = modbus.read(block.table, block.address, block.count)
        began = loop.time()
        try:
            answer = await self._bus.transact(unit.number, request, unit.answer_time.wait)
        except errors.LineDown:
            raise
        except errors.Refused:
            self._line_is_up()
            raise
        except errors.DeviceError:
            self._line_is_up()
            unit.answer_time.missed()
            self.lost_s += loop.time() - began
            raise
        finally:
            for number, latency in self._bus.late():
                if number in self.units:
                    self.units[number].answer_time.late(latency)
        self._line_is_up()
        unit.answer_time.answered(self._bus.latency)
        unit.memory.slowest = unit.answer_time.slowest
        return modbus.items(request, answer)

    def _answered(self, unit: Unit, block: Block, state: BlockState) -> None:
        if self._ward.answered(unit.health):
            self._log.info("answers again", **unit.where, silent_since=unit.since)
            for each in unit.blocks():
                each.health.ask_at = 0.0
        if self._ward.answered(state.health) or state.since:
            self._log.info("block answers again", **unit.where, **_place(block), failed_since=state.since)
        state.since = ""
        alone = Refused(table=block.table, address=block.address, count=block.count)
        if alone in unit.memory.refused and is_one(block):  # refused when it was asked alone, and given now
            unit.memory.refused.discard(alone)
            unit.learn()

    async def _refused(self, unit: Unit, block: Block, state: BlockState, error: modbus.ExceptionReply) -> None:
        """An exception is an answer: the unit lives, and the block costs next to nothing."""
        since = state.since
        state.since = ""
        self._answered(unit, block, state)
        state.since = since or _clock_time()
        if error.code in ILLEGAL and await self._explore(unit, block, state):
            return
        unit.tell(block, error.quality)
        if not since:
            self._log.warning("block refused", **unit.where, **_place(block), since=state.since, error=str(error))

    async def _explore(self, unit: Unit, block: Block, state: BlockState, *, silence: bool = False) -> bool:
        """Learns why several values together are refused, or not answered. True: their points were told meanwhile."""
        now = asyncio.get_running_loop().time()
        if is_one(block) or now < state.explore_at:
            return False
        state.explore_at = now + EXPLORE_AGAIN_S
        told: list[tuple[Block, str | None, Sequence[int]]] = []

        async def ask(part: Block) -> bool:
            try:
                told.append((part, None, await self._read(unit, part)))
            except modbus.ExceptionReply as error:
                if error.code not in ILLEGAL:
                    raise
                told.append((part, error.quality, ()))
            except errors.Timeout as error:
                if not silence:
                    raise
                told.append((part, error.quality, ()))
            return told[-1][1] is None

        try:
            lesson = await explore(block, ask)
        except errors.DeviceError:  # neither given nor refused: looked into again with the next failure
            state.explore_at = now
            return False
        if not lesson:
            return False
        for part, quality, words in told:
            if quality is None or is_one(part):
                unit.tell(part, quality, words)
        unit.memory.take(lesson)
        unit.learn()
        self._log.info("learned what a unit refuses", **unit.where, **_place(block), refused=_said(lesson.refused),
                       registers_at_once=lesson.block)  # fmt: skip
        return True

    def _no_answer(self, turns: Turns, block: Block, state: BlockState, error: errors.DeviceError) -> None:
        unit, now = turns.unit, asyncio.get_running_loop().time()
        turns.failed = True
        unit.tell(block, error.quality)
        was_silent = unit.health.silent
        if unit.health.failures == 0:
            unit.since = _clock_time()
        others = any(not each.health.silent for each in self.units.values() if each is not unit)
        others_here = others or (not unit.health.silent and len(unit.blocks()) > 1)
        # The block bears the debt: where it alone is silent, the unit's other blocks are asked as ever.
        block_silent = self._ward.failed(state.health, error, now, lost_s=self._bus.lasted, others_answer=others_here)
        became_silent = self._ward.failed(unit.health, error, now, lost_s=0.0, others_answer=others)
        # Answers carry no number: what it still says late must not be taken for the answer to the next request.
        unit.health.ask_at = max(unit.health.ask_at, now + unit.answer_time.wait)
        if became_silent:
            for each in unit.blocks():  # it is the unit's now, and no block's
                self._ward.answered(each.health)
            self._log.warning("no answer", **unit.where, since=unit.since, error=str(error))
        elif block_silent and not was_silent:
            state.since = state.since or _clock_time()
            self._log.warning("block without an answer", **unit.where, **_place(block), error=str(error))

    def _line_is_down(self, error: errors.DeviceError) -> None:
        if not self._down_since:
            self._down_since = _clock_time()
            self._log.error("bus down", bus=self._bus.name, since=self._down_since, error=str(error))

    def _line_is_up(self) -> None:
        if self._down_since:
            self._log.info("bus up again", bus=self._bus.name, down_since=self._down_since)
            self._down_since = ""


def _place(block: Block) -> dict[str, object]:
    return {"table": block.table, "address": block.address, "count": block.count}


def _said(refused: Iterable[Refused]) -> str:
    return ", ".join(f"{each.table} {each.address} to {each.address + each.count - 1}" for each in refused)


def _clock_time() -> str:
    return datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
