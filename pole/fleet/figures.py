"""What a run's processes cost, and what ingest says of itself."""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CONNECTED = re.compile(rb"New client connected from \S+ as (\S+) ")
_SAMPLE = re.compile(r"^multipole_ingest_(readings_stored_total|packs_stored_total|under_way) (\S+)$", re.M)
_TICKS = os.sysconf("SC_CLK_TCK")
TIMEOUT_S = 2.0


def cpu_s(pid: int | None) -> float | None:
    """Seconds of CPU that a living process has taken (proc(5), fields 14 and 15); None where nobody can tell."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def sessions(broker_log: Path, nodes: Iterable[str]) -> int:
    """How many of these have had an MQTT session of their own, as the broker's log has it."""
    names: set[bytes] = set()
    with broker_log.open("rb") as log:
        for line in log:
            if found := _CONNECTED.search(line):
                names.add(found[1])
    return sum(node.encode() in names for node in nodes)


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What one ingest process has stored since it started."""

    readings: int = 0
    packs: int = 0
    under_way: int = 0


def ingested(port: int) -> Ingested | None:
    """None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as page:
            told = {name: int(float(value)) for name, value in _SAMPLE.findall(page.read().decode())}
    except (OSError, ValueError):
        return None
    return Ingested(
        readings=told.get("readings_stored_total", 0), packs=told.get("packs_stored_total", 0),
        under_way=told.get("under_way", 0),
    )  # fmt: skip


def waited_for(port: int) -> list[str]:
    """What ingest waits for, in its own words; nothing: it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_S):
            return []
    except urllib.error.HTTPError as error:
        return [str(each) for each in json.loads(error.read())["waiting_for"]]
    except OSError as error:
        return [f"ingest: {error}"]
