"""`pole bench spool`: a week without network, in a spool; and what happens when the network is back.

The spool alone: on a file system of limited size, on this machine's disk, and on one that is too small. Then the real
gateway, broker and ingest with a backlog in the spool.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import reconnect

WEEK_S = 7 * 86400
MEGABYTES = 512  # device_profiles.site_model.Gateway.spool_megabytes
SYNCED = 2000  # packs at the beginning and at the end that are synced one by one
TOO_SMALL = 10  # the too small file system has a tenth of the room


def run(*, seconds: int = WEEK_S, backlog: int = 100_000, told: Callable[[str], None] = print) -> dict[str, Any]:
    """seconds: how long there was no network. backlog: packs in the spool when the real parts meet again."""
    out: dict[str, Any] = {"days": seconds / 86400}
    with tempfile.TemporaryDirectory(prefix="pole-spool-") as folder:
        place = Path(folder)
        told("a full pole, on this machine's disk")
        out["disk"] = _life(place, seconds, MEGABYTES, "usual")
        if _limited() is not None:
            told("the busiest pole, on a file system that has room for the spool and no more")
            out["limited"] = _life(place, seconds, MEGABYTES, "busiest", room=MEGABYTES + 8)
            told("a full pole, on one that is too small: the oldest telemetry goes")
            room = MEGABYTES // TOO_SMALL
            out["too_small"] = _life(place, seconds, MEGABYTES, "usual", room=room)
    told("gateway, broker and ingest meet again")
    out["reconnect"] = reconnect.run(packs=backlog, told=told)
    out["week_drained_min"] = round(out["disk"]["packs"] / out["reconnect"]["stored_per_s"] / 60, 1)
    return out


def show(result: dict[str, Any]) -> None:
    """The figures, for people."""
    for name in ("disk", "limited", "too_small"):
        if name in result:
            print(name)
            for key, value in result[name].items():
                print(f"  {key:26} {value}")
    print("reconnect")
    for key, value in result["reconnect"].items():
        print(f"  {key:26} {value}")
    print(f"a week of a full pole is stored after {result['week_drained_min']} minutes")


def _limited() -> list[str] | None:
    """The command that gives a process mounts of its own; None where this is not allowed."""
    flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    allowed = subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0
    return ["unshare", *flags] if allowed else None


def _life(folder: Path, seconds: int, megabytes: int, pole: str, room: int | None = None) -> dict[str, Any]:
    for old in folder.iterdir():
        old.unlink()
    life = [sys.executable, "-m", "bench.spool_life", str(folder), str(seconds), str(megabytes), str(SYNCED), pole]
    if room is not None:
        limited = _limited()
        assert limited is not None
        life = [
            *limited,
            "sh",
            "-c",
            f'mount -t tmpfs -o size={room}m none "$1" && shift && exec "$@"',
            "-",
            str(folder),
            *life,
        ]
    done = subprocess.run(life, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
