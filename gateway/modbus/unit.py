"""One unit of a bus while it is polled: its plan, its groups' turns, its health, and what it taught."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from device_profiles import registers
from device_profiles.blocks import Block, Key
from device_profiles.schema import Point
from device_profiles.unit_plan import Group, UnitPlan
from gateway.modbus.answer_time import AnswerTime
from gateway.modbus.exploring import Exploration
from gateway.modbus.health import Health
from gateway.modbus.learned import UnitMemory
from gateway.reading import Reading
from gateway.reports import SILENCE, Report

# Groups that fall due so soon, in parts of their period, are read together with the one whose turn it is.
TOGETHER = 0.05


@dataclass(eq=False, kw_only=True, slots=True)
class Turns:
    """A group's place in the schedule, and the reads of the turn that is under way."""

    unit: "Unit"
    group: Group
    at: float = 0.0
    due: float = 0.0  # the period's grid; `at` may be later
    planned: float = 0.0  # the period by the bus's plan, which may be longer than the group's
    read_at: float = 0.0  # 0: not yet, or the last turn failed
    again: float = math.inf  # when the turn is to be taken again, because a block failed
    reads: list[Block] = field(default_factory=list)  # what is left of the turn, last first
    company: tuple["Turns", ...] = ()  # the groups that are read in this turn, itself included
    leader: "Turns | None" = None  # in whose turn this group is read

    @property
    def event(self) -> bool:
        return self.group.event

    def retry(self, at: float) -> None:
        """A block was not read: the turn is taken again then, if it is not due before."""
        self.again = min(self.again, at)


@dataclass(eq=False, kw_only=True, slots=True)
class BlockState:
    """Whether one read of a unit answers. since: since when it is refused or fails, for the log."""

    health: Health = field(default_factory=Health)
    since: str = ""
    exploring: Exploration | None = None  # why it is refused
    explore_at: float = 0.0  # not before

    def asked(self, block: Block) -> Block:
        """What is asked of this block next: all, or a part of it where it is being explored."""
        return self.exploring.asked or block if self.exploring else block


@dataclass(slots=True)
class Spent:
    """What polling a unit took of the bus, and what came of it. lost_s: without answers; latency_s: of all answers."""

    busy_s: float = 0.0
    lost_s: float = 0.0
    failures: int = 0
    answers: int = 0
    latency_s: float = 0.0

    def copy(self) -> "Spent":
        return replace(self)

    def since(self, before: "Spent") -> "Spent":
        return Spent(
            self.busy_s - before.busy_s, self.lost_s - before.lost_s, self.failures - before.failures,
            self.answers - before.answers, self.latency_s - before.latency_s,
        )  # fmt: skip


class Unit:
    """where: pole, bus, unit and profile, for the log. plans: how often its plan changed."""

    def __init__(
        self,
        *,
        plan: UnitPlan,
        memory: UnitMemory,
        wait: float,
        where: dict[str, object],
        on_readings: Callable[[list[Reading], bool], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.number = plan.unit
        self.plan = plan
        self.memory = memory
        self.where = where
        self.health = Health()
        self.answer_time = AnswerTime(usual=wait, slowest=memory.slowest)
        self.turns = [Turns(unit=self, group=group) for group in plan.groups]
        self.since = ""
        self.spent = Spent()
        self.plans = 0
        self.unlearn_at = 0.0  # not before
        self._bounds = plan.limits
        self._blocks: dict[tuple[str, int, int], BlockState] = {}
        self._on_readings = on_readings
        self._now_ms = now_ms
        self._points: dict[Key, tuple[Point, Report]] = {}
        self._events = {value.key for group in plan.groups if group.event for value in group.values}
        points, polls = plan.profile.points, plan.profile.polls
        for group in plan.groups:
            for value in group.values:
                point = points[value.key[1]]
                report = Report(deadband=point.deadband, silence=polls[group.name].silence)
                self._points[value.key] = (point, report)
        self.learn()

    def learn(self) -> None:
        """The plan follows the memory."""
        self.plan.limit(self.memory.within(self._bounds))
        self.plans += 1

    def block(self, block: Block) -> BlockState:
        return self._blocks.setdefault((block.table, block.address, block.count), BlockState())

    def blocks(self) -> Sequence[BlockState]:
        return list(self._blocks.values())

    def begin(self, turns: Turns, now: float) -> None:
        """A turn of this group, with all others of the unit that are due."""
        turns.company = tuple(
            each for each in self.turns
            if each is turns or (each.leader is None and each.due <= now + TOGETHER * each.group.every)
        )  # fmt: skip
        turns.reads = list(self.plan.blocks(*(each.group for each in turns.company)))[::-1]
        turns.again = math.inf
        for each in turns.company:
            each.leader = turns

    def leave(self, turns: Turns) -> tuple[Turns, ...]:
        """The groups with events for which nothing more is read in this turn; the others go on without them."""
        events = tuple(each for each in turns.company if each.event)
        others = tuple(each for each in turns.company if not each.event)
        if not events or not others or any(part.key in self._events for part in turns.reads[-1].parts):
            return ()
        rest = others[0]
        rest.reads, rest.again, rest.company = turns.reads, turns.again, others
        for each in others:
            each.leader = rest
        return events

    def tell(self, block: Block, quality: str | None, words: Sequence[int] = ()) -> None:
        """Reports what is due of a block's points; words are None's place where quality says why there are none."""
        time_ms = self._now_ms()
        now = asyncio.get_running_loop().time()
        told: list[Reading] = []
        events: list[Reading] = []
        for part in block.parts:
            point, report = self._points[part.key]
            value: float | bool | None = None
            code = quality
            if quality is None:
                try:
                    value = registers.value(point, words[part.start : part.start + part.count])
                except registers.NoValue as reason:
                    code = str(reason)
            why = report.reason(now, value, code)
            if why is not None:
                reading = (part.key[0], part.key[1], time_ms, value, code)
                (events if point.event and why != SILENCE else told).append(reading)
        if events:
            self._on_readings(events, True)
        if told:
            self._on_readings(told, False)
