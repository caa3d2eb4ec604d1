"""The documents name every key, and what they show is right."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from device_profiles import loader, schema, site, site_buses, site_model
from device_profiles.site_buses import BAUD_RATES

DOCS = Path(__file__).parents[2] / "docs"
IN_PROFILES = (
    schema.Profile, schema.ModbusDefaults, schema.PollGroup, schema.Point, schema.Location, schema.Emulate,
    schema.Command, schema.Argument, schema.Golden, schema.Item,
)  # fmt: skip
IN_SITE = (
    site_model.Site, site_model.Gateway, site_model.Pole, site_model.Device,
    site_buses.SerialBus, site_buses.TcpBus, site_buses.Dlt645Bus, site_buses.Hj212Bus, site_buses.SnmpBus,
    site_buses.OnvifBus, site_buses.MultivisionBus, site_buses.SipBus, site_buses.OcppBus, site_buses.ChirpstackBus,
)  # fmt: skip


def examples(name: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / name).read_text("utf-8"), re.S)


@pytest.mark.parametrize(
    ("name", "model"), [("profiles.md", model) for model in IN_PROFILES] + [("site.md", model) for model in IN_SITE]
)
def test_every_key_is_explained(name: str, model: type[BaseModel]) -> None:
    text = (DOCS / name).read_text("utf-8")
    missing = [key for key in model.model_fields if not re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`|^ *{key}:", text, re.M)]
    assert missing == []


def test_the_example_profile_loads_with_the_example_command(tmp_path: Path) -> None:
    profile, command, _ = examples("profiles.md")
    path = tmp_path / "xy-md03.yaml"
    path.write_text(profile, "utf-8")
    assert list(loader.load(path).points) == ["temperature"]
    path.write_text(loader.files()["arlight-dali"].read_text("utf-8").split("commands:")[0] + command, "utf-8")
    path = path.rename(tmp_path / "arlight-dali.yaml")
    assert list(loader.load(path).commands) == ["set_level"]


def test_the_example_exchange_replays(tmp_path: Path) -> None:
    (tmp_path / "xy-md03.golden.yaml").write_text(examples("profiles.md")[2], "utf-8")
    golden = loader.load_golden(tmp_path / "xy-md03.yaml", loader.profile("xy-md03"))
    assert golden.values == {"temperature": 30.5}


def test_the_example_site_loads(tmp_path: Path) -> None:
    text, _ = examples("site.md")
    path = tmp_path / "site.yaml"
    path.write_text(text, "utf-8")
    assert len(site.load(path).devices) == 2


def test_the_baud_rates_are_those_of_the_model() -> None:
    assert ", ".join(map(str, BAUD_RATES)) in (DOCS / "site.md").read_text("utf-8")
