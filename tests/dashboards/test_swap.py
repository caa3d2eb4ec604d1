"""A device is changed for another maker's: pole and name stay, and so do the series, the query and the panel.

Everything between is real: emulated devices on a pty, gateway, mosquitto, ingest, InfluxDB.
"""

import asyncio
import contextlib

import pytest
import yaml

from dashboards.overview import overview
from device_profiles import loader
from gateway import service
from gateway.configuration import Configuration
from ingest import config
from ingest.service import Ingest
from simulators.device import EmulatedDevice, now_ms
from simulators.rtu_port import RtuPort

AREA, POLE, NODE, BAUD = "wuhou", "P0001", "gw-1", 19200
# device -> the maker's profile before, and the other maker's after
SWAPS = {
    "meter-1": ("sdm120", "pzem-016"),
    "meter-2": ("sdm120", "dtsu666"),
    "weather-1": ("weather-8in1", "sokol-m"),
    "air-1": ("xy-md03", "louvre-box"),
}
LEAST = {"meter-1": 6, "meter-2": 4, "weather-1": 8, "air-1": 2}  # points that both makers tell
SECONDS = 90.0
STEP_MS = 1000  # of the graph


def shared(device):
    """(function, point) that both makers' devices tell."""
    before, after = (loader.profile(name) for name in SWAPS[device])
    return [(before.function_of(point), point) for point in before.points if point in after.points]


def panels(*names):
    """Panels by what they show, without the order on the screen and the names of profiles."""
    made = overview({name: loader.profile(name) for name in names})
    every = [panel for row in made["panels"] for panel in (row, *row.get("panels", []))]
    return {
        panel["description"].split(" ")[0]: {
            key: value for key, value in panel.items() if key not in ("description", "gridPos", "id")
        }
        for panel in every
        if "description" in panel
    }


@pytest.mark.parametrize("device", SWAPS)
def test_the_panel_is_the_same_for_both_makers(device):
    before, after = SWAPS[device]
    assert len(shared(device)) >= LEAST[device]
    for function, point in shared(device):
        mine, other = (panels(name)[f"{function}.{point}"] for name in (before, after))
        for panel in (mine, other):
            panel["fieldConfig"]["defaults"]["custom"].pop("insertNulls", None)  # how often a maker's device reports
        assert mine == other


def query(device, function, point):
    """The panel's query as Grafana sends it, for this device's pole; made from the profile that was there before."""
    (target,) = panels(SWAPS[device][0])[f"{function}.{point}"]["targets"]
    text = target["query"].replace("${area:regex}", AREA).replace("${pole:regex}", POLE)
    return text.replace("$timeFilter", "time > 0").replace("$__interval", f"{STEP_MS}ms")


def answered(influx1, device, function, point):
    """[(time in ms, value)] of one device, as the panel draws them; there is one series of it at most."""
    series = [one for one in influx1.query(query(device, function, point)) if one["tags"]["device"] == device]
    assert len(series) <= 1
    return [(row[0], row[1]) for one in series for row in one["values"] if row[1] is not None]


def write_site(folder, broker, which):
    (folder / "gw-1.password").write_text(broker.passwords[NODE])
    (folder / "site.yaml").write_text(
        yaml.safe_dump(
            {
                "area": AREA,
                "gateways": {
                    NODE: {
                        "broker": f"mqtt://127.0.0.1:{broker.port}", "password_file": "gw-1.password", "pole": POLE,
                        "spool": "gw-1.db",
                    }
                },
                "poles": {POLE: {"position": [30.63812, 104.04326]}},
                "buses": {"rs485-1": {"gateway": NODE, "port": str(folder / "tty"), "baud": BAUD}},
                "devices": [
                    {"pole": POLE, "device": device, "profile": makers[which], "bus": "rs485-1", "unit": unit}
                    for unit, (device, makers) in enumerate(SWAPS.items(), 1)
                ],
            }
        )
    )  # fmt: skip


def emulated(which):
    return {
        device: EmulatedDevice(profile=loader.profile(makers[which]), pole=POLE, name=device, unit=unit, seed=which)
        for unit, (device, makers) in enumerate(SWAPS.items(), 1)
    }


async def until_told(influx1, after_ms):
    """Every shared point of every device has a value of after this moment."""
    async with asyncio.timeout(SECONDS):
        for device in SWAPS:
            for function, point in shared(device):
                sql = f'SELECT last("{point}") FROM "{function}" WHERE device = \'{device}\' AND time > {after_ms}ms'
                while not influx1.query(sql):
                    await asyncio.sleep(0.1)


async def run_gateway(folder, influx1, which):
    """The gateway with one maker's devices until all is in the database -> these devices, and when they began."""
    devices, began = emulated(which), now_ms()
    stop = asyncio.Event()
    async with RtuPort(path=folder / "tty", devices=list(devices.values()), baud=BAUD):
        running = asyncio.create_task(service.run(configuration=Configuration(path=folder / "site.yaml"), stop=stop))
        told = asyncio.create_task(until_told(influx1, began))
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await running
        await told
    return devices, began


@contextlib.asynccontextmanager
async def ingesting(folder, broker, influx1):
    (folder / "ingest.password").write_text(broker.passwords["ingest"])
    (folder / "ingest.yaml").write_text(
        yaml.safe_dump(
            {
                "broker": broker.url("ingest"), "password_file": "ingest.password", "store": influx1.store,
                "dead_letters": "dead-letters.db", "http": "127.0.0.1:0",
            }
        )
    )  # fmt: skip
    stop = asyncio.Event()
    running = asyncio.create_task(Ingest(config=config.load(folder / "ingest.yaml")).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def swapped(folder, broker, influx1):
    async with ingesting(folder, broker, influx1):
        write_site(folder, broker, 0)
        before, _ = await run_gateway(folder, influx1, 0)
        await asyncio.sleep(STEP_MS / 1000)  # so that no interval of the graph holds values of both
        write_site(folder, broker, 1)
        after, changed_ms = await run_gateway(folder, influx1, 1)
    return before, after, changed_ms


def test_query_and_series_go_on_when_another_maker_s_devices_hang_on_the_pole(tmp_path, broker, influx1):
    before, after, changed_ms = asyncio.run(swapped(tmp_path, broker, influx1))
    for device in SWAPS:
        for function, point in shared(device):
            told = answered(influx1, device, function, point)
            after_ms = changed_ms // STEP_MS * STEP_MS
            assert {time_ms >= after_ms for time_ms, _ in told} == {False, True}, f"{device} {point}"
            sql = f'SELECT "{point}" FROM "{function}" WHERE device = \'{device}\''
            for time_ms, value in influx1.query(sql)[0]["values"]:
                held = (after if time_ms >= changed_ms else before)[device].held(point, time_ms, 1500)
                assert any(value == pytest.approx(truth, rel=1e-9) for truth in held), f"{device} {point}"
    functions = {function for device in SWAPS for function, _ in shared(device)}
    keys = [
        row[0] for name in functions for one in influx1.query(f'SHOW SERIES FROM "{name}"') for row in one["values"]
    ]
    assert len(keys) == len(SWAPS)
    assert influx1.query('SELECT sum("refused") FROM "pack"') == []  # which is told where there are some
