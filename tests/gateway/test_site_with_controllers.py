"""A gateway leaves controllers alone: their devices, their buses and their secrets are none of its business."""

import pytest

from device_profiles import loader, site
from gateway import needs
from gateway.birth import birth, devices_of
from gateway.disk.capacity import planned_hours

SITE = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
controllers:
  ctl-1:
    board: esp32
    pole: P0001
    broker: mqtts://10.0.0.1:8883
    ca: no-such-ca.pem
    password_file: no-such.password
    wifi: {ssid: poles, password_file: no-such-wifi.password}
    ntp: 10.0.0.1
    uarts: {rs485: {port: 1, tx: 17, rx: 16}}
    pins: {cover: {pin: 32, pull: up}}
poles:
  P0001: {position: [30.641, 104.043]}
buses:
  rs485-1: {port: /dev/ttyUSB0}
  field-1: {controller: ctl-1, uart: rs485}
  pins-1: {protocol: wired, controller: ctl-1}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}
  - {pole: P0001, device: air-2, profile: xy-md03, bus: field-1, unit: 5}
  - {pole: P0001, device: cover-1, profile: cover-contact, bus: pins-1, pin: cover}
"""


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE)
    return site.load(tmp_path / "site.yaml")


def test_its_own_devices_alone_are_announced(loaded):
    own = [("P0001", "air-1", "xy-md03"), ("P0001", "gateway", "gateway"), ("P0001", "bus-rs485-1", "bus")]
    assert devices_of(loaded, "gw-1") == own
    told = birth(
        site=loaded, node="gw-1", profiles=loader.profiles(), epoch="9f3c21aa", version="0.1.0", now_ms=1
    )  # fmt: skip
    assert list(told["profiles"]) == ["bus", "gateway", "xy-md03"]


def test_nothing_of_a_controller_s_is_missed(loaded):
    assert needs.missing(loaded, "gw-1") == []


def test_what_a_controller_reads_takes_no_room_in_the_spool(loaded, tmp_path):
    (tmp_path / "alone.yaml").write_text(
        SITE[: SITE.index("controllers:")] + SITE[SITE.index("poles:") : SITE.index("  field-1:")]
        + "devices:\n  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}\n"
    )  # fmt: skip
    alone = site.load(tmp_path / "alone.yaml")
    profiles = loader.profiles()
    assert planned_hours(loaded, "gw-1", profiles) == planned_hours(alone, "gw-1", profiles)
