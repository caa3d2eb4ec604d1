"""Counts verdicts, and puts the bad ones into words."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pole.fleet.account import Fates
from pole.fleet.judge import Became, Found, Judged
from pole.fleet.judge_outcome import SHOWN, Example, Outcome, iso
from pole.fleet.judge_series import BOOL, CODE, CODED, TEXT, Group, Readings
from pole.fleet.judge_store import Codes, Stored
from simulators.world.arrays import BoolArray, IntArray


@dataclass(frozen=True, kw_only=True)
class GroupFate:
    """judge.Fate: what became of packs, for the readings of a group."""

    produced: Readings
    group: Group
    fates: Fates

    def why(self, absent: IntArray) -> NDArray[np.uint8]:
        row = self.produced.row[absent]
        became = self.fates.why(
            self.produced.pack_pole[row], self.produced.pack_number[row], self.produced.pack_step[row]
        )
        if self.fates.refusals:
            for index in np.flatnonzero(became == Became.LOST).tolist():
                if self.reason(int(absent[index])):
                    became[index] = Became.REFUSED
        return became

    def stored(self, readings: IntArray) -> BoolArray:
        row = self.produced.row[readings]
        return self.fates.stored(self.produced.pack_pole[row], self.produced.pack_number[row])

    def reason(self, reading: int) -> str:
        """Why it was refused; empty: it was not."""
        row = self.produced.row[reading]
        _, _, _, device, point = self.group.names[self.produced.key[reading] // CODED // 2]
        pole, number = int(self.produced.pack_pole[row]), int(self.produced.pack_number[row])
        return self.fates.refused(pole, number, device, point)


def tally(outcome: Outcome, fate: GroupFate, stored: Stored, judged: Judged, codes: Codes) -> None:
    outcome.produced += len(judged.became)
    counts = np.bincount(judged.became, minlength=len(Became))
    outcome.kinds.update({each.name.lower(): int(counts[each]) for each in Became})
    outcome.kinds["false"] += len(judged.false) + stored.strangers
    for reading in np.flatnonzero(judged.became == Became.REFUSED).tolist():
        outcome.reasons.setdefault("refused", Counter())[fate.reason(reading)] += 1
    waiting = fate.produced.pack_pole[fate.produced.row[judged.became == Became.PENDING]]
    for pole, count in zip(*(each.tolist() for each in np.unique(waiting, return_counts=True)), strict=True):
        outcome.reasons.setdefault("pending", Counter())[fate.fates.ends.get(pole, "up")] += count
    for kind in (Became.LOST, Became.WRONG, Became.MOVED):
        for reading in np.flatnonzero(judged.became == kind)[:SHOWN].tolist():
            outcome.add(kind.name.lower(), _bad(fate, stored.found, judged, reading, codes))
    for index in judged.false[:SHOWN].tolist():
        at = stored.found
        name = fate.group.names[at.key[index] // CODED // 2]
        found = _text(float(at.content[index]), int(at.kind[index]), codes)
        outcome.add("false", _example(name, int(at.key[index] % CODED), "nothing", found))
    for name, time_ms, value in stored.strange:
        function, area, *_ = name
        outcome.add("false", _example(name, time_ms, "nothing", f"{value} in {function}, area {area}"))


def _bad(fate: GroupFate, found: Found, judged: Judged, reading: int, codes: Codes) -> Example:
    produced = fate.produced
    key, at = int(produced.key[reading]), int(judged.match[reading])
    wanted = _text(float(produced.content[reading]), int(produced.kind[reading]), codes)
    row = produced.row[reading]
    if at < 0:
        ledger = fate.fates.ledger.have(produced.pack_pole[row : row + 1], produced.pack_number[row : row + 1])[0]
        said = f"nothing; pack {produced.pack_number[row]} is {'in' if ledger else 'not in'} the ledger"
    else:
        said = _text(float(found.content[at]), int(found.kind[at]), codes)
        if judged.became[reading] == Became.MOVED:
            late_ms = int(found.key[at]) - key
            said += f", {abs(late_ms)} ms {'later' if late_ms > 0 else 'earlier'}"
    return _example(fate.group.names[key // CODED // 2], key % int(CODED), wanted, said)


def _example(name: tuple[str, str, str, str, str], time_ms: int, wanted: str, found: str) -> Example:
    return Example(pole=name[2], device=name[3], point=name[4], time=iso(time_ms), wanted=wanted, found=found)


def _text(content: float, kind: int, codes: Codes) -> str:
    if kind == CODE:
        return f"quality {codes.texts[int(content)]}"
    if kind == BOOL:
        return "true" if content else "false"
    return "a text" if kind == TEXT else f"{content:.10g}"
