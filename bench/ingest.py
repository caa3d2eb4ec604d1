"""`pole bench ingest`: from the broker into the store, beside others who do it; all of it on this machine."""

import contextlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import ingest_consumers, ingest_direct, ingest_view
from bench.ingest_consumers import Consumer
from bench.ingest_rig import NICE, load_average, rig
from pole.broker import find_program

READINGS = 10  # of a pack
POLES = 100
SCALE = (100, 10_000, 100_000)
TIMES_THE_RATE, SHARE_OF_CPU = 3.0, 1 / 3  # of Telegraf's
SHARE_OF_DIRECT = 0.7
FLAT = 0.15
P99_MS = 250.0
LEAST_BIRTHS = 1_000
Told = Callable[[str], None]

show = ingest_view.show


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. packs: of one flood; stores: the first is the one that promises are about."""

    packs: int = 50_000
    rounds: int = 3
    scale: tuple[int, ...] = SCALE
    scale_packs: int = 50_000
    stores: tuple[str, ...] = ("influx1", "victoria", "sqlite")
    rate_s: float = 15.0


QUICK = Size(packs=3_000, rounds=1, scale=(100, 1_000), scale_packs=3_000, stores=("influx1", "sqlite"), rate_s=3.0)


def run(*, size: Size = Size(), telegraf: str | None = None, told: Told = lambda line: None) -> dict[str, Any]:
    """telegraf: its program; None: the one on PATH, where there is one. "verdicts" says which promises are kept."""
    began = time.monotonic()
    telegraf = telegraf or shutil.which("telegraf")
    if telegraf is None:
        told("there is no telegraf here (--telegraf PATH): ours is measured without it")
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    priority = first()
    try:
        result = _parts(size, ingest_consumers.known(telegraf, READINGS), told)
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)
    result["telegraf"] = telegraf is not None
    result["verdicts"] = verdicts(result)
    result["machine"] = {**machine(telegraf), "priority": priority}
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


def _parts(size: Size, consumers: dict[str, Consumer], told: Told) -> dict[str, Any]:
    floods = _floods(consumers, size, told)
    ours = consumers["ours"]
    return {
        "readings_a_pack": READINGS, "poles": POLES, "floods": floods,
        "direct": [_direct(store, size, told) for store in size.stores],
        "latency": [_latency(ours, row, size, told) for row in floods if row["name"] == "ours"],
        "scale": _scale(ours, size, told),
    }  # fmt: skip


def first() -> str:
    """This process and its children go before usual ones where they may, and share the CPUs as usual ones do."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


def machine(telegraf: str | None = None) -> dict[str, Any]:
    """What it ran on, and with which versions."""
    versions = {
        "mosquitto": _version([find_program("mosquitto"), "-h"]), "influxd": _version(["influxd", "version"]),
        "victoria-metrics": _version(["victoria-metrics", "-version"]),
        "telegraf": _version([telegraf, "--version"]) if telegraf else None,
    }  # fmt: skip
    return {"cores": os.cpu_count(), "python": platform.python_version(), "load": load_average(), **versions}


def _version(command: list[str]) -> str | None:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return None
    found = re.search(r"v?(\d+\.\d+(\.\d+)?)", said.stdout + said.stderr)
    return found[1] if found else "?"


def _floods(consumers: dict[str, Consumer], size: Size, told: Told) -> list[dict[str, Any]]:
    """Each round all of them in turn, so that what else the machine does falls on all alike."""
    cases = [(each, store) for store in size.stores for each in consumers.values() if _asked(each, store, size)]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(size.rounds):
        for consumer, store in cases:
            told(f"round {number + 1} of {size.rounds}: {consumer.name} into {store}, {size.packs} packs")
            with rig(consumer, store, nodes=POLES, readings=READINGS) as running:
                running.warm()
                found.setdefault((consumer.name, store), []).append(running.flood(size.packs).told())
    return [_median(name, store, runs) for (name, store), runs in found.items()]


def _asked(consumer: Consumer, store: str, size: Size) -> bool:
    # those written in an afternoon know one dialect, and one comparison with them is enough
    return store in consumer.stores and (store == size.stores[0] or consumer.name in ("ours", "telegraf"))


