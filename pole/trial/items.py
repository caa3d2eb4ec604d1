"""Asks, or hears, a device that is not a Modbus device for every point of a profile."""

import asyncio

from device_profiles import items
from device_profiles.items import Raw
from device_profiles.registers import NoValue
from device_profiles.schema import Profile
from gateway.asked.polling import ASK_S, FAILURES_MOST, Asker
from gateway.heard.hearing import Listener
from gateway.told import Answer
from pole.trial.outcome import Asked, Round, Shown
from protocols.errors import BadAnswer, DeviceError, LineDown, Timeout


class AskedTrial:
    """A device that is asked: dlt645, snmp, onvif, multivision, sip."""

    framing = ""

    def __init__(self, *, profile: Profile, asker: Asker, address: str) -> None:
        self._profile = profile
        self._asker = asker
        self._address = address

    async def round(self) -> Round:
        """Asks for every item once; what went wrong is in the outcome."""
        names = _names(self._profile)
        done = Round()
        answer: dict[str, Raw | DeviceError] = {}
        failed = 0
        for asked in [[name] for name in names] if self._asker.one_by_one else [names]:
            where = asked[0] if self._asker.one_by_one else self._address
            try:
                answer |= await self._ask(asked)
                done.asked.append(Asked(what=where))
                failed = 0
            except DeviceError as error:
                done.asked.append(Asked(what=where, error=error))
                failed += 1
                # of a device that is not there, the rest would cost time and tell nothing
                if failed == FAILURES_MOST or isinstance(error, LineDown):
                    break
        _show(self._profile, answer, done)
        return done

    async def _ask(self, names: list[str]) -> Answer:
        """Raises DeviceError, whatever a library trips over."""
        try:
            async with asyncio.timeout(ASK_S):
                return await self._asker.ask(self._address, names)
        except DeviceError:
            raise
        except TimeoutError:
            raise Timeout(f"no answer in {ASK_S:g} s") from None
        except Exception as error:  # a parser that meets bytes its author did not think of: that is the finding
            raise BadAnswer("noise", f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        await self._asker.close()


class HeardTrial:
    """A device that speaks by itself: hj212, ocpp, chirpstack. A round ends when all was heard, or its time is over."""

    framing = ""

    def __init__(self, *, profile: Profile, listener: Listener, address: str, wait: float) -> None:
        self._profile = profile
        self._listener = listener
        self._address = address
        self._wait = wait
        self._said: dict[str, object] = {}
        self._others: set[str] = set()
        self._complete = asyncio.Event()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def round(self) -> Round:
        """All that was heard so far; the first round waits until every item was."""
        if self._task is None:
            self._task = asyncio.create_task(self._listener.run(self._heard, _at_once), name="listener")
        waited = self._complete if not self._complete.is_set() else self._news
        try:
            async with asyncio.timeout(self._wait):
                await waited.wait()
        except TimeoutError:
            pass
        self._news.clear()
        done = Round()
        where = self._address or "any device"
        if not self._said:
            heard = f"; heard were {', '.join(sorted(self._others))}: --address" if self._others else ""
            done.asked.append(Asked(what=where, error=Timeout(f"nothing heard in {self._wait:g} s{heard}")))
            return done
        done.asked.append(Asked(what=where))
        _show(self._profile, self._said, done)  # type: ignore[arg-type]  # what it said by and by
        return done

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._listener.close()

    def _heard(self, address: str, answer: Answer, time_ms: int | None) -> None:
        self._address = self._address or address
        if address.lower() != self._address.lower():
            self._others.add(address[:64])
            return
        self._said |= answer
        self._news.set()
        if all(name in self._said for name in _names(self._profile)):
            self._complete.set()


async def _never_kept() -> None:
    """Nothing is kept here, so a device gets no confirmation: what it has not told a gateway, it tells again."""
    raise TimeoutError


def _names(profile: Profile) -> list[str]:
    return list(dict.fromkeys(point.item.name for point in profile.points.values() if point.item is not None))


def _show(profile: Profile, answer: Answer, done: Round) -> None:
    for name, point in profile.points.items():
        assert point.item is not None
        raw = answer.get(point.item.name)
        if raw is None:
            continue
        if isinstance(raw, DeviceError):
            done.shown[name] = Shown(point=name, raw="", value=None, quality=raw.quality, hints=(str(raw),))
            continue
        shown = raw.hex(" ") if isinstance(raw, bytes) else str(raw)
        try:
            done.shown[name] = Shown(point=name, raw=shown, value=items.value(point, raw))
        except NoValue as reason:
            bounds = f"out of range [{point.range[0]:g}, {point.range[1]:g}]" if point.range else "no number"
            done.shown[name] = Shown(point=name, raw=shown, value=None, quality=str(reason), hints=(bounds,))


async def _at_once() -> None:
    """Nothing is kept here, so nothing is waited for."""
