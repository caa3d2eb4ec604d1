"""Who carries packs from the broker into the store: ours, Telegraf, and two that one writes oneself.

Each is a command that runs until it is ended, with a client id that the broker's log names when it has subscribed.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.ingest_packs import CITY, CITY_LINES, USUAL, Count
from device_profiles import loader
from pole.broker import free_port
from simulators.load.packs import PROFILE

USER = "ingest"
WINDOW = 1000  # messages under way to one client: mosquitto.conf's max_inflight_messages
FILTER = "poles/+/+/up/telemetry"
BATCH = 5000  # readings in one write of those that we write here, as in ingest.batch


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a consumer is told. store: ingest's URL; http, database: the same for others; mix: what packs hold."""

    folder: Path
    port: int
    password: str
    store: str
    http: str
    database: str
    mix: str


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """client_id: as the broker logs it. lines: of the line protocol that it makes of packs, the ledger's included;
    more_values: in a pack's line of the ledger. understands: whether it can make sense of packs of a mix."""

    name: str
    client_id: str
    command: Callable[[Place], list[str]]
    lines: Callable[[Count], int]
    more_values: int = 0
    births: bool = False  # it wants to know devices before packs
    stores: tuple[str, ...] = ("influx1", "victoria")
    understands: Callable[[str], bool] = lambda mix: True


def ours(place: Place) -> list[str]:
    """`pole ingest run`."""
    (place.folder / "password").write_text(place.password)
    config = {
        "broker": f"mqtt://{USER}@127.0.0.1:{place.port}", "password_file": "password", "receive_max": WINDOW,
        "store": place.store, "dead_letters": "dead-letters.db", "http": f"127.0.0.1:{free_port()}",
    }  # fmt: skip
    path = place.folder / "ingest.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return [sys.executable, "-m", "pole", "ingest", "run", str(path)]


def telegraf(program: str, *, by_place: bool) -> Callable[[Place], list[str]]:
    """mqtt_consumer with persistent_session: acknowledged when written. No parser of Telegraf knows SenML.

    by_place: each reading is named by its place in the pack, as if all packs were the same: one line a device with the
    right names and times, the least that Telegraf can be asked to do. Otherwise a script of ours in Telegraf's own
    language understands any pack: one line for each device and time. (Its xpath_json can do so too, at three times the
    CPU; json_v2 cannot carry a base name from one record to the next.)
    """

    def command(place: Place) -> list[str]:
        data, parser = ("json_v2", _by_place(int(place.mix))) if by_place else ("value", _SCRIPT)
        lines = CITY_LINES if place.mix == CITY else _by_place(int(place.mix)).count("json_v2]]")  # of a pack
        path = place.folder / "telegraf.conf"
        told = {**vars(place), "user": USER, "filter": FILTER, "window": WINDOW, "batch": WINDOW // 2 * lines}
        path.write_text(_TELEGRAF.format(**told, data=data) + parser)
        return [program, "--config", str(path)]

    return command


# What was found to be the fastest for it: writes of half a window of packs; the other half comes meanwhile. No gzip.
_TELEGRAF = """
[agent]
  omit_hostname = true
  interval = "1s"
  flush_interval = "200ms"
  metric_batch_size = {batch}
  metric_buffer_limit = 100000
[[outputs.influxdb]]
  urls = ["{http}"]
  database = "{database}"
  skip_database_creation = true
  content_encoding = "identity"
  timeout = "30s"
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["{filter}"]
  username = "{user}"
  password = "{password}"
  client_id = "telegraf"
  qos = 1
  persistent_session = true
  max_undelivered_messages = {window}
  topic_tag = ""
  data_format = "{data}"
"""


def _by_place(readings: int) -> str:
    points = list(loader.profiles()[PROFILE].points)
    out: list[str] = []
    for first in range(0, readings, len(points)):
        out += [
            "[[inputs.mqtt_consumer.json_v2]]",
            'measurement_name = "air"',
            'timestamp_path = "0.bt"',
            'timestamp_format = "unix"',
            "[[inputs.mqtt_consumer.json_v2.tag]]",
            f'path = "{first}.bn"',
            'rename = "device"',
        ]
        for number, point in enumerate(points[: readings - first], first):
            out += ["[[inputs.mqtt_consumer.json_v2.field]]", f'path = "{number}.v"', f'rename = "{point}"']
    return "\n".join(out) + "\n"


# Kinds have fields of their own: a field keeps the type of its first value. Copies are tracked, so that a message is
# acknowledged when all of its lines are written (Telegraf, "Starlark Processor Plugin").
_SCRIPT = """  data_type = "string"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "poles/+/+/+/+"
    tags = "_/area/node/_/_"
[[processors.starlark]]
  source = '''
load("json.star", "json")
KINDS = [("v", ""), ("vb", "_b"), ("vs", "_s"), ("q", "_q")]
def apply(metric):
    records = json.decode(metric.fields["value"])
    metric.fields.clear()
    out = []
    device, base, last, line = "", 0.0, None, None
    for record in records:
        device = record.get("bn", device)
        base = record.get("bt", base)
        time = base + record.get("t", 0.0)
        if (device, time) != last:
            last = (device, time)
            line = deepcopy(metric, track=True) if out else metric
            line.fields.clear()
            line.name = "air"
            line.tags["device"] = device
            line.time = int(time * 1000 + 0.5) * 1000000
            out.append(line)
        for kind, ending in KINDS:
            value = record.get(kind)
            if value != None:
                line.fields[record["n"] + ending] = float(value) if kind == "v" else value
    return out
'''
"""


def peer(kind: str) -> Callable[[Place], list[str]]:
    """paho-mqtt or aiomqtt, as one writes it oneself: bench.ingest_peers."""

    def command(place: Place) -> list[str]:
        path = place.folder / "peer.json"
        order = {"port": place.port, "user": USER, "password": place.password, "filter": FILTER, "window": WINDOW}
        path.write_text(json.dumps({**order, "http": place.http, "database": place.database, "batch": BATCH}))
        return [sys.executable, "-m", "bench.ingest_peers", kind, str(path)]

    return command


def known(telegraf_program: str | None) -> dict[str, Consumer]:
    """All that can run here, by name."""
    found = [Consumer(name="ours", client_id="ingest-1", command=ours, lines=lambda of: of.lines + of.packs,
                      more_values=3, births=True, stores=("influx1", "victoria", "sqlite"))]  # fmt: skip
    if telegraf_program is not None:
        found += _telegrafs(telegraf_program)
    for kind in ("paho-mqtt", "aiomqtt"):
        found.append(Consumer(name=kind, client_id=kind, command=peer(kind), lines=lambda of: of.packs,
                              stores=("influx1",), understands=lambda mix: mix == USUAL))  # fmt: skip
    return {each.name: each for each in found}


def _telegrafs(program: str) -> list[Consumer]:
    return [
        Consumer(name="telegraf", client_id="telegraf", command=telegraf(program, by_place=True),
                 lines=lambda of: of.lines, understands=lambda mix: mix != CITY),
        Consumer(name="telegraf by script", client_id="telegraf", command=telegraf(program, by_place=False),
                 lines=lambda of: of.instants),
    ]  # fmt: skip
