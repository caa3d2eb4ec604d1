"""What hangs on a controller's pins: raw numbers and bytes to values and back, and what is said of a wrong profile."""

import struct
from pathlib import Path

import pytest

from device_profiles import loader, wired
from device_profiles.registers import NoValue
from device_profiles.review import review
from device_profiles.schema import Point
from protocols.errors import BadAnswer
from simulators import round_trip

HEAD = """\
profile: demo
version: 1
function: {function}
maker: Somebody
model: A
labels: {{en: Device, zh: 设备}}
source: a data sheet of somebody
verified: manual
protocol: wired
"""
CHIP = (
    HEAD.format(function="air")
    + """\
wired: {i2c: needed, addresses: [0x44, 0x45]}
polls:
  live: {every: 10s, silence: 5m}
points:
  temperature:
    labels: {en: Air temperature, zh: 气温}
    unit: Cel
    i2c: {write: "24 00", wait: 16ms, read: 6, polynomial: 0x31, start: 0xFF, scale: 175/65535, offset: -45}
    range: [-40, 125]
    poll: live
  humidity:
    labels: {en: Relative humidity, zh: 相对湿度}
    unit: "%RH"
    i2c: {write: "24 00", wait: 16ms, read: 6, byte: 3, polynomial: 0x31, start: 0xFF, scale: 100/65535}
    range: [0, 100]
    poll: live
"""
)
CHIP_GOLDEN = """\
source: computed for this test
recorded: false
framing: hex
exchanges:
  - ["24 00", "66 66 93 be ef 92"]
values: {temperature: 25, humidity: 74.5845731289}
"""
CONTACT = (
    HEAD.format(function="manhole")
    + """\
wired: {pin: needed}
polls:
  live: {every: 1s, silence: 5m}
points:
  cover_open:
    labels: {en: Open, zh: 打开}
    input: contact
    event: true
    poll: live
"""
)
CONTACT_GOLDEN = """\
source: computed for this test
recorded: false
framing: text
exchanges:
  - ["", "input 1"]
values: {cover_open: true}
"""
LAMP = (
    HEAD.format(function="lighting")
    + """\
wired: {pwm: needed, pin: optional}
polls:
  live: {every: 5m, silence: 5m}
points:
  level:
    labels: {en: Level, zh: 亮度}
    unit: "%"
    lamp: level
    range: [0, 100]
    poll: live
commands:
  set_level:
    labels: {en: Dim, zh: 调光}
    args:
      level: {labels: {en: Level, zh: 亮度}, unit: "%", range: [0, 100]}
    lamp: level
    read_back: level
  auto:
    labels: {en: Schedule, zh: 自动}
    args: {}
    lamp: auto
"""
)
BASES = {"chip": (CHIP, CHIP_GOLDEN), "contact": (CONTACT, CONTACT_GOLDEN), "lamp": (LAMP, None)}

