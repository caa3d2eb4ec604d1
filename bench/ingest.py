"""`pole bench ingest`: from the broker into the store, beside others who do it; all of it on this machine."""

import contextlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench import ingest_consumers, ingest_direct, ingest_view
from bench.ingest_consumers import Consumer
from bench.ingest_packs import CITY, CITY_READINGS, LARGE, USUAL, named
from bench.ingest_rig import NICE, Run, load_average, rig
from pole.broker import find_program

POLES = 100
SCALE = (100, 10_000, 100_000)
TIMES_THE_RATE, SHARE_OF_CPU = 3.0, 1 / 3  # of Telegraf's
SHARE_OF_DIRECT = 0.7
FLAT = 0.15
P99_MS = 250.0
LEAST_BIRTHS = 1_000
ALONE = "nowhere"  # the store beside which ingest's own cost is told
Told = Callable[[str], None]
Case = tuple[str, str, str]  # consumer, store, mix

show = ingest_view.show


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. readings: of one flood, about; stores: the first is the one that promises are about;
    mixes: of packs, and into which stores each."""

    readings: int = 800_000
    rounds: int = 3
    scale: tuple[int, ...] = SCALE
    stores: tuple[str, ...] = ("influx1", "victoria", "sqlite")
    mixes: tuple[tuple[str, tuple[str, ...]], ...] = ((LARGE, ("influx1",)), (CITY, ("influx1", "sqlite")))
    rate_s: float = 12.0

    def packs(self, mix: str) -> int:
        return self.readings // (CITY_READINGS if mix == CITY else int(mix))


QUICK = Size(readings=30_000, rounds=1, scale=(100, 1_000), stores=("influx1", "sqlite"), rate_s=3.0)


def run(*, size: Size = Size(), telegraf: str | None = None, told: Told = lambda line: None) -> dict[str, Any]:
    """telegraf: its program; None: the one on PATH, where there is one. "verdicts" says which promises are kept."""
    began = time.monotonic()
    telegraf = telegraf or shutil.which("telegraf")
    if telegraf is None:
        told("there is no telegraf here (--telegraf PATH): ours is measured without it")
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    priority = first()
    try:
        result = _parts(size, ingest_consumers.known(telegraf), told)
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
        "poles": POLES, "floods": floods,
        "direct": [_direct(row["store"], row["mix"], size, told) for row in floods if row["name"] == "ours"],
        "latency": [_latency(ours, row, size, told) for row in floods if row["name"] == "ours"],
        "scale": [row for store in (size.stores[0], ALONE) for row in _scale(ours, store, size, told)],
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
    all_cases = cases(consumers, size)
    found: dict[Case, list[dict[str, Any]]] = {}
    for number in range(size.rounds):
        for case in all_cases:
            name, store, mix = case
            packs = size.packs(mix)
            told(f"round {number + 1} of {size.rounds}: {name} into {store}, {packs} packs, {named(mix)}")
            with rig(consumers[name], store, nodes=POLES, mix=mix) as running:
                running.warm()
                found.setdefault(case, []).append(running.flood(packs).told())
    return [_median(case, runs) for case, runs in found.items()]


def cases(consumers: dict[str, Consumer], size: Size) -> list[Case]:
    """Who takes which packs into which store."""
    mixes = ((USUAL, size.stores), *size.mixes)
    return [
        (each.name, store, mix)
        for mix, stores in mixes for store in stores for each in consumers.values()
        if each.understands(mix) and _asked(each, store, size)
    ]  # fmt: skip


def _asked(consumer: Consumer, store: str, size: Size) -> bool:
    # those written in an afternoon know one dialect, and one comparison with them is enough
    return store in consumer.stores and (store == size.stores[0] or consumer.name in ("ours", "telegraf"))


def _median(case: Case, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def middle(of: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(of(run) for run in runs)

    cpu = {part: round(middle(lambda run: run["cpu_us"][part]), 2) for part in runs[0]["cpu_us"]}  # noqa: B023
    name, store, mix = case
    return {
        "name": name, "store": store, "mix": mix, "readings_per_s": round(middle(lambda run: run["readings_per_s"])),
        "rates": [run["readings_per_s"] for run in runs], "cpu_us": cpu,
        "rss_mb": middle(lambda run: run["rss_mb"]), "peak_mb": max(run["peak_mb"] for run in runs),
        "missing": sum(run["missing"] for run in runs),
        "packs": runs[0]["packs"], "readings": runs[0]["readings"], "pack_bytes": runs[0]["pack_bytes"],
        "rest_cpu_s": [run["rest_cpu_s"] for run in runs],
    }  # fmt: skip


def _direct(store: str, mix: str, size: Size, told: Told) -> dict[str, Any]:
    told(f"the same points straight into {store}, {named(mix)}")
    runs = [ingest_direct.measure(store, poles=POLES, mix=mix, packs=size.packs(mix)) for _ in range(size.rounds)]
    return {
        "store": store, "mix": mix, "readings_per_s": round(statistics.median(run["readings_per_s"] for run in runs)),
        "rates": [run["readings_per_s"] for run in runs],
        "cpu_us": {
            part: round(statistics.median(run["cpu_us"][part] for run in runs), 2) for part in runs[0]["cpu_us"]
        },
    }  # fmt: skip


def _latency(ours: Consumer, flood: dict[str, Any], size: Size, told: Told) -> dict[str, Any]:
    rate = flood["readings_per_s"] / 2
    store, mix = flood["store"], flood["mix"]
    found: list[dict[str, Any]] = []
    for number in range(size.rounds):
        what = f"into {store}, {named(mix)}, at half of the maximum rate, {rate:.0f} readings a second"
        told(f"round {number + 1} of {size.rounds}: {what}")
        with rig(ours, store, nodes=POLES, mix=mix) as running:
            running.warm()
            packs_per_s = rate * flood["packs"] / flood["readings"]
            found.append(running.load.ask("rate", packs_per_s=packs_per_s, seconds=size.rate_s))
    return {
        "store": store, "mix": mix, "readings_per_s": round(rate), "packs": found[0]["packs"],
        "readings": found[0]["readings"], "unconfirmed": sum(run["unconfirmed"] for run in found),
        "stored": _middles([run["stored"] for run in found]), "late": _middles([run["late"] for run in found]),
        "p99s": [run["stored"].get("p99") for run in found], "load_average": load_average(),
    }  # fmt: skip


def _middles(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each share; none where a run has none."""
    shares = set.intersection(*(set(run) for run in runs))
    return {share: statistics.median(run[share] for run in runs) for share in sorted(shares)}


