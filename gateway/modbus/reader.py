"""One read of a unit, and what its outcome says of the unit: its health, its plan, and what is told of its points."""

import asyncio
import datetime
from collections.abc import Iterable
from typing import Any

from device_profiles.blocks import Block, Refused
from gateway.modbus.bus import Bus
from gateway.modbus.exploring import Exploration, Lesson, is_one
from gateway.modbus.health import SILENT_AFTER, Health, Ward
from gateway.modbus.unit import BlockState, Turns, Unit
from protocols import errors, modbus

# Why a read of several values fails is looked into so rarely where nothing came of it.
EXPLORE_AGAIN_S = 600.0
# So rarely a unit's refused value that is given now is read with others again: it may come and go.
UNLEARN_S = 600.0
ILLEGAL = (2, 3)  # exceptions that speak of the registers asked for, and not of the device's state


class Reader:
    """lost_s: bus time spent on requests without an answer. down_since: since when the line is down, or nothing."""

    def __init__(self, *, bus: Bus, units: dict[int, Unit], dead_share: float, log: Any) -> None:
        self.lost_s = 0.0
        self.down_since = ""
        self._bus = bus
        self._units = units
        self._ward = Ward(dead_share)
        self._log = log

    async def read(self, turns: Turns, block: Block) -> bool:
        """One transaction: the block, or a part where it is being explored. True when the turn is through with it."""
        unit = turns.unit
        state = unit.block(block)
        asked = state.asked(block)
        try:
            words = await self._words(unit, asked)
        except errors.LineDown as error:
            turns.retry(_now())
            unit.tell(asked, error.quality)
            self._line_is_down(error)
            await asyncio.sleep(0)  # nothing was waited for: others have their turn
            return True
        except modbus.ExceptionReply as error:
            if error.code in modbus.NOBODY_THERE:
                return self._no_answer(turns, block, state, error)
            return self._refused(turns, block, state, error)
        except errors.DeviceError as error:
            return self._no_answer(turns, block, state, error)
        unit.tell(asked, None, words)
        return self._given(unit, block, state)

    async def _words(self, unit: Unit, block: Block) -> list[int]:
        """One transaction, and what it says of the line. Raises DeviceError."""
        request = modbus.read(block.table, block.address, block.count)
        try:
            answer = await self._bus.transact(unit.number, request, unit.answer_time.wait)
        except errors.LineDown:
            raise
        except errors.DeviceError:
            self._line_is_up()
            unit.spent.busy_s += self._bus.lasted
            raise
        finally:
            for number, latency in self._bus.late():
                if number in self._units:
                    self._units[number].answer_time.late(latency)
        self._line_is_up()
        unit.answer_time.answered(self._bus.latency)
        unit.memory.slowest = unit.answer_time.slowest
        unit.spent.busy_s += self._bus.lasted
        unit.spent.answers += 1
        unit.spent.latency_s += self._bus.latency
        return modbus.items(request, answer)

    def _given(self, unit: Unit, block: Block, state: BlockState) -> bool:
        self._lives(unit)
        if state.exploring is not None:
            return self._heard(unit, block, state, given=True)
        if self._ward.answered(state.health) or state.since:
            self._log.info("block answers again", **unit.where, **_place(block), failed_since=state.since)
        state.since = ""
        alone = Refused(table=block.table, address=block.address, count=block.count)
        if alone in unit.memory.refused and is_one(block) and _now() >= unit.unlearn_at:
            unit.unlearn_at = _now() + UNLEARN_S
            unit.memory.refused.discard(alone)
            unit.learn()
        return True

    def _refused(self, turns: Turns, block: Block, state: BlockState, error: modbus.ExceptionReply) -> bool:
        """An exception is an answer: the unit lives, and the block costs next to nothing."""
        unit, asked = turns.unit, state.asked(block)
        self._lives(unit)
        self._ward.answered(state.health)
        if error.code in ILLEGAL and self._explores(block, state, silence=False):
            return False
        if error.code in modbus.BUSY:
            turns.retry(_now())
        elif error.code not in ILLEGAL:
            state.exploring = None
        if state.exploring is None or is_one(asked) or error.code not in ILLEGAL:
            unit.tell(asked, error.quality)
            self._fails(unit, asked, unit.block(asked), "block refused", error)
        if state.exploring is not None and error.code in ILLEGAL:
            return self._heard(unit, block, state, given=False)
        return True

    def _no_answer(self, turns: Turns, block: Block, state: BlockState, error: errors.DeviceError) -> bool:
        unit = turns.unit
        unit.tell(state.asked(block), error.quality)
        unit.answer_time.missed()
        unit.spent.failures += 1
        unit.spent.lost_s += self._bus.lasted
        self.lost_s += self._bus.lasted
        if self._failed(unit, state.health, error):
            self._log.warning("no answer", **unit.where, since=unit.since, error=str(error))
        elif state.health.silent and not unit.health.silent:
            self._fails(unit, block, state, "block without an answer", error)
        turns.retry(max(unit.health.ask_at, state.health.ask_at))
        if not isinstance(error, errors.Timeout) or (state.exploring is not None and not state.exploring.silence):
            state.exploring = None
        elif state.exploring is not None:
            return self._heard(unit, block, state, given=False) or True
        elif state.health.failures >= SILENT_AFTER:
            self._explores(block, state, silence=True)
        return True

    def _failed(self, unit: Unit, block: Health, error: errors.DeviceError) -> bool:
        """True when the unit became silent. Where a block alone fails, the unit's others are asked as ever."""
        now, lost_s = _now(), self._bus.lasted
        others = any(not each.health.silent for each in self._units.values() if each is not unit)
        if unit.health.failures == 0:
            unit.since = clock_time()
        silent = unit.health.failures + 1 >= SILENT_AFTER
        if silent and not unit.health.silent:
            self._ward.take_over(unit.health, [each.health for each in unit.blocks()])
        others_here = others or (not silent and len(unit.blocks()) > 1)
        self._ward.failed(block, error, now, lost_s=0.0 if silent else lost_s, others_answer=others_here)
        return self._ward.failed(unit.health, error, now, lost_s=lost_s if silent else 0.0, others_answer=others)

    def _explores(self, block: Block, state: BlockState, *, silence: bool) -> bool:
        """Whether the block's parts are asked from now on."""
        if state.exploring is not None or is_one(block) or _now() < state.explore_at:
            return False
        state.exploring = Exploration(block, silence=silence)
        return True

    def _heard(self, unit: Unit, block: Block, state: BlockState, *, given: bool) -> bool:
        """Goes on with the exploration; True when it is over."""
        exploring = state.exploring
        assert exploring is not None
        exploring.heard(given)
        if exploring.asked is not None:
            return False
        state.exploring = None
        lesson = exploring.lesson
        if lesson:
            self._learn(unit, block, state, lesson)
        elif lesson.given:  # all of it, in the end
            self._ward.answered(state.health)
        else:
            state.explore_at = _now() + EXPLORE_AGAIN_S
        return True

    def _learn(self, unit: Unit, block: Block, state: BlockState, lesson: Lesson) -> None:
        self._ward.answered(state.health)
        state.since = ""
        unit.memory.take(lesson)
        unit.learn()
        self._log.info("learned what a unit refuses", **unit.where, **_place(block), refused=_said(lesson.refused),
                       registers_at_once=lesson.block)  # fmt: skip

    def _lives(self, unit: Unit) -> None:
        if self._ward.answered(unit.health):
            self._log.info("answers again", **unit.where, silent_since=unit.since)
            for each in unit.blocks():
                each.health.ask_at = 0.0

    def _fails(self, unit: Unit, block: Block, state: BlockState, what: str, error: errors.DeviceError) -> None:
        if not state.since:
            state.since = clock_time()
            self._log.warning(what, **unit.where, **_place(block), since=state.since, error=str(error))

    def _line_is_down(self, error: errors.DeviceError) -> None:
        if not self.down_since:
            self.down_since = clock_time()
            self._log.error("bus down", bus=self._bus.name, since=self.down_since, error=str(error))

    def _line_is_up(self) -> None:
        if self.down_since:
            self._log.info("bus up again", bus=self._bus.name, down_since=self.down_since)
            self.down_since = ""


def clock_time() -> str:
    return datetime.datetime.now().isoformat(sep=" ", timespec="seconds")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _place(block: Block) -> dict[str, object]:
    return {"table": block.table, "address": block.address, "count": block.count}


def _said(refused: Iterable[Refused]) -> str:
    return ", ".join(f"{each.table} {each.address} to {each.address + each.count - 1}" for each in refused)
