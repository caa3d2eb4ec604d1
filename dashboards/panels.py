"""Grafana's panels as JSON (schema version 39, Grafana 11)."""

from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "influxdb", "uid": "multipole"}
PROMETHEUS = {"type": "prometheus", "uid": "multipole-metrics"}  # what ingest tells of itself


def target(query: str, alias: str = "", *, table: bool = False) -> Json:
    """One query of a panel."""
    return {
        "datasource": DATASOURCE,
        "query": query,
        "rawQuery": True,
        "resultFormat": "table" if table else "time_series",
        "alias": alias,
    }


def measured(query: str, legend: str = "") -> Json:
    """One query of Prometheus."""
    return {"datasource": PROMETHEUS, "expr": query, "legendFormat": legend or "__auto", "range": True}


def graph(title: str, targets: list[Json], *, unit: str, gap_ms: float | None = None, stacked: bool = False) -> Json:
    """Lines over time, or stacked bars. Between two values further apart than gap_ms there is no line."""
    style: Json = {"drawStyle": "line", "lineWidth": 1, "showPoints": "auto", "insertNulls": gap_ms or False}
    if stacked:
        style = {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, targets, unit, options, custom=style)


def states(title: str, targets: list[Json], meanings: dict[str, str]) -> Json:
    """What state each device was in, over time. meanings: value as text -> what people read."""
    options = {"mergeValues": True, "showValue": "auto", "rowHeight": 0.8, "legend": {"showLegend": False}}
    panel = _panel("state-timeline", title, targets, "none", options, custom={"fillOpacity": 70})
    panel["fieldConfig"]["defaults"]["mappings"] = [
        {
            "type": "value",
            "options": {value: {"text": text, "index": index} for index, (value, text) in enumerate(meanings.items())},
        }
    ]
    return panel


def numbers(title: str, targets: list[Json], *, unit: str, calculation: str = "lastNotNull") -> Json:
    """Large numbers, one a series."""
    options = {
        "reduceOptions": {"calcs": [calculation], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
    }
    panel = _panel("stat", title, targets, unit, options)
    panel["fieldConfig"]["defaults"]["noValue"] = "0"
    return panel


def table(title: str, targets: list[Json], *, units: dict[str, str], joined_by: str | None = None) -> Json:
    """Rows and columns. units: name of a column -> Grafana's unit. joined_by: the column that all queries share."""
    panel = _panel("table", title, targets, "none", {"showHeader": True, "cellHeight": "sm"})
    panel["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, unit in units.items()
    ]
    if joined_by is not None:
        panel["transformations"] = [
            {"id": "joinByField", "options": {"byField": joined_by, "mode": "outer"}},
            {"id": "filterFieldsByName", "options": {"include": {"pattern": "^(?!Time).*$"}}},
        ]
    return panel


def row(title: str) -> Json:
    """A heading, under which panels fold."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def _panel(kind: str, title: str, targets: list[Json], unit: str, options: Json, *, custom: Json | None = None) -> Json:
    return {
        "type": kind,
        "title": title,
        "datasource": targets[0]["datasource"],
        "targets": [{"refId": _letters(index), **one} for index, one in enumerate(targets)],
        "fieldConfig": {"defaults": {"unit": unit, "custom": custom or {}}, "overrides": []},
        "options": options,
    }


def _letters(index: int) -> str:
    # A to Z, then AA, AB, … as Grafana names its queries
    tens, ones = divmod(index, 26)
    return (chr(ord("A") + tens - 1) if tens else "") + chr(ord("A") + ones)
