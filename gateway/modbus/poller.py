"""Polls the devices of one bus: profiles and a Bus IN, readings OUT.

Which group goes next stands in `schedule`, what one read brings in `blocks` of device_profiles, who is asked rarely
because he does not answer in `health`, what an answer says of its unit in `reader`, and what devices teach about
themselves in `exploring` and `learned`. One block is one transaction: whoever is more urgent goes between two blocks,
and a block that fails costs its own points alone.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device_profiles import bus_time
from device_profiles.schema import Profile
from device_profiles.unit_plan import Device, unit_plans
from gateway.modbus.bus import Bus
from gateway.modbus.learned import Learned
from gateway.modbus.reader import Reader
from gateway.modbus.schedule import Schedule
from gateway.modbus.unit import Turns, Unit
from gateway.reading import Reading

# A turn that failed is taken again no sooner, where the group's period is longer.
RETRY_S = 5.0


def answer_wait(profile: Profile) -> float:
    """Seconds that a device of this profile is given to answer."""
    return bus_time.answer_wait(profile.modbus.latency if profile.modbus else 0.0)


class Poller:
    """missed: turns that fell out because the bus was busy. lost_s: bus time spent on requests without an answer.

    wanted_s, planned_s, actual_s: the periods of all turns so far, as the profiles, the bus's plan, and the bus had
    them.
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
        self.wanted_s = 0.0
        self.planned_s = 0.0
        self.actual_s = 0.0
        self._bus = bus
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

        self._reader = Reader(bus=bus, units=self.units, dead_share=dead_share, log=log)

    @property
    def is_down(self) -> bool:
        """Whether there is no port, or no connection."""
        return bool(self._reader.down_since)

    @property
    def lost_s(self) -> float:
        return self._reader.lost_s

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
        if failing is not None:
            unit.tell(state.asked(block), failing.quality)
            turns.retry(failing.ask_at)
            await asyncio.sleep(0)  # nothing was waited for: others of the process have their turn
        elif now < (free_at := self._bus.free_at(unit.number)):  # it may still be answering: others go first
            self._schedule.put(given, free_at)
            return
        elif not await self._reader.read(turns, block):
            return
        turns.reads.pop()
        self._finish(turns.company if not turns.reads else unit.leave(turns), turns.again)

    def _finish(self, through: Sequence[Turns], again: float) -> None:
        """The turns of these groups are over. again: when they are to be taken again because something failed."""
        now = asyncio.get_running_loop().time()
        again = max(now + RETRY_S, again)
        for each in through:
            each.leader = None
            self.missed += max(0, int((now - each.due) / each.group.every))
            self.wanted_s += each.group.every if each.read_at else 0.0
            self.planned_s += max(each.planned, each.group.every) if each.read_at else 0.0
            self.actual_s += now - each.read_at if each.read_at else 0.0
            due = max(each.due + each.group.every, now)
            each.read_at = now if due <= again else 0.0  # a turn that is taken again is no measure of the period
            each.due = min(due, again)
            self._schedule.put(each, each.due)