def _median(name: str, store: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def middle(of: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(of(run) for run in runs)

    cpu = {part: round(middle(lambda run: run["cpu_us"][part]), 2) for part in runs[0]["cpu_us"]}  # noqa: B023
    return {
        "name": name, "store": store, "readings_per_s": round(middle(lambda run: run["readings_per_s"])),
        "rates": [run["readings_per_s"] for run in runs], "cpu_us": cpu,
        "rss_mb": middle(lambda run: run["rss_mb"]), "missing": sum(run["missing"] for run in runs),
        "packs": runs[0]["packs"], "pack_bytes": runs[0]["pack_bytes"],
        "rest_cpu_s": [run["rest_cpu_s"] for run in runs],
    }  # fmt: skip


def _direct(store: str, size: Size, told: Told) -> dict[str, Any]:
    told(f"the same points straight into {store}")
    runs = [ingest_direct.measure(store, poles=POLES, readings=READINGS, packs=size.packs) for _ in range(size.rounds)]
    return {
        "store": store, "readings_per_s": round(statistics.median(run["readings_per_s"] for run in runs)),
        "rates": [run["readings_per_s"] for run in runs],
        "cpu_us": {
            part: round(statistics.median(run["cpu_us"][part] for run in runs), 2) for part in runs[0]["cpu_us"]
        },
    }  # fmt: skip


def _latency(ours: Consumer, flood: dict[str, Any], size: Size, told: Told) -> dict[str, Any]:
    rate = flood["readings_per_s"] / 2
    told(f"from the broker into {flood['store']} at half of the maximum rate, {rate:.0f} readings a second")
    with rig(ours, flood["store"], nodes=POLES, readings=READINGS) as running:
        running.warm()
        answer = running.load.ask("rate", packs_per_s=rate / READINGS, seconds=size.rate_s)
    return {"store": flood["store"], "readings_per_s": round(rate), **answer, "load_average": load_average()}


def _scale(ours: Consumer, size: Size, told: Told) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for poles in size.scale:
        told(f"{poles} poles, {size.scale_packs} packs")
        with rig(ours, size.stores[0], nodes=poles, readings=READINGS) as running:
            first = running.warm()
            floods = [running.flood(size.scale_packs) for _ in range(size.rounds)]
        steady_us = statistics.median(flood.us("ingest") for flood in floods) * READINGS
        births_us = 1e6 * (running.births_s + first.cpu["ingest"]) / poles - steady_us
        row = _median(ours.name, size.stores[0], [flood.told() for flood in floods])
        # a hundred births are over within the clock's ticks
        told_birth = round(births_us, 1) if poles >= LEAST_BIRTHS else None
        rows.append({**row, "poles": poles, "series": poles * READINGS, "birth_us": told_birth})
    return rows


def verdicts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, what it should be, what it is, and whether that is kept."""
    of = {(row["name"], row["store"]): row for row in result["floods"]}
    found = []
    for (name, store), row in of.items():
        if name.startswith("telegraf"):
            ours = of["ours", store]
            times = ours["readings_per_s"] / row["readings_per_s"]
            share = ours["cpu_us"]["ingest"] / max(row["cpu_us"]["ingest"], 0.01)
            found.append(_verdict(f"{store}: readings a second, times {name}", TIMES_THE_RATE, times))
            found.append(_verdict(f"{store}: CPU a reading, share of {name}", SHARE_OF_CPU, share, most=True))
    for row in result["direct"]:
        share = of["ours", row["store"]]["readings_per_s"] / row["readings_per_s"]
        found.append(_verdict(f"{row['store']}: rate, share of writing straight to it", SHARE_OF_DIRECT, share))
    for row in result["latency"]:
        what = f"{row['store']}: from the broker into the store at half of the rate, p99 in ms"
        found.append(_verdict(what, P99_MS, row["stored"].get("p99"), most=True))
    costs = [row["cpu_us"]["ingest"] for row in result["scale"]]
    grows = max(costs) / costs[0] - 1 if costs[0] else None
    found.append(_verdict(f"CPU a reading grows from {result['scale'][0]['poles']} poles on", FLAT, grows, most=True))
    missing = sum(row["missing"] for row in result["floods"] if row["name"] == "ours")
    missing += sum(row["missing"] for row in result["scale"])
    found.append(_verdict("readings published and not in the store", 0, missing, most=True))
    return found


def _verdict(what: str, wanted: float, got: float | None, *, most: bool = False) -> dict[str, Any]:
    kept = got is not None and (got <= wanted if most else got >= wanted)
    return {"what": what, "wanted": round(wanted, 3), "got": None if got is None else round(got, 3), "kept": kept}
