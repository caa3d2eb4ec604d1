"""What a controller is given of a site, held against what its agent makes of it and what a gateway would."""

import json
from pathlib import Path
from typing import Any

import pytest

from device_profiles import command_lines, controller_part, loader, registers, sensor_rows, site, wired
from device_profiles.registers import NoValue
from device_profiles.schema import Profile
from device_profiles.site_model import Device
from edge import commands, sensors
from wire import messages

SITE = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
controllers:
  ctl-1:
    board: esp32
    pole: P0001
    broker: mqtts://broker.example
    user: pole-one
    password_file: ctl-1.password
    ca: ca.pem
    ethernet: {phy_address: 1, power: 4, clock: 17}
    ntp: 10.0.0.1
    utc_offset: "-03:30"
    uarts: {rs485: {port: 1, tx: 14, rx: 13, direction: 5}}
    pins: {sos: {pin: 32, pull: up, invert: true}, relay: {pin: 33}}
    pwms: {dim: {pin: 2, hertz: 500}}
    adcs: {loop: {pin: 35}}
    i2cs: {chips: {port: 1, sda: 15, scl: 12}}
    lamp:
      device: lamp-1
      hold: 30m
      fail: 80
      schedule: [{at: dusk-5m, level: 100}, {at: "23:05", level: 50}, {at: dawn, level: 0}]
  ctl-2:
    board: rp2
    pole: P0002
    through: uplink-1
    address: 7
    uart: up
    journal_kilobytes: 128
    uarts: {up: {port: 0, tx: 0, rx: 1, direction: 2}, field: {port: 1, tx: 8, rx: 9}}
    lamp: {device: lamp-1, schedule: [{at: "00:00", level: 100}]}
    utc_offset: +08:00
poles:
  P0001: {position: [-30.641, 104.043]}
  P0002: {position: [30.642, 104.044]}
buses:
  uplink-1: {protocol: controllers, port: /dev/ttyUSB0, baud: 57600}
  pins-1: {protocol: wired, controller: ctl-1}
  meters-1: {controller: ctl-1, uart: rs485, baud: 19200, parity: even}
  field-2: {controller: ctl-2, uart: field, stop_bits: 2}
devices:
  - {pole: P0001, device: sos-1, profile: sos-button, bus: pins-1, pin: sos}
  - {pole: P0001, device: lamp-1, profile: lamp-0-10v, bus: pins-1, pwm: dim, pin: relay}
  - {pole: P0001, device: water-1, profile: level-4-20ma, bus: pins-1, adc: loop}
  - {pole: P0001, device: air-1, profile: sht31, bus: pins-1, i2c: chips, unit: 0x45}
  - {pole: P0001, device: meter-1, profile: sdm120, bus: meters-1, unit: 1}
  - {pole: P0002, device: lamp-1, profile: ecodim-dali-gw2, bus: field-2, unit: 3, channel: 4}
  - {pole: P0002, device: charger-1, profile: phoenix-ac1m, bus: field-2, unit: 9}
