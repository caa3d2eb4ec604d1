"""The picture in docs/bench-ingest.md, drawn from a run.

pole bench ingest --telegraf PATH --json > ingest.json
python -m bench.ingest_picture ingest.json docs/bench-ingest.svg
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.bus_picture import Part, bars
from bench.ingest_packs import USUAL, named

ROOM = 0.95  # of the width, for the longest bar


def picture(result: dict[str, Any]) -> str:
    """The result of bench.ingest.run() -> SVG."""
    return bars([*_rates(result), *_costs(result), *_scale(result["scale"])], "What pole bench ingest measured")


def _rates(result: dict[str, Any]) -> Iterator[Part]:
    yield "title", "From the broker into the store: readings a second", "", 0, None
    most = max(row["readings_per_s"] for row in result["floods"])
    for row in result["floods"]:
        yield _kind(row), _label(row), f"{row['readings_per_s']:,}", ROOM * row["readings_per_s"] / most, None


def _costs(result: dict[str, Any]) -> Iterator[Part]:
    yield "title", "CPU of whoever carries them, µs a reading (mark: a third of Telegraf's)", "", 0, None
    most = max(row["cpu_us"]["ingest"] for row in result["floods"]) or 1  # too short to be seen
    of = {(row["name"], row["store"], row["mix"]): row["cpu_us"]["ingest"] for row in result["floods"]}
    for row in result["floods"]:
        spent = row["cpu_us"]["ingest"]
        theirs = of.get(("telegraf", row["store"], row["mix"])) if row["name"] == "ours" else None
        yield _kind(row), _label(row), f"{spent:.2f}", ROOM * spent / most, theirs and ROOM * theirs / 3 / most


def _scale(rows: list[dict[str, Any]]) -> Iterator[Part]:
    yield "title", "More poles: ingest's CPU, µs a reading", "", 0, None
    most = max(row["cpu_us"]["ingest"] for row in rows) or 1
    for row in rows:
        spent = row["cpu_us"]["ingest"]
        yield "ours", f"{row['poles']:,} poles, {row['store']}", f"{spent:.2f}", ROOM * spent / most, None


def _kind(row: dict[str, Any]) -> str:
    return "ours" if row["name"] == "ours" else "other"


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']}, {row['store']}" + ("" if row["mix"] == USUAL else f", {named(row['mix'])}")


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(json.loads(Path(sys.argv[1]).read_text("utf-8"))), encoding="utf-8")
