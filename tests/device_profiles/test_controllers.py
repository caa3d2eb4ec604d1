"""Each mistake in a site's controllers is one message: line, key, value, what is allowed, what to do."""

import re
from pathlib import Path

import pytest

from device_profiles import site
from device_profiles.problems import FileProblem
from device_profiles.site_buses import UartBus, UplinkBus, WiredBus

GOOD = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
controllers:
  ctl-1:
    board: esp32
    pole: P0001
    broker: mqtts://10.0.0.1:8883
    ca: ca.pem
    wifi: {ssid: poles, password_file: wifi.password}
    ntp: 10.0.0.1
    utc_offset: +08:00
    uarts: {rs485: {port: 1, tx: 17, rx: 16, direction: 4}}
    pins:
      cover: {pin: 32, pull: up}
      relay: {pin: 26}
    pwms: {dim: {pin: 25}}
    adcs: {loop: {pin: 35}}
    i2cs: {chips: {port: 0, sda: 21, scl: 22}}
    lamp:
      device: lamp-1
      schedule: [{at: dusk, level: 100}, {at: "23:00", level: 50}, {at: dawn-10m, level: 0}]
  ctl-2:
    board: rp2
    pole: P0002
    through: uplink-1
    address: 7
    uart: up
    uarts: {up: {port: 0, tx: 0, rx: 1, direction: 2}, field: {port: 1, tx: 8, rx: 9}}
    adcs: {loop: {pin: 26}}
  ctl-3:
    board: linux
    pole: P0002
    broker: mqtt://127.0.0.1:1883
    uarts: {field: {port: /dev/ttyS1}}
poles:
  P0001: {position: [30.641, 104.043]}
  P0002: {position: [30.642, 104.044]}
buses:
  uplink-1: {protocol: controllers, port: /dev/ttyUSB0}
  pins-1: {protocol: wired, controller: ctl-1}
  field-1: {controller: ctl-1, uart: rs485}
  field-2: {controller: ctl-2, uart: field}
  pins-2: {protocol: wired, controller: ctl-2}
  field-3: {controller: ctl-3, uart: field}
devices:
  - {pole: P0001, device: cover-1, profile: cover-contact, bus: pins-1, pin: cover}
  - {pole: P0001, device: lamp-1, profile: lamp-0-10v, bus: pins-1, pwm: dim, pin: relay}
  - {pole: P0001, device: water-1, profile: level-4-20ma, bus: pins-1, adc: loop}
  - {pole: P0001, device: air-1, profile: sht31, bus: pins-1, i2c: chips, unit: 0x45}
  - {pole: P0001, device: light-1, profile: bh1750, bus: pins-1, i2c: chips}
  - {pole: P0001, device: air-2, profile: xy-md03, bus: field-1, unit: 5}
  - {pole: P0002, device: air-1, profile: xy-md03, bus: field-2, unit: 5}
  - {pole: P0002, device: water-1, profile: level-4-20ma, bus: pins-2, adc: loop}
  - {pole: P0002, device: air-2, profile: xy-md03, bus: field-3, unit: 5}
