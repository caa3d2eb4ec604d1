"""What docs/edge-boards.md says about pins and sensors is what the site's check and the compiler say."""

import json
import re
from pathlib import Path

import pytest
import yaml

from device_profiles import board_pins, loader, sensor_rows
from device_profiles.site_controllers import Controller
from device_profiles.site_model import Device

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "edge-boards.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n# (.+)\n((?:.*\n)*?)^```", PAGE, re.M)
NETWORKS = {"wifi": {"wifi": {"ssid": "poles", "password_file": "wifi.password"}}, "ethernet": {"ethernet": {}}}


def test_every_board_has_a_block():
    assert {title.split()[0] for title, _ in BLOCKS} == set(board_pins.PORTS) | {"linux"}


@pytest.mark.parametrize(("title", "text"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_pins_that_are_free(title, text):
    board, *network = title.split()
    entry = {"board": board, "pole": "P0001", "broker": "mqtt://10.0.0.1", **NETWORKS.get("".join(network), {})}
    controller = Controller.model_validate(entry | yaml.safe_load(text))
    found = list(board_pins.uses(controller, ["relay"]))
    assert len(found) > 5
    assert [why for use in found if (why := board_pins.refusal(controller, use))] == []
    assert list(board_pins.clashes(controller, found)) == []
    assert list(board_pins.shared_pwms(controller)) == []
    if board == "esp32":
        driven = [use.pin for use in found if use.role in ("output", "pwm")]
        assert not set(driven) & set(board_pins.ESP32_STRAPPING)


def test_the_row_of_a_sensor():
    (shown,) = re.findall(r"^```json\n((?:.*\n)*?)^```", PAGE, re.M)
    device = Device(pole="P0001", device="air-1", profile="sht31", bus="pins", i2c="chips")
    assert list(sensor_rows.rows(device, loader.profile("sht31"))) == [json.loads(shown)]
