"""Each mistake in a site file is one message that a field engineer can act on."""

from pathlib import Path

import pytest

from device_profiles import loader, site, site_checks
from device_profiles.problems import FileProblem
from device_profiles.site import SerialBus, TcpBus

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "site.yaml"

GOOD = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
poles:
  P0001: {position: [30.641, 104.043], name: {en: One, zh: 一号杆}}
  P0002: {position: [30.642, 104.044]}
buses:
  rs485-1: {port: /dev/ttyUSB0, baud: 9600}
  tcp-1: {host: 192.168.1.20}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}
  - {pole: P0001, device: water-1, profile: qdy30a, bus: rs485-1, unit: 6}
  - {pole: P0001, device: lamp-1, profile: arlight-dali, bus: tcp-1, unit: 1, channel: 0}
  - {pole: P0002, device: lamp-1, profile: arlight-dali, bus: tcp-1, unit: 1, channel: 1}
"""

BAUDS = "1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400"

BROKEN = {
    "unknown profile": (
        "profile: xy-md03", "profile: xy-md30",
        ":11: devices[0].profile: 'xy-md30' is not a known profile. Did you mean 'xy-md03'? `pole profile list` "
        "shows all."),
    "the gateway's profile on a bus": (
        "profile: xy-md03", "profile: gateway",
        ":11: devices[0].profile: 'gateway' is not on a bus: a node adds its own device by itself. Delete this "
        "device."),
    "one unit id twice": (
        "unit: 6", "unit: 5",
        ":12: devices[1].unit: 5 on rs485-1 is claimed by devices[0] (P0001/air-1, xy-md03), devices[1] "
        "(P0001/water-1, "
        "qdy30a). Unit 1 is free."),
    "one channel twice": (
        "unit: 1, channel: 1", "unit: 1, channel: 0",
        ":14: devices[3].channel: 0 on tcp-1 is claimed by devices[2] (P0001/lamp-1, arlight-dali), devices[3] "
        "(P0002/lamp-1, arlight-dali). Choose another channel or unit."),
    "another profile on a box with channels": (
        "profile: qdy30a, bus: rs485-1, unit: 6", "profile: qdy30a, bus: tcp-1, unit: 1",
        ":13: devices[2].unit: 1 on tcp-1 is claimed by devices[1] (P0001/water-1, qdy30a), devices[2] (P0001/lamp-1, "
        "arlight-dali), devices[3] (P0002/lamp-1, arlight-dali). Unit 2 is free."),
    "an address of IPv6 where there is IPv4 alone": (
        "devices:\n", "  wifi: {protocol: snmp}\ndevices:\n"
        "  - {pole: P0002, device: ap-1, profile: openwrt-ap, bus: wifi, address: '[::1]:161'}\n",
        ":12: devices[0].address: '[::1]:161' is not a host or an IPv4 address, with or without a port, as in "
        "10.0.0.7:161."),
    "an address with a port that is none": (
        "devices:\n", "  calls: {protocol: sip}\ndevices:\n"
        "  - {pole: P0002, device: sos-1, profile: sip-intercom, bus: calls, address: '10.0.0.7:99999'}\n",
        ":12: devices[0].address: '10.0.0.7:99999' is not a host, or host:port, as in 10.0.0.7:161."),
    "one port, two protocols": (
        "  tcp-1:", "  meters: {protocol: dlt645, port: /dev/ttyUSB0}\n  tcp-1:",
        ":9: buses.meters.port: '/dev/ttyUSB0' is already the bus rs485-1 of gw-1. One speaks modbus, the other "
        "dlt645: give each its own."),
    "one name twice on a pole": (
        "device: water-1", "device: air-1",
        ":12: devices[1].device: 'P0001/air-1' is already devices[0]. Give each device of a pole its own name."),
    "the gateway's own name": (
        "device: water-1", "device: gateway",
        ":12: devices[1].device: 'gateway' is the own device of gw-1 on this pole. Choose another name."),
    "what the gateway tells of a bus": (
        "device: water-1", "device: bus-tcp-1",
        ":12: devices[1].device: 'bus-tcp-1' is what gw-1 tells of its bus tcp-1 on this pole. Choose another name."),
    "a bus with too long a name": (
        "devices:\n", f"  {'b' * 61}: {{protocol: sip}}\ndevices:\n",
        f":10: buses.{'b' * 61}: '{'b' * 61}' has 61 characters, and a bus's name at most 60. Shorten it."),
    "channel missing": (
        "unit: 1, channel: 1", "unit: 1",
        ":14: devices[3]: channel is missing. arlight-dali has 64 of them: say which, 0 to 63."),
    "channel out of range": (
        "unit: 1, channel: 1", "unit: 1, channel: 64",
        ":14: devices[3].channel: 64 is out of range: arlight-dali has the channels 0 to 63."),
    "channel of a profile without": (
        "unit: 6", "unit: 6, channel: 0",
        ":12: devices[1].channel: qdy30a has no channels. Delete this key."),
    "unknown pole": (
        "P0001, device: air-1", "P001, device: air-1",
        ":11: devices[0].pole: 'P001' is not a pole of this file. Did you mean 'P0001'?"),
    "unknown bus": (
        "bus: rs485-1, unit: 6", "bus: rs485-2, unit: 6",
        ":12: devices[1].bus: 'rs485-2' is not a bus of this file. Did you mean 'rs485-1'?"),
    "unknown gateway": (
        "rs485-1: {port", "rs485-1: {gateway: gw-2, port",
        ":8: buses.rs485-1.gateway: 'gw-2' is not a gateway of this file. Did you mean 'gw-1'?"),
    "gateway on an unknown pole": (
        'mqtt://127.0.0.1:1883", pole: P0001', 'mqtt://127.0.0.1:1883", pole: Q77',
        ":3: gateways.gw-1.pole: 'Q77' is not a pole of this file. Known are P0001, P0002."),
    "impossible baud rate": (
        "baud: 9600", "baud: 9800",
        f":8: buses.rs485-1.baud: 9800: not a standard baud rate; allowed are {BAUDS}. Did you mean 9600?"),
    "impossible parity": (
        "baud: 9600", "baud: 9600, parity: evn",
        ":8: buses.rs485-1.parity: 'evn' is not one of none, even or odd. Did you mean 'even'?"),
    "unit 0 on a serial line": (
        "unit: 6", "unit: 0",
        ":12: devices[1].unit: 0 is out of range: a unit id on a serial line is 1 to 247."),
    "unit above 247 on a serial line": (
        "unit: 6", "unit: 248",
        ":12: devices[1].unit: 248 is out of range: a unit id on a serial line is 1 to 247."),
    "unit that is no byte": (
        "unit: 6", "unit: 300",
        ":12: devices[1].unit: 300 is out of range: allowed is 0 to 255."),
    "unit as a word": (
        "unit: 6", "unit: six",
        ":12: devices[1].unit: 'six' is not a whole number."),
    "swapped position": (
        "[30.642, 104.044]", "[104.044, 30.642]",
        ":6: poles.P0002.position: latitude comes first; did you mean [30.642, 104.044]?"),
    "position off the earth": (
        "[30.642, 104.044]", "[30.642, 204.044]",
        ":6: poles.P0002.position: [30.642, 204.044] is no position: it is [latitude, longitude],"
        " -90 to 90 and -180 to 180 degrees."),
    "position of one number": (
        "[30.642, 104.044]", "[30.642]",
        ":6: poles.P0002.position: too few values: write 2, as in [1, 2]."),
    "two buses on one port": (
        "  tcp-1:", "  rs485-9: {port: /dev/ttyUSB0}\n  tcp-1:",
        ":9: buses.rs485-9.port: '/dev/ttyUSB0' is already the bus rs485-1 of gw-1. Put the devices of both on "
        "one bus."),
    "two buses to one host": (
        "  tcp-1:", "  tcp-0: {host: 192.168.1.20}\n  tcp-1:",
        ":10: buses.tcp-1.host: '192.168.1.20:502' is already the bus tcp-0 of gw-1. Put the devices of both on "
        "one bus."),
    "a bus that is nothing": (
        "tcp-1: {host: 192.168.1.20}", "tcp-1: {}",
        ":9: buses.tcp-1: a bus has a port (/dev/…, serial) or a host (Modbus TCP), or another protocol."),
    "a bus that is both": (
        "tcp-1: {host: 192.168.1.20}", "tcp-1: {host: 192.168.1.20, baud: 9600}",
        ":9: buses.tcp-1.baud: unknown key. Known are gateway, protocol, host, port, framing, dead_share."),
    "a bus that is a text": (
        "tcp-1: {host: 192.168.1.20}", "tcp-1: 192.168.1.20",
        ":9: buses.tcp-1: '192.168.1.20' is not a mapping (lines of `key: value`)."),
    "relative port": (
        "port: /dev/ttyUSB0", "port: ttyUSB0",
        ":8: buses.rs485-1.port: 'ttyUSB0' is not allowed: a serial port is a path, best one of /dev/serial/by-id/."),
    "serial port as a number": (
        "port: /dev/ttyUSB0", "port: 7",
        ":8: buses.rs485-1.port: 7 is not a text: put it in quotes."),
    "port without a host": (
        "host: 192.168.1.20", "port: 502",
        ":9: buses.tcp-1.host: is missing."),
    "one unknown bus, used twice": (
        "  rs485-1: {", "  rs485-7: {",
        ":11: devices[0].bus: 'rs485-1' is not a bus of this file. Did you mean 'rs485-7'? It stands in 2 places."),
    "misspelt key of a device": (
        "unit: 6", "unti: 6",
        ":12: devices[1].unti: unknown key. Did you mean 'unit'?"),
    "misspelt section": (
        "poles:\n", "pole:\n",
        ":4: pole: unknown key. Did you mean 'poles'?"),
    "name with a slash": (
        "device: water-1", "device: water/1",
        ":12: devices[1].device: 'water/1' is not allowed: a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, the "
        "first a letter or a digit."),
    "area in Chinese": (
        "area: wuhou", "area: 武侯",
        ":1: area: '武侯' is not allowed: a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, the "
        "first a letter or a "
        "digit."),
    "not a broker": (
        '"mqtt://127.0.0.1:1883"', '"127.0.0.1:1883"',
        ":3: gateways.gw-1.broker: '127.0.0.1:1883': a broker is mqtt://host:port or mqtts://host:port, "
        "without user or "
        "path."),
    "certificate without encryption": (
        "pole: P0001}\n", "pole: P0001, ca: ca.pem}\n",
        ":3: gateways.gw-1.broker: ca is given, but mqtt:// is not encrypted. Write mqtts://, or delete ca."),
    "certificate without key": (
        '"mqtt://127.0.0.1:1883"', '"mqtts://127.0.0.1:8883", cert: a.pem',
        ":3: gateways.gw-1.cert: cert is given without key. A client certificate needs both."),
    "keep without a unit": (
        "pole: P0001}\n", "pole: P0001, keep: 7}\n",
        ":3: gateways.gw-1.keep: 7: a duration is a number with ms, s, m, h or d, as in 500ms, 5s or 15m."),
    "no devices": (
        GOOD[GOOD.index("devices:"):], "",
        ":1: devices: is missing."),
    "devices as a mapping": (
        GOOD[GOOD.index("devices:"):], "devices: {air-1: {}}\n",
        ":10: devices: a mapping is not a list (lines that begin with `- `)."),
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


def two_gateways(second_pole: str) -> str:
    second = f'  gw-2: {{broker: "mqtt://127.0.0.1:1883", pole: {second_pole}}}\n'
    return GOOD.replace("poles:\n", f"{second}poles:\n")


def test_with_two_gateways_a_bus_says_whose_it_is(tmp_path: Path) -> None:
    text = two_gateways("P0002").replace("{host:", "{gateway: gw-2, host:")
    assert messages(written(tmp_path, text)) == [
        ":9: buses.rs485-1: gateway is missing. There are several: say which of gw-1, gw-2."
    ]


def test_a_pole_carries_one_gateway(tmp_path: Path) -> None:
    text = two_gateways("P0001").replace("{host:", "{gateway: gw-2, host:").replace("{port:", "{gateway: gw-1, port:")
    assert messages(written(tmp_path, text)) == [
        ":4: gateways.gw-2.pole: 'P0001' already carries the gateway gw-1. Give each gateway its own pole."
    ]


@pytest.mark.parametrize(
    ("name", "what"), [("gateway", "the own device of gw-1"), ("bus-rs485-1", "what gw-1 tells of its bus rs485-1")]
)
def test_a_controller_is_not_called_as_what_the_gateway_of_its_pole_tells(tmp_path: Path, name: str, what: str) -> None:
    more = f'controllers:\n  {name}: {{board: linux, broker: "mqtt://127.0.0.1:1883", pole: P0001}}\n'
    assert messages(written(tmp_path, GOOD.replace("poles:\n", f"{more}poles:\n"))) == [
        f":5: controllers.{name}: '{name}' is {what} on this pole. Choose another name."
    ]
    other = more.replace("pole: P0001", "pole: P0002")
    assert name in site.load(written(tmp_path, GOOD.replace("poles:\n", f"{other}poles:\n"))).controllers


@pytest.mark.parametrize(("key", "value"), [("user", "gw-1"), ("spool", "gw-1.db")])
def test_gateways_share_no_user_and_no_spool(tmp_path: Path, key: str, value: str) -> None:
    text = two_gateways("P0002").replace("{host:", "{gateway: gw-2, host:").replace("{port:", "{gateway: gw-1, port:")
    text = text.replace("pole: P0002}\npoles", f"pole: P0002, {key}: {value}}}\npoles")
    assert messages(written(tmp_path, text)) == [
        f":4: gateways.gw-2.{key}: '{value}' is already the {key} of gw-1. "
        + {"user": "Give each node a user of its own.", "spool": "Give each gateway its own file."}[key]
    ]


def test_one_port_on_two_gateways_is_two_ports(tmp_path: Path) -> None:
    text = two_gateways("P0002").replace(
        "  tcp-1: {host: 192.168.1.20}",
        "  tcp-1: {gateway: gw-2, host: 192.168.1.20}\n  rs485-2: {gateway: gw-2, port: /dev/ttyUSB0}",
    )
    found = site.load(
        written(tmp_path, text.replace("{port: /dev/ttyUSB0, b", "{gateway: gw-1, port: /dev/ttyUSB0, b"))
    )
    assert list(found.buses_of("gw-1")) == ["rs485-1"]
    assert list(found.buses_of("gw-2")) == ["tcp-1", "rs485-2"]


def crowd(count: int, profile: str = "wp8028adam", baud: int = 9600) -> str:
    """A bus with many devices of one kind."""
    head = GOOD[: GOOD.index("devices:")].replace("  tcp-1: {host: 192.168.1.20}\n", "").replace("9600", str(baud))
    lines = [
        f"  - {{pole: P0001, device: d-{unit}, profile: {profile}, bus: rs485-1, unit: {unit}}}\n"
        for unit in range(1, count + 1)
    ]
    return head + "devices:\n" + "".join(lines)


def test_a_bus_that_cannot_carry_its_polls(tmp_path: Path) -> None:
    # One read of 8 inputs: 14 characters of 10 bits and a silence of 3.5 at 9600 baud, and 20 ms of latency.
    load = 30 * (17.5 * 10 / 9600 + 0.02)
    assert messages(written(tmp_path, crowd(30))) == [
        f":8: buses.rs485-1: the bus cannot carry its polls: they need {load:.0%} of its time. 30 devices, most by "
        "P0001/d-1 (wp8028adam, 4%), P0001/d-2 (wp8028adam, 4%), P0001/d-3 (wp8028adam, 4%). "
        "`pole bus plan` with this file says what to change."
    ]


def test_a_site_is_read_for_planning_whatever_its_buses_have_to_do(tmp_path: Path) -> None:
    assert len(site.load(written(tmp_path, crowd(30)), crowded=True).devices) == 30


def test_a_nearly_full_bus_is_a_warning(tmp_path: Path) -> None:
    found, warnings = site.read(written(tmp_path, crowd(20)))
    load = 20 * (17.5 * 10 / 9600 + 0.02)
    assert site_checks.load_of(found, "rs485-1", loader.profiles()) == pytest.approx(load)
    assert [text.split(": ", 1)[1] for text in warnings] == [
        f"buses.rs485-1: polls need {load:.0%} of the bus's time; little is left for repeats and "
        f"commands. 20 devices, most "
        "by P0001/d-1 (wp8028adam, 4%), P0001/d-2 (wp8028adam, 4%), P0001/d-3 (wp8028adam, 4%). "
        "`pole bus plan` with this file says what to change."
    ]


def test_a_faster_bus_carries_the_same_devices_without_a_warning(tmp_path: Path) -> None:
    _, warnings = site.read(written(tmp_path, crowd(20, baud=115200)))
    assert [text for text in warnings if "polls need" in text] == []


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("  tcp-1:", "  spare: {port: /dev/ttyUSB7}\n  tcp-1:", ":9: buses.spare: no device is on this bus."),
        (
            "baud: 9600",
            "baud: 19200",
            ":11: devices[0].profile: xy-md03 leaves the factory with 9600 8N1, but rs485-1 has 19200 "
            "8N1. Set the device "
            "before you connect it.",
        ),
        (
            "  P0002: {",
            "  p0001: {position: [1, 2]}\n  P0002: {",
            ":6: poles.p0001: differs from P0001 only by capital letters.",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    _, warnings = site.read(path)
    assert wanted in [text.removeprefix(str(path)) for text in warnings]


def test_a_gateway_without_a_bus_is_a_warning(tmp_path: Path) -> None:
    text = two_gateways("P0002").replace("{host:", "{gateway: gw-1, host:").replace("{port:", "{gateway: gw-1, port:")
    path = written(tmp_path, text)
    _, warnings = site.read(path)
    assert [text.removeprefix(str(path)) for text in warnings] == [":4: gateways.gw-2: no bus belongs to this gateway."]


def test_the_example_is_right_and_without_a_doubt() -> None:
    found, warnings = site.read(EXAMPLE)
    assert warnings == []
    assert {device.profile for device in found.devices} <= set(loader.profiles())


def test_defaults_and_relative_paths(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("pole: P0001}\npoles", "pole: P0001, password_file: gw-1.password}\npoles"))
    found = site.load(path)
    gateway = found.gateways["gw-1"]
    assert (gateway.spool, gateway.password_file) == (tmp_path / "gw-1.db", tmp_path / "gw-1.password")
    assert (found.user_of("gw-1"), gateway.keep, gateway.confirm) == ("gw-1", 7 * 86400, "ingest")
    assert isinstance(found.buses["rs485-1"], SerialBus)
    assert isinstance(found.buses["tcp-1"], TcpBus)
    assert {bus.gateway for bus in found.buses.values()} == {"gw-1"}
    assert [device.id for device in found.devices_on("tcp-1")] == ["P0001/lamp-1", "P0002/lamp-1"]
    assert len(found.devices_of("gw-1")) == 4
    assert found.devices[0].channel == 0


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    text = GOOD.replace("pole: P0001}\npoles", "pole: P0001, spool: /var/lib/multipole/gw-1.db}\npoles")
    assert site.load(written(tmp_path, text)).gateways["gw-1"].spool == Path("/var/lib/multipole/gw-1.db")


def test_two_kinds_of_mistake_are_two_messages_by_line(tmp_path: Path) -> None:
    text = GOOD.replace("profile: qdy30a", "profile: qdy30").replace("P0001, device: air-1", "P0009, device: air-1")
    assert [found.split(":")[1] for found in messages(written(tmp_path, text))] == ["11", "12"]


def test_a_city_of_ten_thousand_devices_is_read_in_seconds(tmp_path: Path) -> None:
    import time

    head = GOOD[: GOOD.index("buses:")]
    buses = "".join(f"  bus-{bus}: {{host: 10.0.{bus // 250}.{bus % 250 + 1}}}\n" for bus in range(100))
    devices = "".join(
        f"  - {{pole: P0001, device: d-{bus}-{unit}, profile: xy-md03, bus: bus-{bus}, unit: {unit}}}\n"
        for bus in range(100)
        for unit in range(1, 101)
    )
    path = written(tmp_path, f"{head}buses:\n{buses}devices:\n{devices}")
    start = time.process_time()  # others may want the machine, too
    assert len(site.load(path).devices) == 10_000
    assert time.process_time() - start < 30