"""

ESP32_GPIOS = "there are 0 to 19, 21 to 23, 25 to 27 and 32 to 39"

BROKEN = {
    "neither gateways nor controllers": (
        GOOD[GOOD.index("gateways:"):GOOD.index("poles:")], "",
        ":1: nobody reads the devices: write gateways, or controllers, or both."),
    "a controller without a board": (
        "    board: linux\n", "",
        ":31: controllers.ctl-3.board: is missing."),
    "a board that there is not": (
        "board: linux", "board: esp23",
        ":32: controllers.ctl-3.board: 'esp23' is not one of esp32, rp2, linux or simulated. Did you mean 'esp32'?"),
    "an unknown key": (
        "    ntp: 10.0.0.1\n", "    ntpp: 10.0.0.1\n",
        ":11: controllers.ctl-1.ntpp: unknown key. Did you mean 'ntp'?"),
    "a name of two nodes": (
        "  gw-1: {broker", "  ctl-3: {broker",
        ":31: controllers.ctl-3: 'ctl-3' is already a gateway. Give each node a name of its own."),
    "a user of two nodes": (
        "    pole: P0002\n    broker: mqtt://127.0.0.1:1883\n",
        "    pole: P0002\n    broker: mqtt://127.0.0.1:1883\n    user: gw-1\n",
        ":35: controllers.ctl-3.user: 'gw-1' is already the user of gw-1. Give each node a user of its own."),
    "no way to a broker": (
        "    broker: mqtt://127.0.0.1:1883\n    uarts", "    uarts",
        ":31: controllers.ctl-3: broker is missing. It says where the packs go: write it, or `through:` a "
        "gateway's bus "
        "that carries them."),
    "two ways to a broker": (
        "    through: uplink-1\n", "    through: uplink-1\n    broker: mqtt://127.0.0.1:1883\n",
        ":26: controllers.ctl-2.through: broker is given too: packs go one way. Delete one of both."),
    "through a bus that there is not": (
        "through: uplink-1", "through: uplink-7",
        ":26: controllers.ctl-2.through: 'uplink-7' is not a bus of this file. Did you mean 'uplink-1'?"),
    "through a bus of devices": (
        "through: uplink-1", "through: field-1",
        ":26: controllers.ctl-2.through: 'field-1' is no bus of `protocol: controllers`, which carries packs. There is "
        "uplink-1."),
    "no number on the line": (
        "    address: 7\n", "",
        ":23: controllers.ctl-2: address is missing. Its number on the line, 1 to 247."),
    "a number that is none": (
        "address: 7", "address: 300",
        ":27: controllers.ctl-2.address: 300 is out of range: allowed is 1 to 247."),
    "a number on a network": (
        "    ntp: 10.0.0.1\n", "    ntp: 10.0.0.1\n    address: 7\n",
        ":12: controllers.ctl-1.address: address belongs to a controller that has `through`. Delete this key."),
    "an uplink at a uart that there is not": (
        "uart: up\n", "uart: upp\n",
        ":28: controllers.ctl-2.uart: 'upp' is not a uart of this controller. Did you mean 'up'?"),
    "a network that is not used": (
        "    address: 7\n", "    address: 7\n    ntp: 10.0.0.1\n",
        ":28: controllers.ctl-2.ntp: ntp needs a network, which a controller with `through` has not. Delete this key."),
    "no network": (
        "    wifi: {ssid: poles, password_file: wifi.password}\n", "",
        ":5: controllers.ctl-1: wifi or ethernet is missing. It has a broker, and no network to reach it: write "
        "one, or "
        "`through:`."),
    "a network that linux has": (
        "board: linux\n", "board: linux\n    wifi: {ssid: poles, password_file: wifi.password}\n",
        ":33: controllers.ctl-3.wifi: its system has a network. Delete this key."),
    "no authority": (
        "    ca: ca.pem\n", "",
        ":5: controllers.ctl-1: ca is missing. A board knows no authorities: name the certificate of the one "
        "that signed "
        "the broker's."),
    "an authority without encryption": (
        "mqtts://10.0.0.1:8883", "mqtt://10.0.0.1:1883",
        ":8: controllers.ctl-1.broker: ca is given, but mqtt:// is not encrypted. Write mqtts://, or delete ca."),
    "a certificate without a key": (
        "    ca: ca.pem\n", "    ca: ca.pem\n    cert: ctl-1.pem\n",
        ":10: controllers.ctl-1.cert: cert is given without key. A client certificate needs both."),
    "a pole that there is not": (
        "board: linux\n    pole: P0002", "board: linux\n    pole: P002",
        ":33: controllers.ctl-3.pole: 'P002' is not a pole of this file. Did you mean 'P0002'?"),
    "an offset without a sign": (
        "utc_offset: +08:00", 'utc_offset: "08:00"',
        ":12: controllers.ctl-1.utc_offset: '08:00': how local time differs from UTC is written +hh:mm, as in +08:00, "
        "at most 14 hours."),
    "local times without an offset": (
        "    utc_offset: +08:00\n", "",
        ":5: controllers.ctl-1: utc_offset is missing. The lamp's schedule has local times: write it, as in +08:00."),
    "a moment that is none": (
        '"23:00"', '"24:00"',
        ':22: controllers.ctl-1.lamp.schedule[1].at: \'24:00\': a moment is a local time, as in "22:30", or '
        'dusk or dawn, '
        "as in dusk+10m or dawn-5m."),
    "a level above all": (
        "level: 50", "level: 120",
        ":22: controllers.ctl-1.lamp.schedule[1].level: 120 is out of range: allowed is 0 to 100."),
    "a lamp that is no lamp": (
        "device: lamp-1\n", "device: air-2\n",
        ":21: controllers.ctl-1.lamp.device: 'air-2' is not a lamp of this controller. Known are lamp-1."),
    "a lamp that nobody drives": (
        GOOD[GOOD.index("    lamp:\n"):GOOD.index("  ctl-2:")], "",
        ":5: controllers.ctl-1: lamp is missing. P0001/lamp-1 is a lamp on its pins: say when it burns, under lamp."),
    "a pin of the flash": (
        "relay: {pin: 26}", "relay: {pin: 9}",
        ":16: controllers.ctl-1.pins.relay.pin: 9 is taken: GPIO 6 to 11 hold the ESP32's flash. Choose another pin."),
    "a pin of the console": (
        "relay: {pin: 26}", "relay: {pin: 1}",
        ":16: controllers.ctl-1.pins.relay.pin: 1 is taken: GPIO 1 and 3 are the console, and how it is "
        "flashed. Choose "
        "another pin."),
    "a pin that there is not": (
        "relay: {pin: 26}", "relay: {pin: 40}",
        f":16: controllers.ctl-1.pins.relay.pin: 40 is no GPIO of an ESP32: {ESP32_GPIOS}."),
    "a pin that is no output": (
        "relay: {pin: 26}", "relay: {pin: 34}",
        ":16: controllers.ctl-1.pins.relay.pin: 34 is an input only (34 to 39 are), and the pin relay is "
        "driven. Choose "
        "one of 4, 13, 14, 16 to 33."),
    "a pull that the pin has not": (
        "cover: {pin: 32, pull: up}", "cover: {pin: 36, pull: up}",
        ":15: controllers.ctl-1.pins.cover.pull: 'up', but GPIO 36 has no pull resistors (34 to 39 have none). Solder "
        "one, and delete this key, or choose another pin."),
    "one pin, two users": (
        "dim: {pin: 25}", "dim: {pin: 26}",
        ":17: controllers.ctl-1.pwms.dim.pin: 26 is already the pin relay. Give each its own pin."),
    "a pin without an ADC": (
        "adcs: {loop: {pin: 35}}", "adcs: {loop: {pin: 18}}",
        ":18: controllers.ctl-1.adcs.loop.pin: 18 has no ADC. Choose one of 32 to 39."),
    "an ADC that the radio takes": (
        "adcs: {loop: {pin: 35}}", "adcs: {loop: {pin: 27}}",
        ":18: controllers.ctl-1.adcs.loop.pin: 27 is on ADC2, which the radio uses. Choose one of 32 to 39."),
    "a name where a number is": (
        "dim: {pin: 25}", "dim: {pin: GPIO25}",
        ":17: controllers.ctl-1.pwms.dim.pin: 'GPIO25' is a name: a pin of esp32 is the number of its GPIO, as in 25."),
    "a pin that is neither": (
        "dim: {pin: 25}", "dim: {pin: 2.5}",
        ":17: controllers.ctl-1.pwms.dim.pin: 2.5: a pin is the number of a GPIO, or the name of a line on "
        "linux, as in "
        "GPIO17."),
    "a UART at a wrong pin": (
        "field: {port: 1, tx: 8, rx: 9}", "field: {port: 1, tx: 12, rx: 9}",
        ":29: controllers.ctl-2.uarts.field.tx: 12 is not tx of UART 1. It has 4, 8, 20, 24."),
    "a UART without a pin": (
        "field: {port: 1, tx: 8, rx: 9}", "field: {port: 1, tx: 8}",
        ":29: controllers.ctl-2.uarts.field: rx is missing. It says at which pin of rp2 this is."),
    "a UART that there is not": (
        "rs485: {port: 1,", "rs485: {port: 3,",
        ":13: controllers.ctl-1.uarts.rs485.port: 3 is not a port of esp32: it has 1, 2."),
    "one UART, two names": (
        "field: {port: 1, tx: 8, rx: 9}", "field: {port: 0, tx: 12, rx: 13}",
        ":29: controllers.ctl-2.uarts.field.port: 0 is already up. Give each its own port."),
    "a number where a path is": (
        "field: {port: /dev/ttyS1}", "field: {port: 1}",
        ":35: controllers.ctl-3.uarts.field.port: 1 is a number: on linux write the path, as in /dev/ttyS1."),
    "a PWM that linux has not": (
        "    uarts: {field: {port: /dev/ttyS1}}\n", "    uarts: {field: {port: /dev/ttyS1}}\n    pwms: {dim: "
        "{pin: 12}}\n",
        ":36: controllers.ctl-3.pwms.dim.pin: 12 is not a chip and its channel, as in pwmchip0:1: that is how "
        "linux names "
        "it."),
    "a chip that linux names otherwise": (
        "    uarts: {field: {port: /dev/ttyS1}}\n",
        "    uarts: {field: {port: /dev/ttyS1}}\n    pins: {door: {pin: gpiochip0/17}}\n",
        ":36: controllers.ctl-3.pins.door.pin: 'gpiochip0/17' is not a line's name, as in GPIO17, or chip and "
        "number, as "
        "in gpiochip0:17: that is how linux names it."),
    "a pin of a UART that linux knows": (
        "field: {port: /dev/ttyS1}", "field: {port: /dev/ttyS1, tx: GPIO14}",
        ":35: controllers.ctl-3.uarts.field.tx: the kernel knows the pins of field. Delete this key."),
    "a bus of nobody's": (
        "pins-2: {protocol: wired, controller: ctl-2}", "pins-2: {protocol: wired, controller: ctl-5}",
        ":44: buses.pins-2.controller: 'ctl-5' is not a controller of this file. Did you mean 'ctl-3'?"),
    "a bus without its controller": (
        "field-3: {controller: ctl-3, uart: field}", "field-3: {uart: field}",
        ":45: buses.field-3.controller: is missing."),
    "a bus of both": (
        "field-3: {controller: ctl-3, uart: field}", "field-3: {controller: ctl-3, gateway: gw-1, uart: field}",
        ":45: buses.field-3.gateway: unknown key. Known are controller, protocol, uart, baud, parity, stop_bits."),
    "a bus at a uart that there is not": (
        "field-3: {controller: ctl-3, uart: field}", "field-3: {controller: ctl-3, uart: fields}",
        ":45: buses.field-3.uart: 'fields' is not a uart of this controller. Did you mean 'field'?"),
    "a bus on the uplink": (
        "field-2: {controller: ctl-2, uart: field}", "field-2: {controller: ctl-2, uart: up}",
        ":43: buses.field-2.uart: 'up' is the controller's uplink. Give the bus a uart of its own."),
    "a device on the uplink": (
        "profile: xy-md03, bus: field-3", "profile: xy-md03, bus: uplink-1",
        ":55: devices[8].bus: xy-md03 speaks modbus, but uplink-1 is a bus of controllers. Choose another bus. "
        "This one "
        "carries the packs of controllers, and has no devices."),
    "a meter that speaks something else": (
        "profile: xy-md03, bus: field-3", "profile: dlt645-1p, bus: field-3",
        ":55: devices[8].bus: dlt645-1p speaks dlt645, but field-3 is a bus of modbus. Choose another bus. A "
        "controller "
        "reads Modbus RTU on its UARTs, and wired devices on its pins; all others hang on a gateway."),
    "a wired device without its hardware": (
        "bus: pins-1, pin: cover}", "bus: pins-1}",
        ":47: devices[0]: pin is missing. It says which pin of ctl-1 this is. ctl-1 has cover, relay."),
    "hardware that there is not": (
        "adc: loop}\n  - {pole: P0001", "adc: lop}\n  - {pole: P0001",
        ":49: devices[2].adc: 'lop' is not an adc of this controller. Did you mean 'loop'?"),
    "hardware that the profile does not use": (
        "bus: pins-1, pin: cover}", "bus: pins-1, pin: cover, adc: loop}",
        ":47: devices[0].adc: cover-contact uses no adc, but pin. Delete this key."),
    "hardware on a line": (
        "bus: field-3, unit: 5}", "bus: field-3, unit: 5, pin: cover}",
        ":55: devices[8].pin: field-3 is no bus of `protocol: wired`, whose devices name a pin. Delete this key."),
    "hardware of two devices": (
        "i2c: chips, unit: 0x45}", "i2c: chips, unit: 0x45}\n"
        "  - {pole: P0001, device: cover-2, profile: cover-contact, bus: pins-1, pin: cover}",
        ":51: devices[4].pin: 'cover' is already used by devices[0] (P0001/cover-1). Give each its own."),
    "two chips at one address": (
        "i2c: chips, unit: 0x45}", "i2c: chips}\n"
        "  - {pole: P0001, device: air-3, profile: sht31, bus: pins-1, i2c: chips, unit: 0x44}",
        ":51: devices[4].i2c: 'chips' is already used by devices[3] (P0001/air-1) at the address 0x44. Give "
        "each chip an "
        "address of its own."),
    "an address that the chip has not": (
        "i2c: chips, unit: 0x45}", "i2c: chips, unit: 0x46}",
        ":50: devices[3].unit: sht31 has no address 0x46. It has 0x44, 0x45."),
    "the controller's own name": (
        "device: cover-1,", "device: ctl-1,",
        ":47: devices[0].device: 'ctl-1' is the controller ctl-1 itself on this pole. Choose another name."),
    "the controller's own profile": (
        "profile: cover-contact", "profile: controller",
        ":47: devices[0].profile: 'controller' is not on a bus: a node adds its own device by itself. Delete this "
        "device."),
    "one number, two controllers": (
        "  ctl-3:\n    board: linux\n    pole: P0002\n    broker: mqtt://127.0.0.1:1883\n    uarts: {field:",
        "  ctl-3:\n    board: linux\n    pole: P0002\n    through: uplink-1\n    address: 7\n    uart: up\n"
        "    uarts: {up: {port: /dev/ttyS2}, field:",
        ":35: controllers.ctl-3.address: 7 on uplink-1 is already ctl-2. Give each its own."),
    "a PWM channel of two pins": (
        "    adcs: {loop: {pin: 26}}\n", "    adcs: {loop: {pin: 26}}\n    pwms: {a: {pin: 3}, b: {pin: 19}}\n",
        ":31: controllers.ctl-2.pwms.b.pin: 19 is one PWM channel with 3, which is a. Choose another pin."),
}  # fmt: skip


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def messages(path: Path) -> list[str]:
    with pytest.raises(FileProblem) as caught:
        site.load(path)
    return [text.removeprefix(str(path)) for text in caught.value.messages]


@pytest.mark.parametrize("kind", BROKEN)
def test_one_mistake_is_one_message(tmp_path: Path, kind: str) -> None:
    old, new, wanted = BROKEN[kind]
    assert GOOD.count(old) == 1
    assert messages(written(tmp_path, GOOD.replace(old, new))) == [wanted]


def test_a_site_of_gateways_and_controllers(tmp_path: Path) -> None:
    found, doubts = site.read(written(tmp_path, GOOD))
    assert doubts == []
    kinds = {"uplink-1": UplinkBus, "pins-1": WiredBus, "field-1": UartBus}
    assert {name: type(found.buses[name]) for name in kinds} == kinds
    assert list(found.buses_of("gw-1")) == ["uplink-1"]
    assert list(found.buses_of("ctl-1")) == ["pins-1", "field-1"]
    assert [device.id for device in found.devices_of("ctl-2")] == ["P0002/air-1", "P0002/water-1"]
    assert found.devices_of("gw-1") == []
    assert list(found.controllers_on("uplink-1")) == ["ctl-2"]
    assert found.broker_of("ctl-2") == ("mqtt://127.0.0.1:1883", None)
    assert found.broker_of("ctl-1") == ("mqtts://10.0.0.1:8883", tmp_path / "ca.pem")
    assert (found.user_of("gw-1"), found.user_of("ctl-2")) == ("gw-1", "ctl-2")
    assert found.devices[1].hardware == {"pin": "relay", "pwm": "dim"}


def test_a_site_of_controllers_alone(tmp_path: Path) -> None:
    head, rest = GOOD.split("gateways:")[0], GOOD[GOOD.index("controllers:") :]
    alone = rest.replace("    through: uplink-1\n    address: 7\n    uart: up\n", "    broker: mqtt://127.0.0.1:1883\n"
                         "    wifi: {ssid: poles, password_file: wifi.password}\n    ntp: 10.0.0.1\n")  # fmt: skip
    text = head + alone.replace("  uplink-1: {protocol: controllers, port: /dev/ttyUSB0}\n", "")
    found, doubts = site.read(written(tmp_path, text.replace("up: {port: 0, tx: 0, rx: 1, direction: 2}, ", "")))
    assert doubts == []
    assert found.gateways == {}
    assert found.broker_of("ctl-2")[0] == "mqtt://127.0.0.1:1883"


def test_a_gateway_s_bus_has_no_gateway_where_there_is_none(tmp_path: Path) -> None:
    text = GOOD.replace('gateways:\n  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}\n', "")
    assert messages(written(tmp_path, text)) == [
        ":38: buses.uplink-1: gateway is missing. This file has none: give the bus a controller, one of ctl-1, ctl-2, "
        "ctl-3."
    ]


DOUBTS = {
    "a bus of controllers without any": (
        "    through: uplink-1\n    address: 7\n    uart: up\n",
        "    broker: mqtt://127.0.0.1:1883\n    wifi: {ssid: a, password_file: b}\n    ntp: 10.0.0.1\n",
        [":29: controllers.ctl-2.uarts.up: nothing uses this uart.",
         ":40: buses.uplink-1: no controller reaches its gateway through this bus."]),
    "a pin that moves at the start": (
        "relay: {pin: 26}", "relay: {pin: 15}",
        [":16: controllers.ctl-1.pins.relay.pin: 15 decides how an ESP32 starts, and moves while it does: the "
         "pin relay "
         "would too. 4, 13, 14, 16 to 19, 21 to 23, 25 to 27, 32 and 33 are free of that."]),
    "nobody who tells the time": (
        "    ntp: 10.0.0.1\n", "",
        [":5: controllers.ctl-1: ntp is missing: until somebody tells it the time, its readings wait on its disk."]),
    "a pin that nobody uses": (
        "relay: {pin: 26}", "relay: {pin: 26}\n      spare: {pin: 27}",
        [":17: controllers.ctl-1.pins.spare: nothing uses this pin."]),
    "another speed than the factory's": (
        "{controller: ctl-1, uart: rs485}", "{controller: ctl-1, uart: rs485, baud: 19200}",
        [":52: devices[5].profile: xy-md03 leaves the factory with 9600 8N1, but field-1 has 19200 8N1. Set the device "
         "before you connect it."]),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOUBTS)
def test_what_is_doubtful_is_a_warning(tmp_path: Path, kind: str) -> None:
    old, new, wanted = DOUBTS[kind]
    assert GOOD.count(old) == 1
    path = written(tmp_path, GOOD.replace(old, new))
    assert [text.removeprefix(str(path)) for text in site.read(path)[1]] == wanted


def crowd(count: int, baud: int) -> str:
    """The controller ctl-3 with many modules of 8 inputs."""
    lines = [
        f"  - {{pole: P0002, device: in-{unit}, profile: wp8028adam, bus: field-3, unit: {unit}}}\n"
        for unit in range(10, 10 + count)
    ]
    text = GOOD.replace("{controller: ctl-3, uart: field}", f"{{controller: ctl-3, uart: field, baud: {baud}}}")
    return text.replace("profile: xy-md03, bus: field-3", "profile: xy-md03, bus: field-2").replace(
        "device: air-2, profile: xy-md03, bus: field-2, unit: 5",
        "device: air-2, profile: xy-md03, bus: field-2, unit: 6",
    ) + "".join(lines)


def test_a_bus_of_a_controller_cannot_carry_more_than_any_other(tmp_path: Path) -> None:
    # One read of 8 inputs: 14 characters of 10 bits and a silence of 3.5, and 20 ms of latency.
    load = 12 * (17.5 * 10 / 2400 + 0.02)
    (message,) = messages(written(tmp_path, crowd(12, baud=2400)))
    assert message.startswith(f":45: buses.field-3: the bus cannot carry its polls: they need {load:.0%} of its time.")


def test_a_controller_reads_so_many_points(tmp_path: Path) -> None:
    assert messages(written(tmp_path, crowd(16, baud=115200))) == [
        ":31: controllers.ctl-3: its devices have 128 points, and a controller reads at most 120. Most are of "
        "P0002/in-10"
        " (8), P0002/in-11 (8), P0002/in-12 (8). Hang some on a gateway, or on another controller."
    ]


def test_a_controller_has_room_for_so_large_a_plan(tmp_path: Path) -> None:
    lines = "".join(
        f"  - {{pole: P0002, device: charger-{unit}, profile: em2go, bus: field-3, unit: {unit}}}\n"
        for unit in range(10, 17)
    )
    text = GOOD.replace("{controller: ctl-3, uart: field}", "{controller: ctl-3, uart: field, baud: 115200}")
    (message,) = messages(written(tmp_path, text + lines))
    assert re.fullmatch(
        r":31: controllers\.ctl-3: its polls take \d{4} bytes of memory, and a controller has room for 2560\. Hang "
        r"some on a gateway, or on another controller\.", message
    )  # fmt: skip


def test_what_a_controller_cannot_poll_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("bus: field-3, unit: 5}", "bus: field-3, unit: 248}")
    assert messages(written(tmp_path, text)) == [
        ":55: devices[8].unit: 248 is out of range: a unit id on a serial line is 1 to 247."
    ]
