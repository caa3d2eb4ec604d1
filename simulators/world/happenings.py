"""What began or ended at a step, in words: for the truth, and for people who watch the city."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.causes import FOREVER, Cause
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.effects import Effect
from simulators.world.fronts import Front
from simulators.world.present import STEP_S, Present

# kind -> what it is called when it begins and when it ends, English and Chinese; {…} are the cause's own values
_WORDS = {
    "front": (("Front of rain and wind reaches the city", "锋面抵达城区"), ("Front has left", "锋面移出城区")),
    "weather": (("Weather changes", "天气变化"), ("Weather is back to normal", "天气恢复正常")),
    "crowd": (("Crowd of {people:.0f} gathers", "人群聚集约{people:.0f}人"), ("Crowd leaves", "人群散去")),
    "traffic": (("Traffic changes to {factor:g} times", "车流变为{factor:g}倍"), ("Traffic is normal", "车流恢复正常")),
    "plume": (("Plume of {pollutant}", "{pollutant}污染羽流出现"), ("Plume has ended", "污染羽流消散")),
    "outage": (("Power is out", "停电"), ("Power is back", "恢复供电")),
    "sag": (("Voltage sags by {percent:g} %", "电压骤降{percent:g}%"), ("Voltage is back", "电压恢复")),
    "offline": (("Network cell is down", "网络中断"), ("Network cell is back", "网络恢复")),
    "rollout": (("Rollout of {version}", "开始推送版本{version}"), ("Version {version} is taken back", "回退版本{version}")),
    "rot": (("Sensors go wrong ({how})", "传感器异常（{how}）"), ("Sensors are right again", "传感器恢复")),
    "clock": (("Clocks go wrong ({how})", "时钟异常（{how}）"), ("Clocks are right again", "时钟恢复")),
    "cover": (("Cover opened", "井盖打开"), ("Cover closed", "井盖复位")),
    "hit": (("Pole hit", "灯杆被撞"), ("Pole is upright again", "灯杆扶正")),
    "sos": (("Emergency button pressed", "紧急求助按下"), ("Emergency button released", "紧急求助解除")),
    "charging": (("Charging changes to {factor:g} times", "充电变为{factor:g}倍"), ("Charging is normal", "充电恢复正常")),
    "lamps": (("Lamps ordered to {level:g} %", "路灯调至{level:g}%"), ("Lamps follow their schedule", "路灯恢复计划")),
}  # fmt: skip
_NOBODY: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Happening:
    """kind: a cause's with " begins" or " ends", dusk, dawn, flood begins, flood ends, trip begins, trip ends.
    poles: whom it meets; empty where it is the whole city."""

    step: int
    kind: str
    en: str
    zh: str
    poles: IntArray


class News:
    """Compares each step with the one before."""

    def __init__(self, *, present: Present, causes: Sequence[Cause], fronts: Sequence[Front]) -> None:
        self._present = present
        self._effects = [Effect(cause=cause, city=present.city, seed=present.seed) for cause in causes]
        self._dark: bool | None = None
        self._floods: BoolArray = np.zeros(int(present.city.basin.max()) + 1, dtype=np.bool_)
        self._tripped: BoolArray = np.zeros(present.city.poles, dtype=np.bool_)
        self.now: list[Happening] = []

    def advance(self, dusk: BoolArray, floods: BoolArray, tripped: BoolArray) -> None:
        """dusk, tripped: by pole; floods: by basin."""
        self.now = [*self._causes(), *self._lights(dusk), *self._water(floods), *self._trips(tripped)]

    def _causes(self) -> Iterator[Happening]:
        second = self._present.second
        for effect in self._effects:
            for times, word, number in ((effect.begin, "begins", 0), (effect.end, "ends", 1)):
                if second < FOREVER and (poles := np.flatnonzero(times == second)).size:
                    values = dict(effect.cause.values)
                    en, zh = (text.format(**values) for text in _WORDS[effect.cause.kind][number])
                    yield self._happening(f"{effect.cause.kind} {word}", en, zh, poles)

    def _lights(self, dusk: BoolArray) -> Iterator[Happening]:
        dark = bool(dusk.mean() >= 0.5)
        if self._dark is not None and dark != self._dark:
            kind, en, zh = ("dusk", "Lamps go on", "路灯亮起") if dark else ("dawn", "Lamps go off", "路灯熄灭")
            yield self._happening(kind, en, zh, _NOBODY)
        self._dark = dark

    def _water(self, floods: BoolArray) -> Iterator[Happening]:
        for basin in np.flatnonzero(floods != self._floods).tolist():
            poles = np.flatnonzero(self._present.city.basin == basin)
            if floods[basin]:
                yield self._happening("flood begins", f"Drain basin {basin} floods", f"排水分区{basin}积水", poles)
            else:
                yield self._happening("flood ends", f"Drain basin {basin} has drained", f"排水分区{basin}退水", poles)
        self._floods = floods

    def _trips(self, tripped: BoolArray) -> Iterator[Happening]:
        on, off = np.flatnonzero(tripped & ~self._tripped), np.flatnonzero(self._tripped & ~tripped)
        if on.size:
            yield self._happening(
                "trip begins", "Leakage: charger and screen switched off", "漏电：充电桩与屏幕断电", on
            )
        if off.size:
            yield self._happening("trip ends", "Leakage has gone: switched on again", "漏电消除，恢复供电", off)
        self._tripped = tripped

    def _happening(self, kind: str, en: str, zh: str, poles: IntArray) -> Happening:
        return Happening(step=self._present.second // STEP_S, kind=kind, en=en, zh=zh, poles=poles)
