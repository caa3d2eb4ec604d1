"""The devices of some poles that have the same columns: the world's quantities IN, whole numbers of each column OUT.

wanted (the world)  ->  lag  ->  gain, offset, drift, noise  ->  the device's steps within its range  ->  rot

A value follows from seed, pole, device, point and step alone (and, where a device is slow, from when it was read
before), never from the table that the column stands in: whoever senses a pole at the same steps finds the same.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from device_profiles.schema import Profile
from simulators.causes import STEP_S
from simulators.sensing.columns import Column
from simulators.sensing.rot import TIMEOUT, Qualities, Rot, Spell, takes
from simulators.sensing.scale import Scales, scale
from simulators.sensing.source import UPTIME, Source, Surroundings
from simulators.sensing.sources import source, usual
from simulators.world.arrays import FloatArray, IntArray
from simulators.world.noise import normal

_POLE = 1 << 32  # a sensor's number: its pole's, and behind it what its device and point are
_STEPS_A_DAY = 86400 / STEP_S


class Instruments:
    """poles, every (steps between two readings): by row."""

    def __init__(
        self,
        *,
        seed: int,
        poles: IntArray,
        columns: Sequence[Column],
        profiles: Mapping[str, Profile],
        every: IntArray,
        rots: Sequence[Spell],
    ) -> None:
        self._seed = seed
        self._poles = poles
        self._every = every
        self._sources = [_source(profiles[column.profile], column.point) for column in columns]
        self._scales = Scales([scale(profiles[column.profile].points[column.point]) for column in columns])
        self._points = np.array(
            [zlib.crc32(f"{each.device}/{each.point}".encode()) for each in columns], dtype=np.int64
        )
        self._names = sorted({name for each in self._sources for name in each.needs} - {UPTIME})
        self._usual = np.array([each.usual for each in self._sources])
        self._inexact = self._where("is_inexact")
        self._turning = self._where("wraps")
        self._rots = list(self._rotting(rots, columns))
        self._prepare_errors()
        self._prepare_lag()

    def sense(self, world: Surroundings, rows: IntArray, uptime_s: FloatArray) -> tuple[IntArray, Qualities]:
        """raw[r, c], and quality[r, c] (0: good, else 1 + index in wire.packs.QUALITIES).

        uptime_s: by row of `rows`. A raw of the quality `range` is what the device says nevertheless.
        """
        poles, step = self._poles[rows], world.step
        held = {name: world.quantity(name, poles) for name in self._names} | {UPTIME: uptime_s}
        sensors = poles[:, None] * _POLE + self._points
        values = self._erred(self._slowed(self._wanted(held, len(rows)), rows, step), rows, sensors, step)
        count = self._scales.counts(values)
        for column in self._turning.tolist():  # 360 degrees are 0
            count[:, column] %= round(360.0 / self._scales.step[column])
        quality = np.zeros(values.shape, dtype=np.uint8)
        for rot in self._rots:
            rot.spoil(
                rows=rows, poles=poles, sensors=sensors, every=self._every[rows], values=values, count=count,
                quality=quality, step=step,
            )  # fmt: skip
        self._fall_silent(held, quality)
        return self._scales.raw(count), quality

    def _where(self, trait: str) -> IntArray:
        return np.array([c for c, each in enumerate(self._sources) if getattr(each, trait)], dtype=np.int64)

    def _prepare_errors(self) -> None:
        """Of each sensor, for ever: what it makes of its quantity."""
        sources = [self._sources[c] for c in self._inexact.tolist()]
        sensors = self._poles[:, None] * _POLE + self._points[self._inexact]
        self._noise = np.array([each.noise for each in sources])
        self._gain, self._offset, self._drift = (
            (normal(self._seed, name, sensors) * np.array([getattr(each, name) for each in sources])).astype(np.float32)
            for name in ("gain", "offset", "drift")
        )

    def _prepare_lag(self) -> None:
        self._slow = self._where("lag_s")
        self._lag = np.array([self._sources[c].lag_s for c in self._slow.tolist()])
        self._felt = np.zeros((len(self._poles), len(self._slow)))
        self._last = np.full(len(self._poles), -1, dtype=np.int32)  # step of the last reading

    def _rotting(self, spells: Sequence[Spell], columns: Sequence[Column]) -> list[Rot]:
        every = np.arange(len(columns))
        measured, answers = np.isin(every, self._inexact), np.isin(every, self._where("answers"))
        span = np.where(self._scales.span > 0, self._scales.span, np.maximum(np.abs(self._usual), 1.0))
        taken = [(spell, takes(spell.cause, columns, measured)) for spell in spells]
        return [
            Rot(
                spell=spell, seed=self._seed, columns=own, scales=self._scales, span=span[own], answers=answers[own],
                rows=len(self._poles),
            )
            for spell, own in taken
            if own.size
        ]  # fmt: skip

    def _wanted(self, held: Mapping[str, FloatArray], count: int) -> FloatArray:
        out = np.tile(self._usual, (count, 1))
        for column, each in enumerate(self._sources):
            if each.quantities:
                out[:, column] = each.of(*(held[name] for name in each.quantities))
        return out

    def _slowed(self, wanted: FloatArray, rows: IntArray, step: int) -> FloatArray:
        """First order: what a slow sensor feels follows from what it felt at its last reading."""
        if self._slow.size:
            last = self._last[rows]
            since = np.where(last < 0, np.inf, (step - last) * float(STEP_S))
            felt = self._felt[rows]
            felt += (wanted[:, self._slow] - felt) * -np.expm1(-since[:, None] / self._lag)
            self._felt[rows] = wanted[:, self._slow] = felt
        self._last[rows] = step
        return wanted

    def _erred(self, values: FloatArray, rows: IntArray, sensors: IntArray, step: int) -> FloatArray:
        own = self._inexact
        if own.size:
            felt = values[:, own]
            felt += felt * self._gain[rows] + self._offset[rows] + self._drift[rows] * (step / _STEPS_A_DAY)
            felt += normal(self._seed, "noise", sensors[:, own], step) * self._noise
            values[:, own] = felt
        return values

    def _fall_silent(self, held: Mapping[str, FloatArray], quality: Qualities) -> None:
        for column, each in enumerate(self._sources):
            if each.alive:
                quality[held[each.alive] < 0.5, column] = TIMEOUT


def _source(profile: Profile, point: str) -> Source:
    return source(profile, point) or Source(usual=usual(profile, point))
