"""A scan of one port from its first rate to its last: what was found is there at any moment, for who stops it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from device_profiles import fingerprint
from device_profiles.fingerprint import Verdict
from device_profiles.schema import Profile
from device_profiles.site_buses import SerialBus, TcpBus
from gateway import drivers
from gateway.modbus.bus import Line
from gateway.modbus.scan import listening, probe, search
from gateway.modbus.scan.examine import Examination
from gateway.modbus.scan.probe import Found, Garbled
from pole.bus_meter import Meter, find_meter
from pole.bus_port import settings
from protocols.errors import LineDown

PATIENCE = 3  # times what the unit needed for its first answer
EXAMINED_S = 3.0  # an examination at 9600 baud, about

ASKS_METER = "asking for a DL/T 645 meter"
NO_METER = "no DL/T 645 meter says its number: there is none, or more than one"

Way = SerialBus | TcpBus


@dataclass(frozen=True, kw_only=True)
class Present:
    """One unit that answers. notes: what is wrong with how it does."""

    way: Way
    unit: int
    seconds: float
    refusal: int | None
    verdict: Verdict
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """What it is, as far as its answers tell."""
        if self.verdict.candidates or self.refusal is None:
            return "; ".join((self.verdict.sentence(), *self.notes))
        return "; ".join(
            (f"answers, but refuses what is asked (exception {self.refusal}): no profile fits", *self.notes)
        )


class Show(Protocol):
    """Where progress goes."""

    def way(self, way: Way) -> None: ...
    def unit(self, unit: int) -> None: ...
    def examining(self, unit: int) -> None: ...
    def present(self, present: Present) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(kw_only=True)
class Survey:
    """presents, garbled, meters and notes grow while it runs; is_whole once it came to its end."""

    ways: Sequence[Way]
    units: Sequence[int]
    wait: float | None
    dlt645: bool
    show: Show
    requests: Sequence[bytes] = (probe.REQUEST,)
    profiles: Mapping[str, Profile]
    presents: list[Present] = field(default_factory=list)
    garbled: list[tuple[Way, Garbled]] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_whole: bool = False

    def expected_seconds(self) -> float:
        """Without what is found: that takes EXAMINED_S each."""
        once = (probe.expected_seconds(drivers.line(way), len(self.units), self._wait(way)) for way in self.ways)
        return len(self.requests) * sum(once)

    async def run(self) -> None:
        """Raises LineDown."""
        for way in self.ways:
            self.show.way(way)
            await self._scan(way)
        if self.dlt645 and isinstance(self.ways[0], SerialBus):
            self.show.note(ASKS_METER)
            self.meters.extend(await find_meter(self.ways[0].port, self.profiles))
            if not self.meters:
                self._note(NO_METER)
            for meter in self.meters:
                self.show.note(f"DL/T 645 at {meter.baud} 8E1, {meter.address}: {meter.sentence()}")
        self.is_whole = True

    async def _scan(self, way: Way) -> None:
        if isinstance(way, SerialBus):
            assert way.line is not None
            heard = await listening.listen(port=way.port, settings=way.line, unit=self.units[0])
            self._note(*heard.sentences())
        line = drivers.line(way)
        try:
            hunt = self._search(way, line, self.units)
            if isinstance(way, TcpBus) and await hunt.ignores_units():
                self._note(search.IGNORES_UNITS)
                hunt = self._search(way, line, self.units[:1])
                await self._everybody(way, line, hunt)
                return
            for request in self.requests:
                if not await self._everybody(way, line, self._search(way, line, self._asked(way), request)):
                    return
        finally:
            await line.close()

    async def _everybody(self, way: Way, line: Line, hunt: search.Search) -> bool:
        """False where the line is no good for more."""
        async for outcome in hunt.everybody():
            await self._take(way, line, outcome)
        if hunt.trouble:
            self._note(hunt.trouble)
        return not hunt.trouble

    def _search(self, way: Way, line: Line, units: Sequence[int], request: bytes = probe.REQUEST) -> search.Search:
        is_numbered = isinstance(way, TcpBus) and way.framing == "tcp"
        return search.Search(
            line=line,
            units=units,
            wait=self._wait(way),
            on_unit=self.show.unit,
            is_numbered=is_numbered,
            request=request,
        )

    async def _take(self, way: Way, line: Line, outcome: Found | Garbled) -> None:
        if isinstance(outcome, Garbled):
            self.garbled.append((way, outcome))
            self.show.note(garbled_sentence(outcome))
            return
        self.show.examining(outcome.unit)
        wait = max(self._wait(way), PATIENCE * outcome.seconds)
        examination = Examination(line=line, unit=outcome.unit, wait=wait, settings=way.line)
        try:
            seen = await examination.run(self.profiles)
        except (asyncio.CancelledError, LineDown):
            self._note(f"{settings(way)}, unit {outcome.unit} answers; the scan ended before it was recognised")
            raise
        present = Present(
            way=way, unit=outcome.unit, seconds=outcome.seconds, refusal=outcome.refusal,
            verdict=fingerprint.rank(self.profiles, seen),
            notes=_notes(outcome, examination),
        )  # fmt: skip
        self.presents.append(present)
        self.show.present(present)

    def _asked(self, way: Way) -> list[int]:
        """Who is not known yet. A device that answers with one stop bit also does with two: it is not told twice."""
        same = [way]
        if isinstance(way, SerialBus) and way.stop_bits == 2:
            same.append(way.model_copy(update={"stop_bits": 1}))
        known = {each.unit for each in self.presents if each.way in same}
        known |= {each.unit for other, each in self.garbled if other == way}
        return [unit for unit in self.units if unit not in known]

    def _wait(self, way: Way) -> float:
        if self.wait is not None:
            return self.wait
        return probe.usual_wait(way.line, way.framing if isinstance(way, TcpBus) else "rtu")

    def _note(self, *texts: str) -> None:
        for text in texts:
            self.notes.append(text)
            self.show.note(text)


def _notes(found: Found, examination: Examination) -> tuple[str, ...]:
    spoilt, asked = examination.spoilt + found.spoilt, examination.asked + found.spoilt + 1
    notes = []
    if found.is_late:
        notes.append(f"answers late, after {found.seconds:.1f} s: give its profile a latency, or look for a fault")
    if spoilt:
        notes.append(f"{spoilt} of {asked} answers were spoilt: two devices with this unit, or a disturbed line")
    return tuple(notes)


def garbled_sentence(garbled: Garbled) -> str:
    """Why something answers and cannot be understood."""
    return (
        f"unit {garbled.unit}: something answers, but never with a right frame ({garbled.detail}): two devices with "
        "this unit, or one with another baud rate or parity"
    )
