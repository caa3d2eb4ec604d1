"""Where a gateway's CPU goes: py-spy's samples of a running process, by the part of the gateway that was at work."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from device_profiles.problems import FileProblem

RATE = 200  # samples a second
# The innermost frame that names one of these says whose time it was.
PARTS = {
    "device_profiles/registers.py": "decode",
    "gateway/reports.py": "report by exception",
    "gateway/modbus/tcp_line.py": "TCP lines",
    "gateway/modbus/serial_line.py": "serial lines",
    "gateway/serial_port.py": "serial lines",
    "protocols/modbus.py": "frames",
    "gateway/modbus/": "polling",
    "gateway/collector.py": "collector",
    "gateway/clock.py": "collector",
    "wire/": "packs",
    "gateway/disk/": "spool",
    "gateway/uplink.py": "uplink",
    "gateway/own_device.py": "own device",
    "gateway/service.py": "own device",
    "aiomqtt": "uplink",
    "paho": "uplink",
    "asyncio/": "event loop",
}


def program() -> Path:
    """Raises FileProblem where py-spy is not installed."""
    path = Path(sys.executable).with_name("py-spy")
    if not path.exists():
        raise FileProblem(f"{path} is not there, and --profile needs it: install the Python package py-spy.")
    return path


def samples(pid: int, seconds: float, path: Path) -> None:
    """Writes py-spy's folded stacks of who holds the interpreter, so that what waits is not counted.

    Raises FileProblem where py-spy is not installed, CalledProcessError where it may not look.
    """
    arguments = [
        "record",
        "-p",
        str(pid),
        "-d",
        f"{seconds:.0f}",
        "-r",
        str(RATE),
        "-f",
        "raw",
        "-o",
        str(path),
        "--gil",
    ]
    subprocess.run([program(), *arguments], check=True, capture_output=True)


def shares(path: Path) -> dict[str, float]:
    """Part -> its share of the interpreter's time, most first. Time within system calls is nobody's."""
    counted: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, times = line.rpartition(" ")
        counted[_part(stack.split(";"))] += int(times)
    total = sum(counted.values()) or 1
    return {part: round(times / total, 3) for part, times in counted.most_common()}


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for place, part in PARTS.items():
            if f"({place}" in frame or f"/{place}" in frame:
                return part
    return "others"
