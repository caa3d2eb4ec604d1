"""Where panels stand on Grafana's screen."""

from dashboards import panels
from dashboards.panels import Json

WIDTH = 24  # Grafana's grid
HEIGHT = 8


def dashboard(name: str, title: str, sections: list[tuple[str, list[Json], bool]], variables: list[Json]) -> Json:
    """Grafana's JSON of a whole dashboard."""
    return {
        "uid": f"multipole-{name}",
        "title": title,
        "tags": ["multipole"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "panels": laid_out(sections),
    }


def sized(panel: Json, width: int, height: int) -> Json:
    """A panel with a size of its own."""
    return panel | {"gridPos": {"w": width, "h": height}}


def laid_out(sections: list[tuple[str, list[Json], bool]]) -> list[Json]:
    """Sections (title, panels, folded) -> panels with places and numbers; those of a folded row stand within it."""
    out: list[Json] = []
    count = y = 0
    for title, members, folded in sections:
        count += 1
        row = panels.row(title) | {"id": count, "collapsed": folded, "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}
        out.append(row)
        y += 1
        placed, below = _placed(members, y, count)
        count += len(placed)
        if folded:
            row["panels"] = placed
        else:
            out += placed
            y = below
    return out


def _placed(members: list[Json], y: int, count: int) -> tuple[list[Json], int]:
    """Panels from left to right, and the first free line below them. Three in a line where they state no size."""
    out: list[Json] = []
    x = line = 0
    for panel in members:
        size = panel.get("gridPos", {"w": WIDTH // 3, "h": HEIGHT})
        if x + size["w"] > WIDTH:
            x, y, line = 0, y + line, 0
        count += 1
        out.append(panel | {"id": count, "gridPos": {"x": x, "y": y, **size}})
        x, line = x + size["w"], max(line, size["h"])
    return out, y + line
