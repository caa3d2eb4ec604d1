"""docs/operators.md speaks of panels, rows, reasons and variables that there are."""

import re
from pathlib import Path

from dashboards.overview import overview
from dashboards.pipeline import pipeline
from device_profiles import loader
from wire.packs import QUALITIES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "dashboards/provisioning/datasources"
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")


def titles():
    for dashboard in (overview(loader.profiles()), pipeline()):
        for panel in dashboard["panels"]:
            yield from (one["title"] for one in (panel, *panel.get("panels", [])))
        yield dashboard["title"]
        yield from (variable["label"] for variable in dashboard["templating"]["list"])


def test_names_in_bold_are_on_the_screen():
    named = [name for name in re.findall(r"\*\*(.+?)\*\*", PAGE) if not name.isascii()]
    assert len(named) >= 6
    assert set(named) <= set(titles())


def test_every_open_row_and_every_reason_is_explained():
    rows = [panel["title"] for panel in overview(loader.profiles())["panels"] if panel["type"] == "row"]
    for row in rows[:3]:
        assert f"| {row} |" in PAGE
    for reason in (*QUALITIES, "exception"):
        assert f"| `{reason}` |" in PAGE


def test_every_variable_of_the_data_source_is_named():
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.yaml"))
    assert set(re.findall(r"\$\{(\w+)\}", sources)) == set(re.findall(r"`((?:INFLUXDB|PROMETHEUS)_\w+)`", PAGE))
