"""The picture in docs/load.md, drawn from a run: latencies over the rate.

pole fleet load --steps 250,500,1000,1500,2000,3000 --json > load.json
python -m pole.fleet.load_picture load.json docs/load.svg
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 690, 56, 360
LEAST_MS, MOST_MS = 0.1, 100_000.0  # the axis; above it stands what never came
LINES = (  # class, what, row, share
    ("stored", "stored, p99", "stored_ms", "p99"), ("stored half", "stored, p50", "stored_ms", "p50"),
    ("puback", "PUBACK, p99", "puback_ms", "p99"), ("puback half", "PUBACK, p50", "puback_ms", "p50"),
    ("late", "generator's own lateness, p99", "late_ms", "p99"),
)  # fmt: skip
STYLE = """
    text { font-size: 12px; fill: #7a8794 } .title { font-size: 15px; font-weight: 600 }
    .grid { stroke: #9aa7b4; stroke-opacity: 0.3 } polyline { fill: none; stroke-width: 2 }
    .stored { stroke: #2c7fb8 } .puback { stroke: #2f9e6e } .late { stroke: #9aa7b4 }
    polyline.half { stroke-dasharray: 6 4 } polyline.late { stroke-dasharray: 2 4 }
    circle { fill: #ffffff; stroke-width: 2 } .bad { stroke: #d0342c }
"""


def picture(outcome: dict[str, Any]) -> str:
    """The JSON of `pole fleet load` -> SVG."""
    rows = [row for row in outcome["stages"] if row["due"]]
    wanted = [line for line in LINES if outcome["confirm"] == "stored" or line[2] != "stored_ms"]
    most = max(row["rate"] for row in rows)
    drawn = [*_grid(rows, most), *(part for line in wanted for part in _line(line, rows, most)), *_labels(wanted, rows)]
    title = f"{outcome['nodes']} nodes, packs of {outcome['readings']} readings{', TLS' if outcome['tls'] else ''}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        " font-family=\"system-ui, 'Noto Sans', sans-serif\">",
        f"  <title>Latency over the rate: {escape(title)}</title>", f"  <style>{STYLE}  </style>",
        f'  <text class="title" x="10" y="24">{escape(title)}: ms from the moment when a pack was due</text>',
        *drawn, "</svg>", "",
    ])  # fmt: skip


def _grid(rows: list[dict[str, Any]], most: float) -> Iterator[str]:
    decades = range(round(math.log10(LEAST_MS)), round(math.log10(MOST_MS)) + 1)
    for power in decades:
        y = _y(10.0**power)
        yield f'  <line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'  <text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g}</text>'
    yield f'  <text x="{LEFT - 8}" y="{_y(None) + 4}" text-anchor="end">never</text>'
    for row in rows:
        yield f'  <text x="{_x(row["rate"], most)}" y="{BOTTOM + 20}" text-anchor="middle">{row["rate"]:g}</text>'
    yield f'  <text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 42}" text-anchor="middle">packs a second</text>'


def _line(line: tuple[str, str, str, str], rows: list[dict[str, Any]], most: float) -> Iterator[str]:
    kind, _, what, share = line
    places = [(_x(row["rate"], most), _y(row[what][share]), row["verdict"]) for row in rows]
    yield f'  <polyline class="{kind}" points="{" ".join(f"{x},{y}" for x, y, _ in places)}"/>'
    for x, y, verdict in places:
        yield f'  <circle class="{kind.split()[0] if verdict == "held" else "bad"}" cx="{x}" cy="{y}" r="3.5"/>'


def _labels(lines: list[tuple[str, str, str, str]], rows: list[dict[str, Any]]) -> Iterator[str]:
    # at the right, in the lines' order there, and apart from each other
    least = TOP - 20.0
    for y, text in sorted((_y(rows[-1][what][share]), text) for _, text, what, share in lines):
        least = max(y + 4, least + 15)
        yield f'  <text x="{RIGHT + 12}" y="{round(least, 1)}">{escape(text)}</text>'
    if any(row["verdict"] != "held" for row in rows):
        yield f'  <circle class="bad" cx="{RIGHT + 18}" cy="{BOTTOM + 38}" r="3.5"/>'
        yield f'  <text x="{RIGHT + 28}" y="{BOTTOM + 42}">not held, or not to be trusted</text>'


def _x(rate: float, most: float) -> float:
    return round(LEFT + 20 + (RIGHT - LEFT - 30) * rate / most, 1)


def _y(milliseconds: float | None) -> float:
    if milliseconds is None:
        return TOP - 12
    share = math.log10(max(LEAST_MS, min(MOST_MS, milliseconds)) / LEAST_MS) / math.log10(MOST_MS / LEAST_MS)
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(json.loads(Path(sys.argv[1]).read_text("utf-8"))), encoding="utf-8")
