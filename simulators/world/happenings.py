"""What began or ended at a step, in words: for the truth, and for people who watch the city."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.causes import FOREVER, Cause
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.fronts import Front
from simulators.world.present import Present

# kind -> what a scenario that says nothing itself is told with; {…} are the cause's own values
_BEGINS: dict[str, tuple[str, str]] = {
    "front": ("A front reaches the city", "锋面抵达城区"),
    "weather": ("Weather changes", "天气变化"),
    "crowd": ("Crowd of {people:.0f} gathers", "人群聚集约{people:.0f}人"),
    "traffic": ("Traffic changes to {factor:g} times", "车流变为{factor:g}倍"),
    "plume": ("Plume of {pollutant}", "{pollutant}污染羽流出现"),
    "outage": ("Power is out", "停电"),
    "sag": ("Voltage sags by {percent:g} %", "电压骤降{percent:g}%"),
    "offline": ("Network is down", "网络中断"),
    "rollout": ("Rollout of {version}", "推送版本{version}"),
    "rot": ("Sensors go wrong ({how})", "传感器异常（{how}）"),
    "clock": ("Clocks go wrong ({how})", "时钟异常（{how}）"),
    "cover": ("Cover opened", "井盖打开"),
    "hit": ("Pole hit", "灯杆被撞"),
    "sos": ("Emergency button pressed", "紧急求助按下"),
    "charging": ("Charging changes to {factor:g} times", "充电变为{factor:g}倍"),
    "lamps": ("Lamps ordered to {level:g} %", "路灯调至{level:g}%"),
}
_ENDS: dict[str, tuple[str, str]] = {
    "weather": ("Weather is back to normal", "天气恢复正常"),
    "crowd": ("Crowd has gone", "人群散去"),
    "traffic": ("Traffic is normal", "车流恢复正常"),
    "plume": ("Plume has ended", "污染羽流消散"),
    "outage": ("Power is back", "恢复供电"),
    "sag": ("Voltage is back", "电压恢复"),
    "offline": ("Network is back", "网络恢复"),
    "rollout": ("{version} is taken back", "回退版本{version}"),
    "rot": ("Sensors are right again", "传感器恢复"),
    "clock": ("Clocks are right again", "时钟恢复"),
    "cover": ("Cover closed", "井盖复位"),
    "hit": ("Pole is upright again", "灯杆扶正"),
    "sos": ("Emergency button released", "紧急求助解除"),
    "charging": ("Charging is normal", "充电恢复正常"),
    "lamps": ("Lamps follow their schedule", "路灯恢复计划"),
}
_EVERYWHERE: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Happening:
    """kind: of a cause, or dusk, dawn, flood (of a drain basin) or trip (of a pole's breaker); when it ends, with
    " over". poles: whom it meets now; empty where it is the whole city."""

    step: int
    kind: str
    en: str
    zh: str
    poles: IntArray


class News:
    """What the causes bring stands in a timetable; floods, trips and dusk are found by comparing two steps."""

    def __init__(self, *, present: Present, causes: Sequence[Cause], fronts: Sequence[Front]) -> None:
        self._present = present
        self._timetable: dict[int, list[tuple[str, str, str, IntArray]]] = {}
        for cause in causes:
            self._enter(cause)
        for front in fronts:
            self._add(front.leaves_s, "front over", ("The front has left", "锋面移出城区"), _EVERYWHERE)
        self._dark: bool | None = None
        self._floods: BoolArray = np.zeros(int(present.city.basin.max()) + 1, dtype=np.bool_)
        self._tripped: BoolArray = np.zeros(present.city.poles, dtype=np.bool_)
        self.now: list[Happening] = []

    def advance(self, dusk: BoolArray, floods: BoolArray, tripped: BoolArray) -> None:
        """dusk, tripped: by pole; floods: by basin."""
        told = self._timetable.get(self._present.second, [])
        found = [*told, *self._lights(dusk), *self._water(floods), *self._trips(tripped)]
        self.now = [
            Happening(step=self._present.step, kind=kind, en=en, zh=zh, poles=poles) for kind, en, zh, poles in found
        ]

    def _enter(self, cause: Cause) -> None:
        begin, end = cause.spans(self._present.city, self._present.seed)
        for second, poles in _moments(begin):
            said = (cause.en, cause.zh) if cause.en and second == begin.min() else _filled(_BEGINS, cause)
            self._add(second, cause.kind, said, poles)
        if cause.kind in _ENDS:
            for second, poles in _moments(end):
                self._add(second, f"{cause.kind} over", _filled(_ENDS, cause), poles)

    def _add(self, second: int, kind: str, words: tuple[str, str], poles: IntArray) -> None:
        whom = poles if len(poles) < self._present.city.poles else _EVERYWHERE
        self._timetable.setdefault(second, []).append((kind, *words, whom))

    def _lights(self, dusk: BoolArray) -> Iterator[tuple[str, str, str, IntArray]]:
        dark = bool(dusk.mean() >= 0.5)
        if self._dark is not None and dark != self._dark:
            words = ("dusk", "The lamps go on", "路灯亮起") if dark else ("dawn", "The lamps go off", "路灯熄灭")
            yield *words, _EVERYWHERE
        self._dark = dark

    def _water(self, floods: BoolArray) -> Iterator[tuple[str, str, str, IntArray]]:
        for basin in np.flatnonzero(floods != self._floods).tolist():
            poles = np.flatnonzero(self._present.city.basin == basin)
            if floods[basin]:
                yield "flood", f"Water stands in drain basin {basin}", f"排水分区{basin}积水", poles
            else:
                yield "flood over", f"Drain basin {basin} has drained", f"排水分区{basin}退水", poles
        self._floods = floods

    def _trips(self, tripped: BoolArray) -> Iterator[tuple[str, str, str, IntArray]]:
        on, off = np.flatnonzero(tripped & ~self._tripped), np.flatnonzero(self._tripped & ~tripped)
        if on.size:
            yield "trip", "Leakage: charger and screen are cut off", "漏电：充电桩与屏幕断电", on
        if off.size:
            yield "trip over", "No more leakage: charger and screen are back", "漏电消除：充电桩与屏幕恢复供电", off
        self._tripped = tripped


def _moments(seconds: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Each moment that is some pole's, with the poles whose it is."""
    for second in np.unique(seconds[seconds < FOREVER]).tolist():
        yield second, np.flatnonzero(seconds == second)


def _filled(words: dict[str, tuple[str, str]], cause: Cause) -> tuple[str, str]:
    en, zh = words[cause.kind]
    return en.format(**cause.values), zh.format(**cause.values)
