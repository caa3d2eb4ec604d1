"""Judges what gateways and controllers stored: each value by what its device held then, each pack by its number.

When a real node reads a device is its own affair, so nobody can say in advance which readings there will be. What can
be said: a value must be one that the device held when it was stamped (depth_truth states the tolerance), a series must
belong to a device that is there, and of the packs that a node numbered each must be stored, waiting, or counted as
given up. depths.json has the nodes' own account (pole.fleet.depths).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from device_profiles import loader
from gateway.birth import OWN_DEVICE
from ingest.ledger import missing
from ingest.rows import Packs, Row
from pole.fleet.account import AccountError
from pole.fleet.depth_truth import DepthTruth, Reading
from pole.fleet.judge_outcome import Example, Outcome, iso

FILE = "depths.json"
_BUS = "bus-"  # begins the name of a bus, which is a device of its gateway's pole


def judge_held(
    *, folder: Path, order: Mapping[str, Any], rows: Iterable[Row], ledger: Iterable[Packs], outcome: Outcome
) -> None:
    """rows: all of the poles of these nodes, by time. Raises AccountError, FileProblem."""
    told = _read(folder / FILE)
    try:
        truth = DepthTruth(order=order, folder=folder)
    except OSError as error:
        raise AccountError(f"{error.filename}: {error.strerror}. It is written beside the devices on wires") from error
    judge = _Judge(told, truth, outcome)
    for row in rows:
        judge.row(row)
    judge.silent()
    packs = {(each.node, each.epoch): each for each in ledger}
    for name, node in told["nodes"].items():
        _count(name, node, packs, judge.stored[name], outcome)


def poles(order: Mapping[str, Any]) -> list[str]:
    """Names of those that real nodes read."""
    return [f"P{pole + 1:05}" for pole in range(order["agents"] + order["wires"])]


def _read(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"nodes": dict(told["nodes"]), "devices": dict(told["devices"])}
    except OSError as error:
        raise AccountError(
            f"{path}: {error.strerror}. It is written when the gateways and agents have ended"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise AccountError(f"{path} is damaged: {type(error).__name__} {error}") from error


class _Judge:
    """stored: rows by node."""

    def __init__(self, told: Mapping[str, Any], truth: DepthTruth, outcome: Outcome) -> None:
        self.stored: Counter[str] = Counter()
        self._truth = truth
        self._outcome = outcome
        self._nodes: dict[str, Any] = told["nodes"]
        self._node_of = {pole: name for name, node in self._nodes.items() for pole in node["poles"]}
        self._devices: dict[str, Any] = told["devices"]
        self._heard: set[str] = set()

    def row(self, row: Row) -> None:
        """One that is stored."""
        function, area, pole, device, point, time_ms, value, quality = row
        name = f"{pole}/{device}"
        self.stored[self._node_of[pole]] += 1
        self._heard.add(name)
        strange = self._strange(function, area, pole, device, point)
        if strange:
            found = f"{value if quality is None else quality} {strange}"
            self._bad("false", row, wanted="nothing", found=found)
        elif value is None:
            self._outcome.held["told"] += 1
        elif name not in self._devices or not self._truth.knows(name, point):
            self._outcome.held["unjudged"] += 1
        else:
            reading = Reading(time_ms=time_ms, device=name, point=point, value=value)
            wrong = next(iter(self._truth.wrong([reading])), None)
            if wrong is None:
                self._outcome.held["right"] += 1
            else:
                self._bad("wrong", row, wanted=" or ".join(sorted(map(_text, wrong.held))), found=_text(value))

    def silent(self) -> None:
        """A note where nothing at all came of a device."""
        silent = sorted(self._devices.keys() - self._heard)
        if silent:
            more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
            self._outcome.notes.append(f"No reading is stored of {', '.join(silent[:5])}{more}.")

    def _strange(self, function: str, area: str, pole: str, device: str, point: str) -> str:
        """What is wrong with a series; empty: nothing."""
        node = self._node_of[pole]
        if area != self._nodes[node]["area"]:
            return f"in area {area}"
        known = self._devices.get(f"{pole}/{device}")
        if known is None:
            own = device in (OWN_DEVICE, node) or device.startswith(_BUS)
            return "" if own and pole == self._nodes[node]["poles"][0] else "of a device that is not there"
        profile = loader.profiles()[known["profile"]]
        if point not in profile.points:
            return f"of a point that {profile.profile} does not have"
        return "" if profile.function_of(point) == function else f"in {function}"

    def _bad(self, kind: str, row: Row, *, wanted: str, found: str) -> None:
        self._outcome.held[kind] += 1
        _, _, pole, device, point, time_ms, *_ = row
        example = Example(pole=pole, device=device, point=point, time=iso(time_ms), wanted=wanted, found=found)
        self._outcome.add(kind, example)


def _count(
    name: str, node: Mapping[str, Any], packs: Mapping[tuple[str, str], Packs], rows: int, outcome: Outcome
) -> None:
    """Packs and readings by number: the node's own count against the ledger, and the ledger against the rows."""
    held = packs.get((name, node["ep"])) or Packs(node["area"], name, node["ep"], [], 0, 0, 0)
    outcome.faults += [
        f"{name}: packs of epoch {epoch} in the ledger, which the node does not have"
        for other, epoch in packs
        if other == name and epoch != node["ep"]
    ]
    if held.ranges and held.ranges[-1][1] > node["head"]:
        outcome.faults.append(f"{name}: pack {held.ranges[-1][1]} in the ledger, and the node numbered {node['head']}")
    gone = missing(held.ranges, node["head"])
    waiting = sum(1 for number in _numbers(node["pending"]) if not _has(held.ranges, number))
    lost = gone - waiting - node["dropped"]
    readings = max(0, node["readings"] - held.readings - held.refused)  # that never came to the store
    pending = min(readings, node["pending_readings"]) if waiting else 0
    outcome.held["pending"] += pending
    outcome.held["refused"] += held.refused
    outcome.held["lost" if lost > 0 else "dropped"] += readings - pending
    if lost > 0:
        outcome.faults.append(f"{name}: {lost} of its {node['head']} packs are neither stored, pending nor dropped")
    if rows > held.readings:
        outcome.faults.append(f"{name}: {rows} readings are stored, and its packs had {held.readings}")
    # A device that keeps what nobody acknowledged tells it again to a gateway that was killed before its answer.
    outcome.held["repeated" if node["off"] else "lost"] += max(0, held.readings - rows)


def _numbers(ranges: Iterable[Iterable[int]]) -> Iterator[int]:
    return (number for first, last in ranges for number in range(first, last + 1))


def _has(ranges: Iterable[Iterable[int]], number: int) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)
