"""The documents name every key, and what they show is right."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from device_profiles import loader, schema, site, site_buses, site_controllers, site_model
from device_profiles.site_keys import BAUD_RATES

DOCS = Path(__file__).parents[2] / "docs"
IN_PROFILES = (
    schema.Profile, schema.ModbusDefaults, schema.PollGroup, schema.Point, schema.Location, schema.Emulate,
    schema.Command, schema.Argument, schema.Golden, schema.Item, schema.Wired, schema.Analogue, schema.I2cLocation,
)  # fmt: skip
IN_SITE = (
    site_model.Site, site_model.Gateway, site_model.Pole, site_model.Device,
    site_buses.SerialBus, site_buses.TcpBus, site_buses.Dlt645Bus, site_buses.Hj212Bus, site_buses.SnmpBus,
    site_buses.OnvifBus, site_buses.MultivisionBus, site_buses.SipBus, site_buses.OcppBus, site_buses.ChirpstackBus,
    site_buses.UplinkBus, site_buses.UartBus, site_buses.WiredBus,
    *(getattr(site_controllers, name) for name in (
        "Controller", "Uart", "Pin", "Pwm", "Adc", "I2c", "Wifi", "Ethernet", "Lamp", "Step")),
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
    profile, _, command, _ = examples("profiles.md")
    path = tmp_path / "xy-md03.yaml"
    path.write_text(profile, "utf-8")
    assert list(loader.load(path).points) == ["temperature"]
    path.write_text(loader.files()["arlight-dali"].read_text("utf-8").split("commands:")[0] + command, "utf-8")
    path = path.rename(tmp_path / "arlight-dali.yaml")
    assert list(loader.load(path).commands) == ["set_level"]


def test_the_example_exchange_replays(tmp_path: Path) -> None:
    (tmp_path / "xy-md03.golden.yaml").write_text(examples("profiles.md")[3], "utf-8")
    golden = loader.load_golden(tmp_path / "xy-md03.yaml", loader.profile("xy-md03"))
    assert golden.values == {"temperature": 30.5}


def test_the_example_site_loads(tmp_path: Path) -> None:
    text = examples("site.md")[0]
    path = tmp_path / "site.yaml"
    path.write_text(text, "utf-8")
    assert len(site.load(path).devices) == 2


def test_the_example_of_a_wired_point_is_the_shipped_one() -> None:
    wired = schema.Wired.model_validate(yaml.safe_load(examples("profiles.md")[1])["wired"])
    point = schema.I2cLocation.model_validate(
        yaml.safe_load(examples("profiles.md")[1])["points"]["temperature"]["i2c"]
    )
    shipped = loader.profile("sht31")
    assert (wired, point) == (shipped.wired, shipped.points["temperature"].i2c)


def test_the_example_controller_loads(tmp_path: Path) -> None:
    head = "area: wuhou\npoles:\n  P0001: {position: [30.6410, 104.0430]}\n"
    path = tmp_path / "site.yaml"
    path.write_text(head + examples("site.md")[1], "utf-8")
    found, doubts = site.read(path)
    assert doubts == []
    assert len(found.devices_of("ctl-17")) == 4


def test_the_baud_rates_are_those_of_the_model() -> None:
    assert ", ".join(map(str, BAUD_RATES)) in (DOCS / "site.md").read_text("utf-8")
