import pytest

from bench.full_pole import OF_A_FULL_POLE
from device_profiles import loader, site
from gateway.disk.capacity import bytes_a_second, planned_hours
from gateway.disk.spool import Spool

SITE = """
area: wuhou
gateways: {gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001, spool_megabytes: 64}}
poles: {P0001: {position: [30.641, 104.043]}}
buses: {rs485-1: {port: /dev/ttyUSB0, baud: 9600}}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 1}
"""


def test_more_room_bridges_more_and_more_devices_less(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    least, most = planned_hours(site.load(path), "gw-1", loader.profiles())
    assert 0 < least < most
    path.write_text(SITE.replace("64", "128"))
    assert planned_hours(site.load(path), "gw-1", loader.profiles())[0] == pytest.approx(2 * least)
    path.write_text(SITE + "  - {pole: P0001, device: air-2, profile: xy-md03, bus: rs485-1, unit: 2}\n")
    assert planned_hours(site.load(path), "gw-1", loader.profiles())[0] < least


@pytest.mark.parametrize("devices", [1, 8])
def test_a_reading_takes_no_more_than_the_plan_says(tmp_path, devices):
    # a pack of a second of a busy gateway: some points of each of several devices, stamps of their own
    spool = Spool(path=tmp_path / "gw.db", max_bytes=64 << 20)
    count = 0
    for second in range(200):
        readings = [
            (f"P{device:04}/station-{device}", point, 1_800_000_000_000 + second * 1000 + device * 10, 123.4, None)
            for device in range(devices)
            for point in ("temperature", "humidity", "pressure", "illuminance", "pm2_5", "pm10")
        ]
        count += len(readings)
        spool.append(event=False, readings=readings)
    assert spool.state().bytes < 200 * bytes_a_second(count / 200)
    spool.close()


FULL_POLE = """
area: wuhou
gateways: {gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}}
poles: {P0001: {position: [30.641, 104.043]}}
buses:
  modbus-1: {host: 127.0.0.1}
  snmp-1: {protocol: snmp, version: 2c, community_file: community}
  onvif-1: {protocol: onvif, user: gateway, password_file: camera}
  screens: {protocol: multivision}
  sip-1: {protocol: sip}
  lora-1: {protocol: chirpstack, broker: "mqtt://127.0.0.1:1884", user: gateway, password_file: lora}
devices:
"""


def test_the_default_holds_seven_days_of_the_busiest_full_pole(tmp_path):
    profiles = loader.profiles()
    lines = []
    for number, (device, profile) in enumerate(OF_A_FULL_POLE.items(), 1):
        protocol = profiles[profile].protocol
        bus = {"modbus": "modbus-1", "snmp": "snmp-1", "onvif": "onvif-1", "multivision": "screens", "sip": "sip-1",
               "chirpstack": "lora-1"}[protocol]  # fmt: skip
        where = {"modbus": f"unit: {number}", "chirpstack": "address: '24e124136b502217'"}
        where = where.get(protocol, f"address: 127.0.0.{number}")
        if protocol == "modbus" and profiles[profile].modbus.channels > 1:
            where += ", channel: 0"
        lines.append(f"  - {{pole: P0001, device: {device}, profile: {profile}, bus: {bus}, {where}}}\n")
    (tmp_path / "site.yaml").write_text(FULL_POLE + "".join(lines))
    least, most = planned_hours(site.load(tmp_path / "site.yaml"), "gw-1", profiles)
    assert least > 7 * 24
    assert most > 10 * least
