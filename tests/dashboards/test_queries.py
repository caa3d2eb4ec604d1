"""Every query of the overview against a real InfluxDB: what emulated devices held, by way of packs and ingest."""

import asyncio
import re
from dataclasses import dataclass, field

import pytest

from dashboards import influxql
from dashboards.overview import overview
from device_profiles import loader
from device_profiles.announcement import announced
from device_profiles.site_model import Site
from gateway.birth import own_devices
from ingest.accept import accept
from ingest.influx_store import influx1 as influx1_store
from ingest.registry import Registry
from pole.broker import free_port
from simulators.city import AREA, GATEWAYS, PLACES, City
from simulators.device import EmulatedDevice, now_ms
from wire import messages, packs

EPOCH = "9f3c21aa"
CONTROLLER = "ctl-1"  # a node of which only what it counts of itself is told
NODES = (*GATEWAYS, CONTROLLER)
STEP_MS = 20_000  # of the readings, and of the queries: each interval of a graph has one reading
STEPS = 30
SINCE_MS = (now_ms() // STEP_MS - STEPS) * STEP_MS
CODES = (*packs.QUALITIES, "exception-2")
# What Grafana escapes in the format `regex`.
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
# All (whose value Grafana does not escape), two poles that have every function between them, and one pole.
CHOICES = {"all": (".*", ".*"), "two poles": (["wuhou"], ["P0001", "P0002"]), "one pole": (["wuhou"], ["P0007"])}


@dataclass
class Filled:
    """What went into the database: (device, point, time_ms) -> value, and how many readings were taken and refused."""

    devices: dict
    values: dict = field(default_factory=dict)
    stored: int = 0
    refused: int = 0


def one_of_each(city):
    """A device of every profile, so that every panel has something to show: site entries, and what they hold."""
    told = [profile for profile in loader.profiles().values() if profile.protocol != "gateway"]
    entries = [
        {"pole": "P0002", "device": f"each-{index}", "profile": profile.profile, "bus": "rs485-4", "unit": 100 + index}
        for index, profile in enumerate(told)
    ]
    made = [
        EmulatedDevice(profile=profile, pole="P0002", name=f"each-{index}", seed=7)
        for index, profile in enumerate(told)
    ]
    return entries, city.devices | {device.name: device for device in made}


def selves(site, node):
    """What a node tells of itself."""
    return [("P0002", CONTROLLER, "controller")] if node == CONTROLLER else own_devices(site, node)


def taken(devices, site, node, time_ms, step):
    """The readings of one node at one instant: devices, itself and its buses, and one that could not be taken."""
    names = [device.id for device in site.devices_of(node) if device.id in devices]  # a controller's lamp is its own
    readings = [
        (name, point, time_ms, value, None)
        for name in names
        for point in devices[name].points
        for value in devices[name].held(point, time_ms)
    ]
    readings += [
        (f"{pole}/{own}", point, time_ms, 100 + 7 * step, None)
        for pole, own, profile in selves(site, node)
        for point in loader.profile(profile).points
    ]
    if node in GATEWAYS:
        readings.append((f"{GATEWAYS[node]}/meter-1", "voltage", time_ms + 1, None, CODES[step % len(CODES)]))
        readings.append((f"{GATEWAYS[node]}/meter-1", "no_such_point", time_ms, 1, None))
    return readings


async def fill(influx1, folder):
    store = influx1_store(server=influx1.url, database=influx1.database, credentials="")
    registry = Registry(path=folder / "births.db")
    async with City(folder=folder, free_port=free_port, seed=7) as city:
        entries, devices = one_of_each(city)
        filled = Filled(devices)
        told = city.site()
        site = Site.model_validate(told | {"devices": [*told["devices"], *entries]})
        for node in NODES:
            named = [(device.pole, device.device, device.profile) for device in site.devices_of(node)]
            told = announced([*named, *selves(site, node)], loader.profiles())
            told |= {"ep": EPOCH, "version": "0.1.0", "time": SINCE_MS}
            registry.learn(AREA, node, messages.encode(told, messages.BIRTH))
            for step in range(STEPS):
                time_ms = SINCE_MS + step * STEP_MS
                readings = taken(devices, site, node, time_ms, step)
                body = packs.encode(EPOCH, step + 1, readings)
                pack = accept(AREA, node, body, registry.devices(AREA, node), time_ms + 800)
                await store.write(pack.runs, [pack.ledger(time_ms + 800)])
                filled.values |= {reading[:3]: reading[3] for reading in readings if reading[4] is None}
                filled.stored += pack.readings
                filled.refused += len(pack.refused)
    registry.close()
    await store.close()
    return filled


@pytest.fixture(scope="module")
def influx1(influx1_server):
    """One database for all of these: they only ask."""
    influx1_server.fresh()
    return influx1_server


@pytest.fixture(scope="module")
def filled(influx1, tmp_path_factory):
    return asyncio.run(fill(influx1, tmp_path_factory.mktemp("filled")))


def regex(choice):
    """A choice of a variable in Grafana's format `regex`."""
    if isinstance(choice, str):
        return choice
    escaped = [SPECIAL.sub(r"\\\g<0>", value) for value in choice]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def interpolated(query, area=".*", pole=".*"):
    """A query as Grafana sends it."""
    until_ms = SINCE_MS + STEPS * STEP_MS
    query = query.replace("${area:regex}", regex(area)).replace("${pole:regex}", regex(pole))
    query = query.replace("$timeFilter", f"time >= {SINCE_MS}ms and time < {until_ms}ms")
    query = query.replace("$__interval_ms", str(STEP_MS)).replace("$__interval", f"{STEP_MS // 1000}s")
    assert "$" not in query.replace("$/", "")  # the end of a regular expression
    return query


def panels():
    for panel in overview(loader.profiles())["panels"]:
        yield panel
        yield from panel["panels"] if panel["type"] == "row" else ()


QUERIES = [(panel["title"], one["query"]) for panel in panels() for one in panel.get("targets", [])]


def rows(influx1, query):
    """Rows that hold a value; InfluxDB also answers with empty ones."""
    found = influx1.query(query)
    return [row for series in found for row in series["values"] if any(cell is not None for cell in row[1:])]


@pytest.mark.parametrize("choice", ["all", "two poles"])
def test_every_query_returns_rows(influx1, filled, choice):
    area, pole = CHOICES[choice]
    assert len(QUERIES) > 60
    empty = [(title, query) for title, query in QUERIES if not rows(influx1, interpolated(query, area, pole))]
    assert empty == []


def test_a_choice_of_poles_is_kept_to(influx1, filled):
    area, pole = CHOICES["one pole"]
    seen = {
        series["tags"].get("pole")
        for _, query in QUERIES
        for series in influx1.query(interpolated(query, area, pole))
        if "tags" in series
    }
    assert seen - {None} == {"P0007"}


def test_an_area_that_is_not_there_has_no_rows(influx1, filled):
    assert not any(rows(influx1, interpolated(query, ["nowhere"])) for _, query in QUERIES)


def test_the_variables_offer_what_is_there(influx1, filled):
    def offered(query):
        return {row[1] for series in influx1.query(interpolated(query)) for row in series["values"]}

    assert offered(influxql.EVERY_AREA) == {AREA}
    assert offered(influxql.EVERY_POLE) == set(PLACES)


@pytest.mark.parametrize(
    ("function", "point", "pick"),
    [
        ("energy", "voltage", "mean"),
        ("air", "temperature", "mean"),
        ("manhole", "cover_open", "last"),
        ("charging", "state", "last"),
    ],
)
def test_graphs_show_what_the_devices_held(influx1, filled, function, point, pick):
    found = {}
    for series in influx1.query(interpolated(influxql.values(function, point, pick))):
        device = f"{series['tags']['pole']}/{series['tags']['device']}"
        found |= {(device, point, time_ms): value for time_ms, value in series["values"]}
    wanted = {key: value for key, value in filled.values.items() if key[1] == point and is_of(filled, key[0], function)}
    assert found == {key: pytest.approx(value, rel=1e-12) for key, value in wanted.items()}
    assert len(found) >= STEPS


def is_of(filled, device, function):
    emulated = filled.devices.get(device)
    return emulated is not None and emulated.profile.function == function


def test_the_rate_adds_up_to_the_readings_that_were_stored(influx1, filled):
    rates = [row[1] for row in rows(influx1, interpolated(influxql.rate()))]
    assert sum(rates) * STEP_MS / 1000 == pytest.approx(filled.stored)
    of_nodes = [row[1] for row in rows(influx1, interpolated(influxql.rate_of_nodes()))]
    assert sum(of_nodes) == pytest.approx(sum(rates))


def test_packs_ages_and_refusals(influx1, filled):
    assert rows(influx1, interpolated(influxql.packs()))[0][1] == STEPS * len(NODES)
    assert rows(influx1, interpolated(influxql.age(95)))[0][1] == 800
    assert {row[1] for row in rows(influx1, interpolated(influxql.packs_of_nodes()))} == {60_000 / STEP_MS}
    refused = [row[1] for row in rows(influx1, interpolated(influxql.refused_of_nodes()))]
    assert sum(refused) == filled.refused == STEPS * len(GATEWAYS)


def test_totals_are_shown_as_growth_per_minute(influx1, filled):
    growth = [row[1] for row in rows(influx1, interpolated(influxql.growth("gateway", "bus_requests")))]
    assert growth == pytest.approx([7 * 60_000 / STEP_MS] * len(NODES) * (STEPS - 1))


def test_each_reason_is_counted_once(influx1, filled):
    of_each = [influxql.qualities_of(code) for code in packs.QUALITIES] + [influxql.qualities_of("/^exception-/")]
    counted = [sum(row[1] for row in rows(influx1, interpolated(query))) for query in of_each]
    assert sum(counted) == rows(influx1, interpolated(influxql.qualities()))[0][1] == STEPS * len(GATEWAYS)


def test_the_table_has_every_pole(influx1, filled):
    for query, wanted in (
        (influxql.latest("energy", "voltage", 'a "quoted" name'), 12),
        (influxql.latest("water", "level", "level"), 11),
    ):
        series = influx1.query(interpolated(query))
        assert len({one["tags"]["pole"] for one in series}) == wanted
    assert rows(influx1, interpolated(influxql.poles("energy", "voltage")))[0][1] == 12
