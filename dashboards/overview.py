"""The overview of the city: how readings flow, the poles, and each function of theirs."""

from collections.abc import Mapping

from dashboards import functions, grid, influxql, panels, points, units
from dashboards.panels import Json, target
from dashboards.points import Shown
from device_profiles.schema import Profile
from wire.packs import QUALITIES

SWITCH = {"true": "yes 是", "false": "no 否"}
EACH_DEVICE = "$tag_pole $tag_device"

# How fast a total grows: unit -> (in what time, Grafana's unit); all others in a minute.
SPEEDS = {"B": ("1s", "Bps")}


def overview(profiles: Mapping[str, Profile]) -> Json:
    """The dashboard, as Grafana's JSON."""
    shown = points.by_function(profiles)
    sections = [
        ("City 全市", city(shown), False),
        ("From pole to database 数据链路", pipeline(), False),
        ("Readings without a value 无效读数", quality(), False),
        *(
            (functions.both(functions.LABELS[name]), [_point(one) for one in found], True)
            for name, found in shown.items()
        ),
    ]
    variables = [
        _variable("area", "Area 区域", influxql.EVERY_AREA),
        _variable("pole", "Pole 灯杆", influxql.EVERY_POLE),
    ]
    return grid.dashboard("overview", "Multipole overview 多功能杆总览", sections, variables)


def city(shown: Mapping[str, list[Shown]]) -> list[Json]:
    """Large numbers, and one row a pole with the headline of each function."""
    heads = [points.headline(found) for found in shown.values()]
    reporting = [
        target(influxql.poles(head.function, head.name), functions.both(functions.LABELS[head.function]))
        for head in heads
    ]
    names = {_column(head): units.grafana(head.unit) for head in heads}
    latest = [target(influxql.latest(head.function, head.name, _column(head)), table=True) for head in heads]
    return [
        grid.sized(
            panels.numbers("Readings stored 入库读数", [target(influxql.rate())], unit="cps", calculation="mean"), 6, 4
        ),
        grid.sized(panels.numbers("Packs stored 入库数据包", [target(influxql.packs())], unit="none"), 6, 4),
        grid.sized(panels.numbers("Age when stored, 95 % 入库时延", [target(influxql.age(95))], unit="ms"), 6, 4),
        grid.sized(
            panels.numbers("Readings without a value 无效读数", [target(influxql.qualities())], unit="none"), 6, 4
        ),
        grid.sized(panels.numbers("Poles that report 上报灯杆数", reporting, unit="none"), grid.WIDTH, 5),
        grid.sized(panels.table("Poles 灯杆", latest, units=names, joined_by="pole"), grid.WIDTH, 10),
    ]


def pipeline() -> list[Json]:
    """How packs of the nodes arrive."""
    ages = [target(influxql.age_over_time(share), f"{share} %") for share in (50, 95, 99)]
    by_node = "$tag_node"
    return [
        panels.graph("Readings stored by node 各节点入库读数", [target(influxql.rate_of_nodes(), by_node)], unit="cps"),
        panels.graph("Packs stored by node 各节点入库数据包", [target(influxql.packs_of_nodes(), by_node)], unit="cpm"),
        panels.graph("Age of readings when stored 入库时延", ages, unit="ms"),
        panels.graph(
            "Readings refused 被拒绝读数", [target(influxql.refused_of_nodes(), by_node)], unit="none", stacked=True
        ),
    ]


def quality() -> list[Json]:
    """Why readings have no value, and which points have none."""
    reasons = [target(influxql.qualities_of(code), code) for code in QUALITIES]
    reasons.append(target(influxql.qualities_of("/^exception-/"), "exception"))
    latest = target(influxql.latest_qualities(), table=True)
    return [
        grid.sized(panels.graph("By reason 按原因", reasons, unit="none", stacked=True), grid.WIDTH // 2, grid.HEIGHT),
        grid.sized(
            panels.table("Latest of each point 各测点最近原因", [latest], units={}), grid.WIDTH // 2, grid.HEIGHT
        ),
    ]


def _point(point: Shown) -> Json:
    panel = _graph(point) if point.kind == "number" else _states(point)
    return panel | {"description": f"{point.function}.{point.name} ({', '.join(point.profiles)})"}


def _states(point: Shown) -> Json:
    query = influxql.values(point.function, point.name, "last")
    meanings = SWITCH if point.kind == "bool" else point.meanings
    return panels.states(functions.both(point.labels), [target(query, EACH_DEVICE)], meanings)


def _graph(point: Shown) -> Json:
    if point.total:
        time, unit = SPEEDS.get(point.unit, ("1m", "cpm"))
        query = influxql.growth(point.function, point.name, time)
    else:
        query, unit = influxql.values(point.function, point.name, "mean"), units.grafana(point.unit)
    # A device that works says something within its silence; twice that means that it does not.
    gap_ms = 2000 * point.silence_s
    return panels.graph(functions.both(point.labels), [target(query, EACH_DEVICE)], unit=unit, gap_ms=gap_ms)


def _title(function: str) -> str:
    return functions.both(functions.LABELS[function])


def _column(point: Shown) -> str:
    return f"{_title(point.function)}: {functions.both(point.labels)}"


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": panels.DATASOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,  # when the time range changes: new poles appear
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",  # instead of a list of every pole of the city in each query
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
