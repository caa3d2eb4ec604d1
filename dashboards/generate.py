"""Writes dashboards/grafana/overview.json from the shipped profiles: `python -m dashboards.generate`."""

import json
import sys
from pathlib import Path

from dashboards.overview import overview
from device_profiles import loader
from device_profiles.problems import FileProblem

FILE = Path(__file__).parent / "grafana" / "overview.json"


def text() -> str:
    """What the file should hold; the same profiles always make the same text."""
    return json.dumps(overview(loader.profiles()), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    try:
        FILE.write_text(text(), encoding="utf-8")
    except FileProblem as problem:  # an integrator's new profile
        sys.exit(str(problem))