# base, what is replaced, by what, and the one message
BROKEN = {
    "nothing of what it uses": (
        "contact", "wired: {pin: needed}\n", "",
        "demo.yaml:1: wired is missing. It says what of a controller the device uses: add it, as in `wired: "
        "{pin: needed}`."
    ),
    "a section of a device that is not wired": (
        "contact", "protocol: wired\n", "protocol: sip\n",
        "demo.yaml:9: protocol: sip, but every point is written for wired. Write wired here, or give each point "
        "an item of "
        "sip: alive, status_code or round_trip_ms."),
    "hardware that is not said": (
        "contact", "{pin: needed}", "{adc: needed}",
        "demo.yaml:10: wired: pin is not needed, but cover_open is read from it. Write `pin: needed`."),
    "hardware that is not enough": (
        "contact", "{pin: needed}", "{pin: optional}",
        "demo.yaml:10: wired.pin: pin is not needed, but cover_open is read from it. Write `pin: needed`."),
    "hardware that nobody uses": (
        "contact", "{pin: needed}", "{pin: needed, pwm: optional}",
        "demo.yaml:10: wired.pwm: no point uses pwm. Delete it, or write the point."),
    "a need that is none": (
        "contact", "{pin: needed}", "{pin: yes}",
        "demo.yaml:10: wired.pin: 'yes' is not one of needed or optional."),
    "a chip without addresses": (
        "chip", ", addresses: [0x44, 0x45]", "",
        "demo.yaml:10: wired: addresses are missing. Write those that the chip can have, as in addresses: "
        "[0x44, 0x45]."),
    "an address of eight bits": (
        "chip", "[0x44, 0x45]", "[0x88]",
        "demo.yaml:10: wired.addresses[0]: 136 is out of range: allowed is at most 119."),
    "addresses of a contact": (
        "contact", "{pin: needed}", "{pin: needed, addresses: [0x44]}",
        "demo.yaml:10: wired.addresses: only a chip on I²C has addresses. Delete it."),
    "an input that is none": (
        "contact", "input: contact", "input: button",
        "demo.yaml:16: points.cover_open.input: 'button' is not one of contact."),
    "two places": (
        "contact", "input: contact", "input: contact\n    adc: {scale: 1}",
        "demo.yaml:17: points.cover_open.adc: input is given too: a value stands in one place. Delete one of both."),
    "no place": (
        "contact", "    input: contact\n", "",
        "demo.yaml:14: points.cover_open: input, adc, i2c or lamp is missing. The protocol is wired: say where "
        "the value "
        "stands."),
    "a place of another protocol": (
        "contact", "input: contact", "at: {table: coil, address: 1}",
        "demo.yaml:9: protocol: wired, but every point is written for modbus. Write modbus here, or give each "
        "point what it "
        "is read from: input, adc, i2c or lamp."),
    "bytes that are none": (
        "chip", 'write: "24 00", wait: 16ms, read: 6, polynomial', 'write: "2400", wait: 16ms, read: 6, polynomial',
        "demo.yaml:17: points.temperature.i2c.write: '2400' is not allowed: bytes are pairs of small "
        "hexadecimal digits with "
        'blanks between, in quotes, as in "24 00".'),
    "an answer that is too short": (
        "chip", "read: 6, byte: 3", "read: 5, byte: 3",
        "demo.yaml:23: points.humidity.i2c.read: 5 bytes are read, but the number needs those up to 6. Check "
        "byte, number "
        "and read."),
    "two numbers in one place": (
        "chip", "byte: 3", "byte: 2",
        "demo.yaml:23: points.humidity.i2c: this is temperature already: one place is one point. Check both, or "
        "delete one."),
    "a CRC that is none": (
        "chip", "byte: 3, polynomial: 0x31, start", "byte: 3, start",
        "demo.yaml:23: points.humidity.i2c.start: there is no CRC, which could begin with it. Write polynomial, "
        "or delete "
        "it."),
    "a scale of nothing": (
        "chip", "scale: 100/65535", "scale: 0",
        "demo.yaml:23: points.humidity.i2c.scale: 0 makes every value the same. Leave it out, or write the "
        "sensor's factor."),
    "a lamp at nothing": (
        "lamp", "{pwm: needed, pin: optional}", "{pin: optional}",
        "demo.yaml:10: wired: a lamp hangs on a pin (a relay) or a pwm (0-10 V): write `pin: needed` or `pwm: "
        "needed`."),
    "a lamp without its level": (
        "lamp", '    args:\n      level: {labels: {en: Level, zh: 亮度}, unit: "%", range: [0, 100]}\n',
        "    args: {}\n",
        "demo.yaml:23: commands.set_level.args: `lamp: level` takes one argument, the level. Add it, as in level: {…, "
        "range: [0, 100]}."),
    "a level beyond all": (
        "lamp", 'unit: "%", range: [0, 100]}', 'unit: "%", range: [0, 254]}',
        "demo.yaml:24: commands.set_level.args.level.range: [0, 254] goes beyond the range of level, [0, 100]: what is "
        "outside could never be read back. Narrow this range, or widen that."),
    "a command of another name": (
        "lamp", "  auto:\n", "  schedule:\n",
        "demo.yaml:30: commands.schedule.lamp: `lamp: auto` is the command 'auto' of every lamp. Name it so."),
    "a command that goes nowhere": (
        "lamp", "    args: {}\n    lamp: auto\n", "    args: {}\n",
        "demo.yaml:27: commands.auto: lamp is missing. The protocol is wired: say where the value stands."),
    "a damaged exchange": (
        "chip", "92\"", "93\"",
        "demo.golden.yaml:6: values.humidity: 74.5845731289 is stated, but the exchange decodes to no number."),
    "an exchange of another chip": (
        "chip", "[\"24 00\"", "[\"24 01\"",
        "demo.golden.yaml:6: values.temperature: no exchange tells 24 00. Nor is humidity shown. They tell 24 01."),
    "a contact that is no number": (
        "contact", "input 1", "input on",
        "demo.golden.yaml:5: exchanges[0]: what stands at a pin is `adc` with microvolts, or `input` with 0 or 1."),
}  # fmt: skip


def messages(folder: Path, base: str, old: str, new: str) -> list[str]:
    profile, golden = BASES[base]
    assert (profile.count(old), (golden or "").count(old)) in ((1, 0), (0, 1))
    (folder / "demo.yaml").write_text(profile.replace(old, new), "utf-8")
    if golden is not None:
        (folder / "demo.golden.yaml").write_text(golden.replace(old, new), "utf-8")
    found = review(folder / "demo.yaml", round_trip.faults)
    return [text.removeprefix(f"{folder}/") for text in found.problems]


