"""Writes the dashboards in dashboards/grafana: `python -m dashboards.generate`."""

import json
import sys
from pathlib import Path

from dashboards.overview import overview
from dashboards.panels import Json
from dashboards.pipeline import pipeline
from device_profiles import loader
from device_profiles.problems import FileProblem

FOLDER = Path(__file__).parent / "grafana"
FILE, PIPELINE = FOLDER / "overview.json", FOLDER / "pipeline.json"


def text() -> str:
    """What the overview's file should hold; the same profiles always make the same text."""
    return as_text(overview(loader.profiles()))


def as_text(dashboard: Json) -> str:
    """A dashboard as its file has it."""
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PIPELINE.write_text(as_text(pipeline()), encoding="utf-8")
    try:
        FILE.write_text(text(), encoding="utf-8")
    except FileProblem as problem:  # an integrator's new profile
        sys.exit(str(problem))
