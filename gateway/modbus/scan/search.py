"""Asks a line for all units, one after another, and says what the line itself has against it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from gateway.modbus.bus import Line
from gateway.modbus.scan.probe import LATE_S, Found, Garbled, look, look_patiently
from protocols.errors import BadAnswer

GARBLED_RUN = 6  # units in a row that answer garbage: that is the line, not a device
NOISES_MOST = 2
STRANGERS = (247, 199, 151)  # numbers that no installation has all of
STRANGERS_FROM = 8  # units asked for, from which it pays to ask these

FROM_EVERYBODY = (
    "bytes that are no frame come whatever unit is asked: wrong baud rate or parity, or the line is disturbed"
)
IGNORES_UNITS = "this device answers to every unit id: it is one device"


class Search:
    """trouble: why it ended before its time, or what else is worth saying; empty where there is nothing."""

    def __init__(self, *, line: Line, units: Sequence[int], wait: float, on_unit: Callable[[int], None]) -> None:
        """on_unit: told before each unit is asked."""
        self.trouble = ""
        self._line = line
        self._units = units
        self._wait = wait
        self._on_unit = on_unit
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
            for found in await self._ask(unit):
                self._seen.add(found.unit)
                yield found
            if self.trouble:
                return

    async def ignores_units(self) -> bool:
        """True for a device on the network that answers to any number."""
        if len(self._units) < STRANGERS_FROM:
            return False
        for unit in STRANGERS:
            try:
                if not isinstance(await look(self._line, unit, self._wait), Found):
                    return False
            except BadAnswer:
                return False
        return True

    async def _ask(self, unit: int) -> list[Found | Garbled]:
        asked = asyncio.get_running_loop().time()
        try:
            outcome = await look(self._line, unit, self._wait)
        except BadAnswer as error:
            if error.fault != "address":
                self._noise(error)
                return []
            return [*await self._late(unit, asked), *await self._again(unit)]
        self._noises = 0
        self._count(outcome)
        if outcome is None:
            self._silent.append((unit, asked))
            return []
        if isinstance(outcome, Garbled) and outcome.is_stray:
            return [*await self._late(unit, asked)]
        is_clean = isinstance(outcome, Found) and not outcome.spoilt
        return [outcome] if is_clean else [*await self._late(unit, asked), outcome]

    async def _again(self, unit: int) -> list[Found | Garbled]:
        """After somebody else spoke in its turn."""
        try:
            outcome = await look(self._line, unit, self._wait)
        except BadAnswer as error:
            self._noise(error)
            return []
        return [outcome] if outcome is not None else []

    async def _late(self, unit: int, asked: float) -> list[Found]:
        """Whose late answer it may be that came in this unit's turn: those that were silent a moment before."""
        suspects = [silent for silent, when in self._silent if asked - when < LATE_S and silent != unit]
        self._silent.clear()
        for suspect in reversed(suspects):
            found = await look_patiently(self._line, suspect, LATE_S)
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