def _scale(ours: Consumer, store: str, size: Size, told: Told) -> list[dict[str, Any]]:
    """Each round all numbers of poles in turn, as with the floods."""
    packs, readings = size.packs(USUAL), int(USUAL)
    floods: dict[int, list[Run]] = {poles: [] for poles in size.scale}
    births: dict[int, list[float]] = {poles: [] for poles in size.scale}
    for number in range(size.rounds):
        for poles in size.scale:
            told(f"round {number + 1} of {size.rounds}: {poles} poles into {store}, {packs} packs")
            with rig(ours, store, nodes=poles) as running:
                first = running.warm()
                floods[poles].append(running.flood(packs))
            births[poles].append(running.births_s + first.cpu["ingest"])
    rows: list[dict[str, Any]] = []
    for poles in size.scale:
        steady_us = statistics.median(flood.us("ingest") for flood in floods[poles]) * readings
        births_us = 1e6 * statistics.median(births[poles]) / poles - steady_us
        row = _median((ours.name, store, USUAL), [flood.told() for flood in floods[poles]])
        # a hundred births are over within the clock's ticks
        told_birth = round(births_us, 1) if poles >= LEAST_BIRTHS else None
        rows.append({**row, "poles": poles, "series": poles * readings, "birth_us": told_birth})
    return rows


def verdicts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, what it should be, what it is, and whether that is kept."""
    rows = result["floods"]
    missing = sum(row["missing"] for row in (*rows, *result["scale"]) if row["name"] == "ours")
    return [
        *_beside_telegraf(rows),
        *_beside_direct(rows, result["direct"]),
        *_in_time(result["latency"]),
        *_flat(result["scale"]),
        _verdict("readings published and not in the store", 0, missing, most=True),
    ]


def _beside_telegraf(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    ours = {(row["store"], row["mix"]): row for row in rows if row["name"] == "ours"}
    for row in rows:
        if row["name"].startswith("telegraf"):
            mine = ours[row["store"], row["mix"]]
            times = mine["readings_per_s"] / row["readings_per_s"]
            share = mine["cpu_us"]["ingest"] / max(row["cpu_us"]["ingest"], 0.01)
            yield _verdict(f"{_where(row)}: readings a second, times {row['name']}", TIMES_THE_RATE, times)
            yield _verdict(f"{_where(row)}: CPU a reading, share of {row['name']}", SHARE_OF_CPU, share, most=True)


def _beside_direct(rows: list[dict[str, Any]], direct: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    ours = {(row["store"], row["mix"]): row["readings_per_s"] for row in rows if row["name"] == "ours"}
    for row in direct:
        share = ours[row["store"], row["mix"]] / row["readings_per_s"]
        yield _verdict(f"{_where(row)}: rate, share of writing straight to it", SHARE_OF_DIRECT, share)


def _in_time(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        what = f"{_where(row)}: from the broker into the store at half of the rate, p99 in ms"
        yield _verdict(what, P99_MS, row["stored"].get("p99") if not row["unconfirmed"] else None, most=True)


def _flat(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for store in dict.fromkeys(row["store"] for row in rows):
        own = [row["cpu_us"] for row in rows if row["store"] == store]
        for what, parts in (("ingest", ("ingest",)), ("ingest, broker and store", ("ingest", "broker", "store"))):
            costs = [sum(cpu.get(part, 0.0) for part in parts) for cpu in own]
            grows = max(costs) / costs[0] - 1 if costs[0] else None
            told = f"{store}: CPU a reading of {what} grows from {rows[0]['poles']} poles on"
            yield _verdict(told, FLAT, grows, most=True)


def _where(row: dict[str, Any]) -> str:
    return f"{row['store']}" if row["mix"] == USUAL else f"{row['store']}, {named(row['mix'])}"


def _verdict(what: str, wanted: float, got: float | None, *, most: bool = False) -> dict[str, Any]:
    kept = got is not None and (got <= wanted if most else got >= wanted)
    return {"what": what, "wanted": round(wanted, 3), "got": None if got is None else round(got, 3), "kept": kept}
