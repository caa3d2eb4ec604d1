"""A process as the kernel counts it (proc(5)): CPU seconds of all its threads and ended children, resident memory."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    at: float  # monotonic seconds
    cpu: float  # seconds
    rss: int  # bytes
    threads: int


def sample(pid: int) -> Sample:
    """Raises OSError where there is no such process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    return Sample(time.monotonic(), (utime + stime + cutime + cstime) / _TICK, int(fields[21]) * _PAGE, int(fields[17]))