@pytest.mark.parametrize("base", BASES)
def test_an_unbroken_profile_passes(tmp_path: Path, base: str) -> None:
    assert messages(tmp_path, base, "version: 1", "version: 2") == []


@pytest.mark.parametrize("kind", BROKEN)
def test_one_mistake_is_one_message(tmp_path: Path, kind: str) -> None:
    base, old, new, wanted = BROKEN[kind]
    assert messages(tmp_path, base, old, new) == [wanted]


def test_the_check_sums_of_sensirion_s_data_sheets() -> None:
    assert wired.crc8(bytes.fromhex("beef"), 0x31, 0xFF) == 0x92  # SHT3x-DIS version 5, table 20
    assert wired.crc8(b"", 0x31, 0xFF) == 0xFF


def i2c(**keys: object) -> Point:
    return Point.model_validate(
        {"labels": {"en": "a", "zh": "甲"}, "poll": "live", "i2c": {"write": "", "read": 4, **keys}}
    )


@pytest.mark.parametrize(
    ("number", "form", "values"),
    [
        ("uint8", ">B", (0, 255)), ("int8", ">b", (-128, 127)), ("uint16", ">H", (0, 65535)),
        ("int16", ">h", (-32768, 32767)), ("uint32", ">I", (0, 2**32 - 1)), ("int32", ">i", (-(2**31), 2**31 - 1)),
    ],
)  # fmt: skip
def test_numbers_of_a_chip_are_struct_s(number: str, form: str, values: tuple[int, int]) -> None:
    point = i2c(number=number)
    for value in (*values, values[1] // 3):
        held = struct.pack(form, value).ljust(4, b"\0")
        assert wired.raw(point, value) == held
        assert wired.value(point, held) == value
    with pytest.raises(ValueError, match="does not fit"):
        wired.raw(point, values[1] + 1)


def test_a_truncated_answer_is_none_at_every_byte() -> None:
    point = loader.profile("sht31").points["humidity"]
    whole = bytes.fromhex("666693beef92")
    assert wired.value(point, whole) == pytest.approx(74.58457)
    for length in range(len(whole)):
        with pytest.raises(NoValue):
            wired.value(point, whole[:length])


@pytest.mark.parametrize("bit", range(24))
def test_a_bit_that_turned_over_is_noticed(bit: int) -> None:
    point = loader.profile("sht31").points["humidity"]
    damaged = bytearray(bytes.fromhex("666693beef92"))
    damaged[3 + bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoValue, match="crc"):
        wired.value(point, bytes(damaged))


def test_volts_of_a_loop() -> None:
    level = loader.profile("level-4-20ma").points["level"]
    assert [wired.value(level, microvolts) for microvolts in (400_000, 1_200_000, 2_000_000)] == [0, 2.5, 5]
    assert wired.raw(level, 2.5) == 1_200_000
    for broken in (0, 350_000, 2_060_000):  # no current, 3.5 mA, 20.6 mA
        with pytest.raises(NoValue, match="range"):
            wired.value(level, broken)


def test_contacts_and_lamps_are_what_they_are() -> None:
    contact = loader.profile("cover-contact").points["cover_open"]
    assert (wired.value(contact, 1), wired.value(contact, False), wired.raw(contact, 1)) == (True, False, True)
    lamp = loader.profile("lamp-0-10v").points
    assert (wired.value(lamp["level"], 40), wired.raw(lamp["level"], 39.6)) == (40, 40)
    with pytest.raises(NoValue, match="range"):
        wired.value(contact, b"\1")


@pytest.mark.parametrize("came", [b"adc", b"adc -1", b"adc 1.5", b"input", b"input x", b"adc \xd9\xa1"])
def test_what_no_pin_can_say(came: bytes) -> None:
    with pytest.raises(BadAnswer):
        wired.told(b"", came)


def test_what_is_at_a_pin() -> None:
    assert wired.told(b"", b"adc 1200000") == {"adc": 1_200_000}
    assert wired.told(b"", b"input 0") == {"input": False}
    assert wired.told(b"\x24\x00", b"\x66") == {"24 00": b"\x66"}


@pytest.mark.parametrize("name", ["lamp-relay", "lamp-0-10v"])
def test_a_lamp_at_a_pin_has_no_exchange(name: str) -> None:
    found = review(loader.files()[name], round_trip.faults)
    assert (found.checks["golden"], found.checks["emulator"]) == ("not needed", "ok")
