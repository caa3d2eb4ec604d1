"""Devices that are asked, one task a device: a profile's poll groups and an Asker IN, readings OUT.

A device that does not answer is asked rarely; its points are told as not read, and no other device waits for it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from device_profiles import items
from device_profiles.items import Value
from device_profiles.schema import Command, Point, Profile
from device_profiles.site_model import Device
from gateway.driver import Counters, OnReadings, counted, noted
from gateway.told import SILENT_AFTER, Answer, Told
from protocols import errors
from wire.backoff import Backoff

ASK_S = 30.0  # an Asker bounds its own time; this is for one that does not
FAILURES_MOST = 2  # in a row: the other items of this round are not asked for any more
PROBE_FIRST_S, PROBE_MOST_S = 2.0, 60.0
WHETHER_IT_ANSWERS = ("reachable", "alive")  # items that are false, not unread, where a device is silent


class Asker(Protocol):
    """One protocol's way to ask. Each call takes bounded time and memory, whatever the device sends.

    one_by_one: each item is an exchange of its own, so that each is asked, and gets its time, by itself.
    """

    one_by_one: bool

    async def ask(self, address: str, names: Sequence[str]) -> Answer:
        """Item names -> what came. An item that the device does not have is absent, or a DeviceError.

        Raises errors.DeviceError where nothing came at all; but an asker whose items say whether the device answers
        gives that one as False and the others as the error.
        """
        ...

    async def tell(
        self, address: str, name: str, raw: int | float | bool | str | None, *, before: Callable[[], None]
    ) -> None:
        """Returns when the device took it. Raises errors.DeviceError.

        before() is called last before the command leaves, after all waiting; what it raises stops that.
        """
        ...

    async def close(self) -> None: ...


def _probes() -> Backoff:
    return Backoff(first=PROBE_FIRST_S, most=PROBE_MOST_S)


@dataclass(eq=False, kw_only=True)
class _Group:
    """A poll group of one device. It may fail while the device answers for others: they are asked on."""

    name: str
    due: float
    failures: int = 0  # in a row
    failed_at: float = 0.0  # the first of them
    answered_at: float = 0.0
    probe_at: float = 0.0
    quality: str = ""
    probes: Backoff = field(default_factory=_probes)

    def answered(self, now: float, told: Told, log: Any) -> None:
        if self.probe_at:
            log.info("group answers again", **told.where, group=self.name)
        self.failures, self.answered_at, self.probe_at = 0, now, 0.0
        self.probes.reset()

    def failed(self, error: errors.DeviceError, now: float, groups: Iterable["_Group"], told: Told, log: Any) -> bool:
        """True where that may be the whole device: no other group was answered since."""
        self.failures += 1
        self.quality = error.quality
        if self.failures == 1:
            self.failed_at = now
        if not any(each.answered_at > self.failed_at for each in groups):
            return True
        if self.failures >= SILENT_AFTER:
            if not self.probe_at:
                log.warning("group without an answer", **told.where, group=self.name, error=str(error))
            self.probe_at = now + self.probes.next()
        return False


class Polling:
    """missed: rounds that fell out because the device was slow."""

    def __init__(
        self,
        *,
        name: str,
        asker: Asker,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        on_readings: OnReadings,
        now_ms: Callable[[], int],
        log: Any,
    ) -> None:
        self.counters = Counters()
        self.missed = 0
        self._asker = asker
        self._profiles = profiles
        self._now_ms = now_ms
        self._log = log
        self._devices = [
            (device, Told(device=device, bus=name, profile=profiles[device.profile], on_readings=on_readings, log=log))
            for device in devices
        ]

    @property
    def figures(self) -> dict[str, float]:
        silent = sum(told.silent for _, told in self._devices)
        return {**counted(self.counters), "missed": self.missed, "silent": silent}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for device, told in self._devices:
                tasks.create_task(self._run_device(device, told), name=f"polling {device.id}")
        await asyncio.Event().wait()  # a bus without devices

    async def write(self, device: Device, command: Command, wanted: Value | None, in_time: Callable[[], None]) -> None:
        assert command.item is not None
        name = command.item.name
        raw = items.raw(command.item, wanted) if wanted is not None else None
        before, stopped = noted(in_time)
        try:
            await self._bounded(lambda: self._asker.tell(device.where, name, raw, before=before))
        except errors.DeviceError:
            if stopped:
                raise stopped[0] from None
            raise

    async def read(self, device: Device, point: str) -> Value:
        asked = self._profiles[device.profile].points[point]
        assert asked.item is not None
        name = asked.item.name
        answer = await self._bounded(lambda: self._asker.ask(device.where, [name]))
        raw = answer.get(name)
        if raw is None:
            raise errors.BadAnswer("length", f"the answer does not hold {name}")
        if isinstance(raw, errors.DeviceError):
            raise raw
        return items.value(asked, raw)

    async def close(self) -> None:
        await self._asker.close()

    async def _run_device(self, device: Device, told: Told) -> None:
        loop = asyncio.get_running_loop()
        plans = self._profiles[device.profile].polls
        groups = {name: _Group(name=name, due=loop.time()) for name in plans}
        probes = _probes()  # of the whole device
        probe_at = 0.0
        while True:
            group = min(groups.values(), key=lambda each: each.due)
            await asyncio.sleep(max(0.0, group.due - loop.time()))
            if group.failures and loop.time() < max(probe_at, group.probe_at):
                silent = [name for name, point in told.points_of(group.name).items() if not _says_whether(point)]
                told.missed(silent, group.quality, time_ms=self._now_ms(), now=loop.time())
            elif (error := await self._round(device, told, group.name)) is None:
                group.answered(loop.time(), told, self._log)
                probes.reset()
            elif group.failed(error, loop.time(), groups.values(), told, self._log) and told.failed(error):
                probe_at = loop.time() + probes.next()
            every = plans[group.name].every
            steps = max(1, int((loop.time() - group.due) / every))
            self.missed += steps - 1
            group.due += steps * every

    async def _round(self, device: Device, told: Told, group: str) -> errors.DeviceError | None:
        """Asks one group and tells what came of it; the error where nothing came."""
        points = told.points_of(group)
        names = list(dict.fromkeys(point.item.name for point in points.values() if point.item is not None))
        parts = [[name] for name in names] if self._asker.one_by_one else [names]
        last: errors.DeviceError | None = None
        in_a_row = answered = 0
        for part in parts:
            mine = [name for name, point in points.items() if point.item is not None and point.item.name in part]
            if last is not None and in_a_row == FAILURES_MOST:
                told.missed(mine, last.quality, time_ms=self._now_ms(), now=asyncio.get_running_loop().time())
                continue
            error = await self._ask(device, told, part, mine)
            in_a_row, answered = (0, answered + 1) if error is None else (in_a_row + 1, answered)
            last = error or last
        if last is not None and not answered:
            return last
        told.answered()
        return None

    async def _ask(
        self, device: Device, told: Told, names: Sequence[str], points: Sequence[str]
    ) -> errors.DeviceError | None:
        now = asyncio.get_running_loop().time
        try:
            answer = await self._bounded(lambda: self._asker.ask(device.where, names))
        except errors.DeviceError as error:
            told.missed(points, error.quality, time_ms=self._now_ms(), now=now())
            return error
        silence = _silence(answer)
        if silence is not None:
            self.counters.timeouts += 1
        told.tell(answer, points, time_ms=self._now_ms(), now=now(), whole=True)
        return silence

    async def _bounded(self, call: Callable[[], Any]) -> Any:
        """Counts, and turns whatever a library trips over in a device's bytes into a DeviceError."""
        self.counters.requests += 1
        try:
            async with asyncio.timeout(ASK_S):
                return await call()
        except (errors.Timeout, TimeoutError) as error:
            self.counters.timeouts += 1
            raise errors.Timeout(str(error) or "no answer") from None
        except errors.DeviceError:
            self.counters.errors += 1
            raise
        except Exception as error:  # a parser that meets bytes its author did not think of must not end the gateway
            self.counters.errors += 1
            raise errors.BadAnswer("noise", f"{type(error).__name__}: {error}") from error


def _says_whether(point: Point) -> bool:
    return point.item is not None and point.item.name in WHETHER_IT_ANSWERS


def _silence(answer: Answer) -> errors.DeviceError | None:
    """Why the device is silent, where its answer says that it is: in words, or because every item timed out."""
    wrong = [raw for raw in answer.values() if isinstance(raw, errors.Timeout | errors.BadAnswer)]
    if any(answer.get(name) is False for name in WHETHER_IT_ANSWERS):
        return next(iter(wrong), errors.Timeout("no answer"))
    return wrong[0] if wrong and len(wrong) == len(answer) else None
