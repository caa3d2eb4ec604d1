"""The account of a chaos run: what the nodes made against what the store gives back, reading by reading."""

import json
from pathlib import Path
from typing import Any

from bench.ingest_chaos_nodes import Node, Nodes, is_bad
from bench.ingest_stores import DATABASE, Influx1, Sqlite
from ingest.store_url import open_store
from ingest.suspects import REASON
from pole.demo.store import reading
from simulators.load.packs import AREA

_Points = dict[tuple[int, str], float]  # by (ms, point)


async def account(nodes: Nodes, store: Influx1 | Sqlite, letters: Path) -> dict[str, Any]:
    """letters: ingest's file of dead letters.

    lost: readings made and not there; false: there and never made; wrong: with another value. twice: numbers that stand
    in the ledger more than once. letters_false: refused, and nothing was wrong with it. Of what workers die of all is
    among the dead letters, and nothing in the store.
    """
    found = {"lost": 0, "wrong": 0, "false": 0}
    for node in nodes.nodes:
        made, there = _made(nodes, node), _there(store, node)
        found["lost"] += len(made.keys() - there.keys())
        found["false"] += len(there.keys() - made.keys())
        found["wrong"] += sum(there[key] != value for key, value in made.items() if key in there)
    ledger = open_store(store.url)
    try:
        stored = {pack.node: pack.ranges for pack in await ledger.packs() if pack.area == AREA}
    finally:
        await ledger.close()
    wanted = {node.name: [[1, node.head]] for node in nodes.nodes if node.head}
    lines = sum(_count(store, node) for node in nodes.nodes)
    bad = sum(is_bad(number) for node in nodes.nodes for number in range(1, node.head + 1))
    poison = sum(len(node.poison) for node in nodes.nodes)
    kept, crashes, others = _letters(letters)
    out: dict[str, Any] = {
        **found,
        "nodes_with_gaps": sum(stored.get(name) != ranges for name, ranges in wanted.items()),
        "twice": lines - sum(node.head for node in nodes.nodes),
        "letters_missing": max(0, bad - kept) + max(0, poison - crashes),
        "letters_false": max(0, kept - bad) + max(0, crashes - poison) + others,
    }
    return {**out, "kept": not any(out.values()), "dead_letters": bad + poison}


def _made(nodes: Nodes, node: Node) -> _Points:
    return {
        (nodes.time_ms(number), record["n"]): float(record["v"])
        for number in range(1, node.head + 1)
        if number not in node.poison
        for record in json.loads(nodes.payload(node, number))[is_bad(number) :]
    }


def _there(store: Influx1 | Sqlite, node: Node) -> _Points:
    if isinstance(store, Sqlite):
        with reading(store.file) as db:
            rows = db.execute("SELECT time, point, value FROM readings WHERE pole = ?", (node.name,))
            return {(time_ms, point): value for time_ms, point, value in rows}
    points: _Points = {}
    for row in _rows(store, f"SELECT * FROM air WHERE pole = '{node.name}'"):
        for name, value in row.items():
            if isinstance(value, int | float) and name != "time":
                points[row["time"], name] = float(value)
    return points


def _count(store: Influx1 | Sqlite, node: Node) -> int:
    if isinstance(store, Sqlite):
        with reading(store.file) as db:
            return int(db.execute("SELECT count(*) FROM packs WHERE node = ?", (node.name,)).fetchone()[0])
    return sum(row["count"] for row in _rows(store, f"SELECT count(readings) FROM pack WHERE node = '{node.name}'"))


def _letters(file: Path) -> tuple[int, int, int]:
    """(records that are bad, packs that workers died of, others): refusals that are kept."""
    if not file.exists():
        return 0, 0, 0
    with reading(file) as db:
        rows = db.execute("SELECT reason, record, count(*) FROM refusals GROUP BY reason, record").fetchall()
    counts = {(reason, record): count for reason, record, count in rows}
    bad, crashes = counts.pop(("range", 0), 0), counts.pop((REASON, -1), 0)
    return bad, crashes, sum(counts.values())


def _rows(store: Influx1, query: str) -> list[dict[str, Any]]:
    answer = json.loads(store.request("/query", {"q": query, "db": DATABASE, "epoch": "ms"}))
    result = answer["results"][0]
    if "error" in result:
        raise RuntimeError(f"{query}: {result['error']}")
    return [
        dict(zip(series["columns"], row, strict=True))
        for series in result.get("series", [])
        for row in series["values"]
    ]
