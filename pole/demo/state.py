"""Everything that the demo knows at one moment: what its view, its plain lines and its alarms are made of."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pole.demo.store import Latest, Stored

BACKLOG_PACKS = 60  # a healthy gateway has a few packs under way
ALARMS_IN_LINE = 4
STALE_S = 30.0  # quiet values are reported rarely, but in a whole city something always moves


@dataclass(kw_only=True)
class State:
    """running: part -> whether its process lives. status: node -> its last wire.messages.STATUS."""

    devices: int
    poles: int
    nodes: list[str]
    controllers: dict[str, str] = field(default_factory=dict)  # those of the nodes, each with its board and interpreter
    running: dict[str, bool] = field(default_factory=dict)
    broker_answers: bool = False
    status: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    stored: Stored = field(default_factory=Stored)
    rate: float = 0.0  # readings a second that reach the store
    kills: int = 0
    began: float = field(default_factory=time.monotonic)
    news: list[str] = field(default_factory=list)  # what happened last

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self.began

    @property
    def age_s(self) -> float | None:
        """Of the newest reading in the store."""
        return time.time() - self.stored.newest_ms / 1000 if self.stored.newest_ms else None

    @property
    def pending(self) -> dict[str, int]:
        """Node -> packs in its spool, as it last said."""
        return {node: int(self.status[node]["pending"]) for node in self.nodes if node in self.status}


def alarms(state: State) -> list[str]:
    """What is wrong with the system itself, a sentence each."""
    silent = [f"{device}: does not answer ({quality})" for device, quality in silent_devices(state)]
    return [*_parts(state), *_backlogs(state), *silent]


def events(state: State) -> list[str]:
    """What the city itself reports as urgent: an open cover, a pressed button."""
    texts = {"cover_open": "manhole cover open / 井盖打开", "sos_pressed": "SOS pressed / 一键报警"}
    return [
        f"{each.pole}: {texts[each.point]}"
        for each in state.stored.latest
        if each.point in texts and each.value and not _is_bad(each)
    ]


def silent_devices(state: State) -> Iterator[tuple[str, str]]:
    """("pole/device", quality) of each device of which no point has a good value as its newest."""
    devices: dict[str, list[Latest]] = {}
    for each in state.stored.latest:
        devices.setdefault(f"{each.pole}/{each.device}", []).append(each)
    for device, points in devices.items():
        if all(_is_bad(each) for each in points):
            yield device, points[0].quality or ""


def line(state: State) -> str:
    """One plain line about the present."""
    age = f"{state.age_s:.1f} s" if state.age_s is not None else "-"
    pending = ", ".join(f"{node} {packs}" for node, packs in state.pending.items()) or "-"
    text = (
        f"{state.seconds:5.0f} s  {state.stored.readings} readings stored, {state.rate:.0f} a second, newest {age} old;"
        f" packs in spools: {pending}; kills: {state.kills}"
    )
    found = alarms(state)
    more = f" and {len(found) - ALARMS_IN_LINE} more" if len(found) > ALARMS_IN_LINE else ""
    return f"{text}; alarms: {'; '.join(found[:ALARMS_IN_LINE])}{more}" if found else text


def _parts(state: State) -> Iterator[str]:
    for part, running in state.running.items():
        if not running:
            yield f"{part}: no process"
    if state.running.get("broker") and not state.broker_answers:
        yield "broker: does not answer yet"
    for node in state.nodes:
        if state.running.get(node) and node in state.status and not state.status[node]["online"]:
            yield f"{node}: not connected to the broker"


def _backlogs(state: State) -> Iterator[str]:
    for node, packs in state.pending.items():
        if packs > BACKLOG_PACKS:
            yield f"{node}: backlog of {packs} packs in its spool"
        dropped = sum(state.status[node]["dropped"].values())
        if dropped:
            yield f"{node}: has dropped {dropped} packs"
    if state.age_s is not None and state.age_s > STALE_S:
        yield f"newest reading in the store is {state.age_s:.0f} s old"


def _is_bad(each: Latest) -> bool:
    return each.quality_ms > each.time_ms
