"""What the emulator of the nodes says, without the nodes: three lines, and the last one when it is told to stop."""

import json
import signal
import sys
import time
from pathlib import Path

CELLS = [[1, 2], [None, 3]]
STATE = {
    "kind": "state", "world_s": 630, "local": "2026-07-15T17:10:30", "poles": 6, "nodes": 6, "connected": 5, "dark": 1,
    "offline": 2, "packs": 90, "readings": 1080, "stored": 80, "pending": 10, "dropped": 0, "resent": 3,
    "behind_s": 0.0, "cpu_s": 1.5, "rss_mb": 110, "latency_ms": {"p50": 11, "p99": 42},
    "map": {
        "columns": 2, "rows": 2, "poles": [[1, 2], [0, 3]], "rain": [[0, 25.5], [None, 0]],
        "temperature": [[31, 20], [None, 12]], "lit": [[0, 1], [None, 0.5]], "dark": [[0, 0], [None, 1]],
        "offline": [[1, 0], [None, 0]], "water": [[0.6, 1.3], [None, 0.1]], "alarms": [[0, 1], [None, 0]],
    },
    "weather": {"temperature": 31.2, "rain": 12.0, "wind": 8.1, "pm2_5": 45, "sun": 12.5},
    "alarms": [{"time": "17:08:10", "pole": "P00017", "en": "cover opened", "zh": "井盖打开"}],
    "news": [{"time": "17:00:20", "en": "a thunderstorm comes", "zh": "雷暴来临"}],
}  # fmt: skip
END = {
    **{name: STATE[name] for name in STATE if name not in ("map", "weather", "alarms", "news")},
    "kind": "end", "truth_sha256": "0" * 64, "seconds": 3.0, "memory_per_node": 4200,
}  # fmt: skip


def main() -> None:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    lines = json.loads(Path(sys.argv[1]).read_text())["lines"]
    print("a word for the log", file=sys.stderr)
    for _ in range(lines):
        print(json.dumps(STATE), flush=True)
        time.sleep(0.05)
    while not stopped:
        time.sleep(0.01)
    print(json.dumps(END), flush=True)


if __name__ == "__main__":
    main()
