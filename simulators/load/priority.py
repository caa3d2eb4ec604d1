"""The generator goes before all usual processes where it may, so that its lateness is not the machine's other work."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_SLACK = Path("/proc/self/timerslack_ns")  # how much later than asked a thread may be woken; 0 there: the usual 50 us


@contextlib.contextmanager
def real_time() -> Iterator[str]:
    """Yields "real-time", or "usual" where it may not (Linux: root, or CAP_SYS_NICE). Whom we start is usual."""
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        yield "usual"
        return
    with contextlib.suppress(OSError):
        _SLACK.write_text("1000", encoding="ascii")
    try:
        yield "real-time"
    finally:
        os.sched_setscheduler(0, *usual)
        with contextlib.suppress(OSError):
            _SLACK.write_text("0", encoding="ascii")
