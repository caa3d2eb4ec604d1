"""Writes dashboards/grafana/overview.json from the shipped profiles: `python -m dashboards.generate`."""

import json
from pathlib import Path

from dashboards.overview import overview
from device_profiles import loader

FILE = Path(__file__).parent / "grafana" / "overview.json"


def text() -> str:
    """What the file should hold; the same profiles always make the same text."""
    return json.dumps(overview(loader.profiles()), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
