"""The picture in docs/bench.md, drawn from a run.

pole bench bus --json > bus.json
python -m bench.bus_picture bus.json docs/bench-bus.svg
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, BARS, ROW, GAP = 860, 300, 440, 22, 46
STYLE = """
    text { font-size: 13px; fill: #7a8794 }
    .title { font-size: 15px; font-weight: 600 }
    .ours { fill: #2c7fb8 } .other { fill: #9aa7b4 } .wanted { stroke: #c2620a; stroke-width: 2 }
"""


def picture(result: dict[str, Any]) -> str:
    """The result of bench.bus.run() -> SVG."""
    parts = [
        *_saturation(result["saturation"]),
        *(part for row in result["planned"] if row["mix"] in ("demo pole", "meters") for part in _ways(row)),
        *_faults(result["dead"] + result["flaky"]),
    ]
    return bars(parts, "What pole bench bus measured")


Part = tuple[str, str, str, float, float | None]  # class, label, figure, share of the width, where the mark stands


def bars(parts: Iterable[Part], title: str) -> str:
    """Parts one below the other -> SVG. A part of class "title" is a heading."""
    out, top = [], 10
    for part in parts:
        top += GAP if part[0] == "title" else ROW
        out.append(_drawn(top, *part))
    height = top + ROW
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            " font-family=\"system-ui, 'Noto Sans', sans-serif\">",
            f"  <title>{escape(title)}</title>",
            f"  <style>{STYLE}  </style>",
            *out,
            "</svg>",
            "",
        ]
    )


def _saturation(rows: Iterable[dict[str, Any]]) -> Iterator[Part]:
    yield "title", "A saturated bus: time that the wire needs / time that goes by (mark: what is wanted)", "", 0, None
    for row in rows:
        device = "profiles' latency" if row["latency_ms"] is None else f"{row['latency_ms']:g} ms latency"
        label = f"{row['mix']}, {row['baud']} baud, {device}"
        yield "ours", label, f"{100 * row['share']:.1f} %", row["share"], row["wanted"]


def _ways(row: dict[str, Any]) -> Iterator[Part]:
    yield "title", f"Bus time a reading: {row['mix']}, {row['baud']} baud, ms", "", 0, None
    spent = row["ms_a_reading"]
    for way, took in spent.items():
        yield "ours" if way == "ours" else "other", way, f"{took:.1f}", took / max(spent.values()), None


def _faults(rows: Iterable[dict[str, Any]]) -> Iterator[Part]:
    yield "title", "One device of 16 is ill: how much longer the others' periods become (mark: 5 %)", "", 0, None
    for row in rows:
        growth = row["others_period"]
        yield "ours", row["fault"], f"{100 * growth:+.1f} %", max(0.0, growth) * 5, 0.25


def _drawn(top: int, kind: str, label: str, figure: str, share: float, mark: float | None) -> str:
    if kind == "title":
        return f'  <text class="title" x="10" y="{top}">{escape(label)}</text>'
    width = round(BARS * min(1.0, share), 1)
    lines = [
        f'  <text x="{LEFT - 8}" y="{top}" text-anchor="end">{escape(label)}</text>',
        f'  <rect class="{kind}" x="{LEFT}" y="{top - 12}" width="{width}" height="15" rx="2"/>',
        f'  <text x="{LEFT + BARS + 10}" y="{top}">{figure}</text>',
    ]
    if mark is not None:
        at = round(LEFT + BARS * mark, 1)
        lines.append(f'  <line class="wanted" x1="{at}" x2="{at}" y1="{top - 14}" y2="{top + 5}"/>')
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(json.loads(Path(sys.argv[1]).read_text("utf-8"))), encoding="utf-8")
