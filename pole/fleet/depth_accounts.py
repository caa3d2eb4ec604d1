"""What the real nodes of a run have produced and still hold, read from their disks when they have ended."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pole.demo import reconciliation
from pole.demo.store import reading
from pole.fleet.depth_plan import Node
from simulators.fleet import ranges
from simulators.world.city_map import CityMap

Spans = list[list[int | None]]


def accounts(
    *, home: Path, store: Path, nodes: Sequence[Node], city: CityMap, state: Mapping[str, Any], off: Mapping[str, Spans]
) -> dict[str, Any]:
    """The content of depths.json (pole.fleet.depths). home: FOLDER/depths. state: what the wires said last.

    store: where it is a file that is there, packs that are in it are not pending.
    """
    return {
        "nodes": {
            node.name: {
                "kind": node.kind, "area": node.area, "poles": [city.names[index] for index in node.poles],
                **_held(home, node, store), "cut": state["cut"].get(node.name, []), "off": off[node.name],
            }
            for node in nodes
        },
        "devices": state["devices"], "left_out": state["left_out"], "dark": state["dark"],
    }  # fmt: skip


def _held(home: Path, node: Node, store: Path) -> dict[str, Any]:
    read = reconciliation.read_journal if node.kind == "controller" else reconciliation.read_spool
    spool = read(home / (node.name if node.kind == "controller" else f"{node.name}.db"))
    waiting = sorted(spool.kept.keys() - _stored(store, spool.epoch))
    pending: list[list[int]] = []
    for number in waiting:
        ranges.add(pending, number)
    return {
        "ep": spool.epoch, "head": spool.head, "readings": spool.readings,
        "stored": spool.head - len(waiting) - spool.dropped, "pending": pending,
        "pending_readings": sum(spool.kept[number] for number in waiting), "dropped": spool.dropped,
    }  # fmt: skip


def _stored(store: Path, epoch: str) -> set[int]:
    if not store.exists():
        return set()
    with reading(store) as db:
        try:
            return {number for (number,) in db.execute("SELECT number FROM packs WHERE epoch = ?", (epoch,))}
        except sqlite3.OperationalError:  # ingest has not written anything yet
            return set()
