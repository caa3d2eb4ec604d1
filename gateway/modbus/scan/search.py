"""Asks a line for all units, one after another, and says what the line itself has against it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from gateway.modbus.bus import Line
from gateway.modbus.scan.probe import LATE_S, REQUEST, TRIES, Found, Garbled, look, look_patiently
from protocols.errors import BadAnswer

GARBLED_RUN = 6  # units in a row that answer garbage: that is the line, not a device
NOISES_MOST = TRIES
LATE_TIMES = 2  # what a late unit is given, of what it needed
STRANGERS = (247, 199, 151)  # numbers that no installation has all of
STRANGERS_FROM = 8  # units asked for, from which it pays to ask these

FROM_EVERYBODY = (
    "bytes that are no frame come whatever unit is asked: wrong baud rate or parity, or the line is disturbed"
)
IGNORES_UNITS = "this device answers to every unit id: it is one device"


class Search:
    """trouble: why it ended before its time, or what else is worth saying; empty where there is nothing."""

    def __init__(
        self,
        *,
        line: Line,
        units: Sequence[int],
        wait: float,
        on_unit: Callable[[int], None],
        is_numbered: bool = False,
        request: bytes = REQUEST,
    ) -> None:
        """on_unit: told before each unit is asked. is_numbered: requests carry a number, so no answer is mistaken."""
        self.trouble = ""
        self._line = line
        self._units = units
        self._wait = wait
        self._on_unit = on_unit
        self._is_numbered = is_numbered
        self._request = request
        self._silent: deque[tuple[int, float]] = deque(maxlen=16)  # unit, when it was asked
        self._seen: set[int] = set()
        self._garbled = 0
        self._noises = 0

    async def everybody(self) -> AsyncIterator[Found | Garbled]:
        """As they are found. Whoever asks the line meanwhile does it between two of them. Raises LineDown."""
        for unit in self._units:
            if unit in self._seen:
                continue
            self._on_unit(unit)
            for found in self._new([*await self._ask(unit), *await self._late()]):
                yield found
            if self.trouble:
                return
        for found in self._new(await self._at_the_end()):
            yield found

    async def ignores_units(self) -> bool:
        """True for a device on the network that answers to any number."""
        if len(self._units) < STRANGERS_FROM:
            return False
        for unit in STRANGERS:
            try:
                if not isinstance(await look(self._line, unit, self._wait, self._request), Found):
                    return False
            except BadAnswer:
                return False
        return True

    def _new(self, outcomes: Sequence[Found | Garbled]) -> Iterator[Found | Garbled]:
        for outcome in outcomes:
            if outcome.unit not in self._seen:
                self._seen.add(outcome.unit)
                yield outcome

    async def _ask(self, unit: int) -> list[Found | Garbled]:
        asked = asyncio.get_running_loop().time()
        for _ in range(TRIES):
            try:
                outcome = await look(self._line, unit, self._wait, self._request)
                break
            except BadAnswer as error:
                if error.fault != "address":  # else somebody is late: the line tells who
                    self._noise(error)
        else:
            return []
        self._noises = 0
        self._count(outcome)
        if outcome is None:
            self._silent.append((unit, asked))
            return []
        if isinstance(outcome, Garbled) and outcome.is_stray:
            return [*await self._suspects(unit, asked)]
        if isinstance(outcome, Found) and not outcome.spoilt:
            return [outcome, *await self._linger()]
        return [*await self._suspects(unit, asked), outcome]

    async def _linger(self) -> list[Found]:
        """Before others are asked for much, or nobody any more: does one of those who were silent answer after all?"""
        now = asyncio.get_running_loop().time()
        if self._is_numbered or not self._silent or now - self._silent[-1][1] > LATE_S:
            return []
        found = await look_patiently(self._line, self._silent[-1][0], LATE_S, self._request)
        return [found] if found is not None else []

    async def _at_the_end(self) -> list[Found]:
        late = await self._linger()
        if self._silent and not self._is_numbered:
            await look_patiently(
                self._line, self._silent[-1][0], self._wait, self._request
            )  # the line tells of the exchange before
        return [*late, *await self._late()]

    async def _late(self) -> list[Found]:
        """Units whose answers came after their time."""
        late = {unit: seconds for unit, seconds in self._line.late() if unit not in self._seen}
        looked = [
            await look_patiently(self._line, unit, LATE_TIMES * seconds + self._wait, self._request)
            for unit, seconds in late.items()
        ]
        return [found for found in looked if found is not None]

    async def _suspects(self, unit: int, asked: float) -> list[Found]:
        """Whose answer may have run into this unit's: those that were silent a moment before."""
        suspects = [silent for silent, when in self._silent if asked - when < LATE_S and silent != unit]
        self._silent.clear()
        for suspect in reversed(suspects):
            found = await look_patiently(self._line, suspect, LATE_S, self._request)
            if found is not None:
                return [found]
        return []

    def _noise(self, error: BadAnswer) -> None:
        self._noises += 1
        if self._noises == NOISES_MOST:
            self.trouble = f"{error}: somebody speaks without being asked, or the line is disturbed"

    def _count(self, outcome: Found | Garbled | None) -> None:
        self._garbled = self._garbled + 1 if isinstance(outcome, Garbled) else 0
        if self._garbled == GARBLED_RUN:
            self.trouble = FROM_EVERYBODY