"""
PROFILES = loader.profiles()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> site.Site:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE, "utf-8")
    return site.load(path)


def config(loaded: site.Site, node: str) -> Any:
    return json.loads(controller_part.part(loaded, node, PROFILES)["config.json"])


def test_the_files_of_a_controller(loaded: site.Site) -> None:
    assert list(controller_part.part(loaded, "ctl-1", PROFILES)) == [
        "config.json", "plan.bin", "birth.json", "commands.jsonl",
    ]  # fmt: skip


def test_identity_and_uplink(loaded: site.Site) -> None:
    one, two = config(loaded, "ctl-1"), config(loaded, "ctl-2")
    assert [one[key] for key in ("v", "area", "node", "board", "pole", "self")] == [
        1, "wuhou", "ctl-1", "esp32", "P0001", "P0001/ctl-1",
    ]  # fmt: skip
    assert one["uplink"] == {"kind": "mqtt", "host": "broker.example", "port": 8883, "user": "pole-one", "tls": True}
    assert two["uplink"] == {"kind": "serial", "uart": "uplink-1", "address": 7}
    assert one["network"] == {
        "kind": "ethernet", "phy": "LAN8720", "phy_addr": 1, "mdc": 23, "mdio": 18, "power": 4, "ref_clk": 17,
        "ref_clk_out": True,
    }  # fmt: skip
    assert (two["network"], one["ntp"], two["ntp"]) == (None, "10.0.0.1", None)
    assert (one["position"], one["utc_offset"]) == ([-30_641_000, 104_043_000], -210)
    assert (one["journal"], two["journal"]) == (524_288, 131_072)


def test_a_uart_has_the_name_and_the_settings_of_its_bus(loaded: site.Site) -> None:
    one, two = config(loaded, "ctl-1"), config(loaded, "ctl-2")
    assert one["uarts"] == {
        "meters-1": {"port": 1, "tx": 14, "rx": 13, "direction": 5, "baud": 19200, "parity": "even"}
    }
    assert two["uarts"] == {
        "field-2": {"port": 1, "tx": 8, "rx": 9, "baud": 9600, "stop_bits": 2},
        "uplink-1": {"port": 0, "tx": 0, "rx": 1, "direction": 2, "baud": 57600},
    }
    assert (one["buses"], two["buses"]) == (["meters-1"], ["field-2"])


def test_hardware_and_what_hangs_on_it(loaded: site.Site) -> None:
    one = config(loaded, "ctl-1")
    assert one["pins"] == {"sos": {"pin": 32, "pull": "up", "invert": True}, "relay": {"pin": 33}}
    assert one["pwms"] == {"dim": {"pin": 2, "freq": 500}}
    assert one["adcs"] == {"loop": {"pin": 35}}
    assert one["i2cs"] == {"chips": {"port": 1, "sda": 15, "scl": 12, "freq": 100_000}}
    assert one["inputs"] == [["P0001/sos-1", "sos_pressed", "sos", True]]
    assert one["silence"] == 300
    assert [row[:3] for row in one["sensors"]] == [
        ["P0001/water-1", "loop", None],
        ["P0001/air-1", "chips", [0x45, "2400", 16, 6, 0x31, 0xFF]],
    ]


def test_the_lamp(loaded: site.Site) -> None:
    assert config(loaded, "ctl-1")["lamp"] == {
        "device": "P0001/lamp-1", "schedule": [[2, -5, 100], [0, 1385, 50], [1, 0, 0]], "hold": 1800, "fail": 80,
        "output": ["pwm", "dim", "relay"],
    }  # fmt: skip
    kind, (*where, _, _, _, mask, wait, raw) = config(loaded, "ctl-2")["lamp"]["output"]
    assert (kind, where, mask, raw) == ("modbus", ["field-2", 3, 6, 3020, 1, False], 0, 0)
    assert wait >= 10 * 40  # ms that a device with a latency of 40 ms is given


def test_a_relay_alone_is_an_output_too(tmp_path: Path) -> None:
    text = SITE.replace("profile: lamp-0-10v, bus: pins-1, pwm: dim,", "profile: lamp-relay, bus: pins-1,")
    (tmp_path / "site.yaml").write_text(text, "utf-8")
    assert config(site.load(tmp_path / "site.yaml"), "ctl-1")["lamp"]["output"] == ["relay", "relay"]


@pytest.mark.parametrize("node", ["ctl-1", "ctl-2"])
def test_the_birth_is_one_of_the_wire(loaded: site.Site, node: str) -> None:
    head = b'{"ep":"9f3c21aa","version":"0.1.0","time":1763683200250,'
    birth: Any = messages.decode(head + controller_part.part(loaded, node, PROFILES)["birth.json"], messages.BIRTH)
    named = {f"{each['pole']}/{each['device']}": each["profile"] for each in birth["devices"]}
    own = {f"{loaded.controllers[node].pole}/{node}": "controller"}
    assert named == {device.id: device.profile for device in loaded.devices_of(node)} | own
    for name, told in birth["profiles"].items():
        assert (told["version"], set(told["points"])) == (PROFILES[name].version, set(PROFILES[name].points))
    assert "former" not in birth


def test_no_secret_is_in_any_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "ctl-1.password").write_text("open-sesame\n")
    (tmp_path / "ca.pem").write_text("certificate-of-all\n")
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    files = controller_part.part(site.load(tmp_path / "site.yaml"), "ctl-1", PROFILES)
    assert not [name for name, data in files.items() if b"sesame" in data or b"certificate-of-all" in data]


def test_a_plan_has_a_section_for_each_bus(loaded: site.Site) -> None:
    plan = controller_part.plan(loaded, "ctl-1", PROFILES)
    assert (plan.count(b"meters-1"), plan.count(b"pins-1")) == (1, 0)
    assert plan == controller_part.part(loaded, "ctl-1", PROFILES)["plan.bin"]


def test_the_lines_of_commands(loaded: site.Site) -> None:
    told = controller_part.part(loaded, "ctl-2", PROFILES)["commands.jsonl"].decode().splitlines()
    assert [line.split('"')[1:4:2] for line in told[:4]] == [
        ["P0002/lamp-1", action] for action in ("set_level", "on", "off", "auto")
    ]
    assert {tuple(json.loads(line)[:2]) for line in told[4:]} == {
        ("P0002/charger-1", action) for action in PROFILES["phoenix-ac1m"].commands
    }
    assert json.loads(told[0]) == [
        "P0002/lamp-1",
        "set_level",
        ["level", 0, 100, 0],
        ["lamp"],
        ["level", 0, 0, 0, None],
    ]
    assert json.loads(told[1]) == ["P0002/lamp-1", "on", None, ["lamp"], ["level", 0, 0, 0, 100]]
    assert json.loads(told[3]) == ["P0002/lamp-1", "auto", None, ["lamp"], None]
    first = controller_part.part(loaded, "ctl-1", PROFILES)["commands.jsonl"].decode().splitlines()
    assert json.loads(first[2]) == ["P0001/lamp-1", "off", None, ["lamp"], ["on", 0, 0, 0, False]]
    assert len(first) == 4


@pytest.mark.parametrize("name", ["arlight-dali", "ecodim-dali-gw2"])
def test_a_level_is_written_as_a_gateway_writes_it(name: str) -> None:
    profile = PROFILES[name]
    device = Device(pole="P0001", device="lamp-1", profile=name, bus="field", unit=3, channel=5)
    written = command_lines.level_written(device, profile)
    at = profile.commands["set_level"].write
    assert at is not None
    for level in range(101):
        words = list(commands._words(written, level))
        if level * 254 % 100 == 50:  # a half: Python rounds to the even number
            assert words == [level * 254 // 100 + 1]
        else:
            assert words == registers.words(at, level), level


WIRED = [name for name, profile in PROFILES.items() if profile.wired is not None and profile.is_exchanged]


def rows_of(name: str) -> list[Any]:
    device = Device(pole="P0001", device="d-1", profile=name, bus="pins", pin="a", adc="a", i2c="a")
    return list(sensor_rows.rows(device, PROFILES[name]))


def raws(profile: Profile, point: str) -> list[Any]:
    """Raw numbers over all that the hardware can give, and those about both ends of the range."""
    held = profile.points[point]
    if held.adc is not None:
        return list(range(0, 3_300_000, 1000))
    assert held.i2c is not None
    answers = []
    for number in range(0, 65536, 13):
        body = number.to_bytes(2, "big")
        behind = bytes([wired.crc8(body, held.i2c.polynomial, held.i2c.start)]) if held.i2c.polynomial else b""
        answer = bytearray(held.i2c.read)
        answer[held.i2c.byte : held.i2c.byte + len(body + behind)] = body + behind
        answers.append(bytes(answer))
    return answers


@pytest.mark.parametrize("name", [name for name in WIRED if PROFILES[name].points and rows_of(name)])
def test_a_sensor_tells_what_the_profile_means(name: str) -> None:
    """The agent's integers against the profile's scale: half a step apart at most, and never outside."""
    profile = PROFILES[name]
    compared = 0
    for _, _, how, _, _, fields in rows_of(name):
        for field in fields:
            point = profile.points[field[0]]
            for raw in raws(profile, field[0]):
                told = sensors._value(field, how, raw)
                try:
                    meant: Any = wired.value(point, raw)
                except NoValue as quality:
                    meant = str(quality)
                if isinstance(told, str) or isinstance(meant, str):
                    at_an_end = not isinstance(meant, str) and min(abs(meant - end) for end in point.range or ()) < 1e-3
                    assert told == meant or (told == "range" and at_an_end), raw
                    continue
                assert abs(told / 10 ** field[6] - meant) <= 0.5 / 10 ** field[6] + 1e-9, raw
                compared += 1
    assert compared > 500


def test_a_damaged_answer_of_a_chip_is_told_by_both(loaded: site.Site) -> None:
    ((*_, fields),) = rows_of("sht31")
    damaged = bytes.fromhex("666693beef93")
    told = [sensors._value(field, [0x44, "2400", 16, 6, 0x31, 0xFF], damaged) for field in fields]
    assert told == [25_000, "crc"]
    with pytest.raises(NoValue, match="crc"):
        wired.value(PROFILES["sht31"].points["humidity"], damaged)


@pytest.mark.parametrize(
    "name", [name for name, profile in PROFILES.items() if profile.modbus is not None and profile.modbus.channels == 1]
)
def test_every_modbus_profile_fits_a_controller(tmp_path: Path, name: str) -> None:
    text = SITE.replace("profile: phoenix-ac1m", f"profile: {name}").replace("stop_bits: 2", "baud: 115200")
    (tmp_path / "site.yaml").write_text(text, "utf-8")
    files = controller_part.part(site.load(tmp_path / "site.yaml"), "ctl-2", PROFILES)
    lines = files["commands.jsonl"].splitlines()
    assert len(lines) == 4 + len(PROFILES[name].commands)
    assert files["plan.bin"]
