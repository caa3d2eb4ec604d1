"""Kinds of broken profiles of every protocol: one message for each mistake."""

import re
from pathlib import Path

import pytest

from device_profiles.review import review
from simulators import round_trip
from tests.device_profiles.broken import BASES, LAMPS, LAMPS_GOLDEN, messages

# base, what is replaced, by what, and the one message (after the file's name)
BROKEN = {
    "an item on a Modbus device": (
        "lamps", "at: {table: holding, address: 100, type: uint32, scale: 0.01, step: 2}",
        "item: {name: \"02010100\"}",
        ":24: points.energy_total.item: the protocol is modbus, which has no item. Write at in its place."),
    "a register on a meter of DL/T 645": (
        "meter", "item: {name: \"02010100\", scale: 0.1}",
        "at: {table: holding, address: 1, type: uint16}",
        ":16: points.voltage.at: the protocol is dlt645, which has no at. Write item in its place."),
    "neither item nor register": (
        "meter", "    item: {name: \"02010100\", scale: 0.1}\n",
        "",
        ":13: points.voltage: item is missing. The protocol is dlt645: say where the value stands."),
    "all registers, another protocol": (
        "lamps", "protocol: modbus",
        "protocol: dlt645",
        ":9: protocol: dlt645, but every point is written for modbus. Write modbus here, or give each "
        "point an item of dlt645: the 8 hexadecimal digits of a data identifier, in capitals, as in "
        "0201FF00."),
    "all items, but modbus": (
        "meter", "protocol: dlt645",
        "protocol: modbus",
        ":9: protocol: modbus, but every point is written for dlt645. Write dlt645 here, or give each "
        "point its register, as in at: {table: holding, address: 0, type: uint16}."),
    "all items of another protocol": (
        "meter", "protocol: dlt645",
        "protocol: snmp",
        ":9: protocol: snmp, but every point is written for dlt645. Write dlt645 here, or give each "
        "point an item of snmp: an object identifier in digits, as in 1.3.6.1.2.1.1.3.0, or with an "
        "interface's name last, as in .[eth0]."),
    "a protocol that is not known": (
        "meter", "protocol: dlt645",
        "protocol: dlt654",
        ":9: protocol: 'dlt654' is not one of modbus, dlt645, hj212, snmp, onvif, ocpp, multivision, "
        "sip, chirpstack, wired or gateway. Did you mean 'dlt645'?"),
    "a modbus section on a camera": (
        "camera", "polls:\n",
        "modbus: {unit: 1}\npolls:\n",
        ":10: modbus: the protocol is onvif, which has no modbus section. Delete it."),
    "both item and register": (
        "meter", "    unit: V\n",
        "    unit: V\n    at: {table: holding, address: 1, type: uint16}\n",
        ":16: points.voltage.at: the protocol is dlt645, which has no at. Delete it."),
    "a data identifier with a letter too few": (
        "meter", "\"02010100\"",
        "\"0201010\"",
        ":16: points.voltage.item.name: '0201010' is not an item of dlt645. It is the 8 hexadecimal "
        "digits of a data identifier, in capitals, as in 0201FF00."),
    "a factor without its command": (
        "station", "\"2011:LA-Rtd\"",
        "\"LA-Rtd\"",
        ":16: points.noise.item.name: 'LA-Rtd' is not an item of hj212. It is command, factor and field, "
        "as in 2011:a34004-Rtd, or as 1062:RtdInterval of a command."),
    "an object identifier by its name": (
        "access point", "name: 1.3.6.1.2.1.1.3.0",
        "name: sysUpTime.0",
        ":16: points.uptime.item.name: 'sysUpTime.0' is not an item of snmp. It is an object identifier "
        "in digits, as in 1.3.6.1.2.1.1.3.0, or with an interface's name last, as in .[eth0]."),
    "a verb in small letters": (
        "screen", "item: {name: BRIGH}\n    range",
        "item: {name: brigh}\n    range",
        ":16: points.brightness.item.name: 'brigh' is not an item of multivision. It is the verb in "
        "capital letters, as in BRIGH."),
    "an item of ONVIF with a blank": (
        "camera", "name: clock_skew_s",
        "name: clock skew",
        ":21: points.clock_skew.item.name: 'clock skew' is not an item of onvif. It is reachable, "
        "answer_ms, clock_skew_s, maker, model, firmware, serial, stream_alive or stream_ms, or of a "
        "command goto_preset or reboot. Did you mean 'clock_skew_s'?"),
    "an item of OCPP that is not known": (
        "charger", "name: meter.Voltage",
        "name: metr.Voltage",
        ":16: points.voltage.item.name: 'metr.Voltage' is not an item of ocpp. It is status, error_code, "
        "transaction or meter.<measurand>[.<phase>], with 2: before it for connector 2."),
    "an item of SIP that is not known": (
        "intercom", "name: alive",
        "name: alife",
        ":15: points.alive.item.name: 'alife' is not an item of sip. It is alive, status_code or "
        "round_trip_ms. Did you mean 'alive'?"),
    "a bit of an item": (
        "tilt", "byte: 0",
        "byte: 0, bit: 1",
        ":16: points.angle_x.item.bit: unknown key. Known are name, type, scale, offset, decimals, "
        "measured, byte, number."),
    "a channel and type that are not hexadecimal": (
        "tilt", "name: \"03cf\", byte: 0",
        "name: \"03xy\", byte: 0",
        ":16: points.angle_x.item.name: '03xy' is not an item of chirpstack. It is channel and type in 4 "
        "hexadecimal digits (0367), data, object.<name>, rssi, snr, batteryLevel or margin."),
    "an identifier that is a number in YAML": (
        "meter", "\"02010100\"",
        "12010100",
        ":16: points.voltage.item.name: 12010100 is not a text: put it in quotes."),
    "byte on another protocol": (
        "meter", "scale: 0.1}",
        "scale: 0.1, byte: 2}",
        ":16: points.voltage.item.byte: only items of chirpstack have byte. Delete it."),
    "number on another protocol": (
        "charger", "name: meter.Voltage",
        "name: meter.Voltage, number: int16",
        ":16: points.voltage.item.number: only items of chirpstack have number. Delete it."),
    "bytes without a number": (
        "tilt", "byte: 2, number: int16, scale: 0.01",
        "byte: 2",
        ":23: points.angle_y.item: number is missing. It says how the bytes that begin at `byte` hold "
        "the value."),
    "two items in the same bytes": (
        "tilt", "byte: 2",
        "byte: 1",
        ":23: points.angle_y.item.name: '03cf' is angle_x already: one item is one point. Check both, or "
        "delete one."),
    "one item twice": (
        "meter", "name: \"02020100\"",
        "name: \"02010100\"",
        ":23: points.current.item.name: '02010100' is voltage already: one item is one point. Check "
        "both, or delete one."),
    "an item that is scaled to nothing": (
        "access point", "scale: 0.01",
        "scale: 0",
        ":16: points.uptime.item.scale: 0 makes every value the same. Leave it out, or write the "
        "device's factor, as in 0.1."),
    "a text with a scale": (
        "screen", "item: {name: TEXT, type: text}\n    poll",
        "item: {name: TEXT, type: text, scale: 2}\n    poll",
        ":22: points.text.item.scale: a text has no scale. Delete it."),
    "a text with a range": (
        "screen", "    emulate: {texts: [Welcome]}",
        "    range: [0, 1]\n    emulate: {texts: [Welcome]}",
        ":24: points.text.range: a text has no range. Delete it."),
    "a text with a unit": (
        "screen", "    emulate: {texts: [Welcome]}",
        "    unit: \"%\"\n    emulate: {texts: [Welcome]}",
        ":24: points.text.unit: '%', but text of screen has no unit. Delete the line."),
    "a bool with a unit": (
        "intercom", "    poll: live",
        "    unit: s\n    poll: live",
        ":16: points.alive.unit: 's', but alive of emergency has no unit. Delete the line."),
    "a type of Modbus in an item": (
        "meter", "scale: 0.1}",
        "type: uint16}",
        ":16: points.voltage.item.type: 'uint16' is not one of number, bool or text."),
    "digits below zero": (
        "station", "decimals: 1",
        "decimals: -1",
        ":16: points.noise.item.decimals: -1 is out of range: allowed is 0 to 9."),
    "a point that is not in the vocabulary": (
        "meter", "  voltage:\n",
        "  voltge:\n",
        ":13: points.voltge: 'voltge' is not a standard point of energy. Did you mean 'voltage'? If it "
        "is a quantity of this maker's own, write `own: true`."),
    "a unit that a series does not have": (
        "meter", "unit: V",
        "unit: mV",
        ":15: points.voltage.unit: 'mV', but voltage of energy is told in V by every maker. Write V and "
        "multiply scale, range, deadband and emulate by 0.001."),
    "a kind that a series does not have": (
        "charger", "decimals: 1}\n    range: [0, 500]",
        "type: text}",
        ":13: points.voltage: voltage of charging is a number for every maker, but a text is read here. "
        "One series holds one kind: read it otherwise, or rename the point, with `own: true`."),
    "a percent that is a ratio": (
        "lamps", "range: [0, 100]\n    poll",
        "range: [0, 1]\n    poll",
        ":18: points.level.range: ends at 1, but % counts to 100. Write [0, 100]; where the device sends "
        "a ratio, multiply scale by 100."),
    "a ratio that is a percent": (
        "meter", "  current:\n    labels: {en: Current, zh: 电流}\n    unit: A",
        "  power_factor:\n    labels: {en: Power factor, zh: 功率因数}\n    unit: /",
        ":24: points.power_factor.range: ends at 100, but the unit / is a ratio, which is 1 where all is "
        "meant. Where the device sends percent, divide scale and range by 100."),
    "an argument in another unit": (
        "screen", "unit: \"%\", range",
        "unit: /, range",
        ":29: commands.set_brightness.args.brightness.unit: '/', but brightness, which is read back, is "
        "told in %. What is asked for and what is read back have one unit."),
    "an argument in no unit of SenML": (
        "station", "unit: s, range",
        "unit: seconds, range",
        ":24: commands.set_interval.args.interval.unit: 'seconds' is not a unit of SenML (RFC 8428, RFC "
        "8798). Write s."),
    "an argument without the unit of its read-back": (
        "charger", "unit: A, range: [6",
        "range: [6",
        ":31: commands.set_current.args.current.unit: is missing, but max_current, which is read back, "
        "is told in A. What is asked for and what is read back have one unit."),
    "a block that holds no value": (
        "lamps", "latency: 15ms}\npolls:\n  live: {every: 30s, silence: 5m}\npoints:\n",
        "latency: 15ms, block: 1}\npolls:\n  live: {every: 30s, silence: 5m}\npoints:\n  gear_temperature:\n"
        "    labels: {en: T, zh: 温}\n    own: true\n    at: {table: input, address: 0, type: float32}\n"
        "    poll: live\n",
        ":10: modbus.block: 1 is less than the 2 registers of gear_temperature and 1 more. Write how many "
        "registers the device gives in one read."),
    "a baud rate that no line has": (
        "lamps", "baud: 9600",
        "baud: 9800",
        ":10: modbus.baud: 9800 is not a standard baud rate; allowed are 1200, 2400, 4800, 9600, 14400, 19200, "
        "38400, 57600, 115200, 230400. Did you mean 9600?"),
    "a scale that takes the exchange's value out of range": (
        "meter", "scale: 0.1",
        "scale: 1",
        ":7: values.voltage: 100.1 is stated, but the exchange decodes to 1001, outside the range [0, 500]. Check "
        "scale, type and range."),
    "channels that overlap": (
        "lamps", "scale: 0.01, step: 2",
        "scale: 0.01, step: 1",
        ":24: points.energy_total.at.step: 1 is less than the 2 registers of a uint32: the channels "
        "overlap. Write 2 or more."),
    "a channel in another point's registers": (
        "lamps", "address: 100,",
        "address: 2570,",
        ":24: points.energy_total.at.address: 2570 (uint32) overlaps level (channel 10) in the table "
        "holding. Check both."),
    "a channel beyond the last address": (
        "lamps", "address: 2560,",
        "address: 65530,",
        ":17: points.level.at.step: channel 15 would stand beyond address 65535: with step 1 the last is "
        "5. Check address, step and modbus.channels."),
    "a poll faster than the line": (
        "lamps", "every: 30s",
        "every: 50ms",
        ":12: polls.live.every: 0.05 s is too short: its 2 reads take 0.071 s at 9600 baud. Write 500ms "
        "or more, or read fewer registers."),
    "a latency longer than the period": (
        "lamps", "latency: 15ms",
        "latency: 15m",
        ":10: modbus.latency: 900 s is longer than the period of live, 30 s. A device begins its answer "
        "after milliseconds, as in 30ms."),
    "emulated beyond what an item holds": (
        "tilt", "    range: [-180, 180]\n    poll: live\n    emulate: {around: 1}",
        "    poll: live\n    emulate: {around: 400}",
        ":18: points.angle_x.emulate: 400.0 does not fit a int16 (scale 0.01). Change around, swing or the "
        "range."),
    "emulated where it is no value": (
        "lamps", "    range: [0, 100]\n    poll: live",
        "    range: [0, 100]\n    invalid: [120]\n    poll: live",
        ":21: points.level.emulate: the emulated value 60.0 is read as no value: it is outside the "
        "range, or `invalid`."),
    "a point outside of points": (
        "meter", "  voltage:\n",
        "voltage:\n",
        ":20: this is not YAML: this line is indented by 2 blanks, which fits no line above. Indent it "
        "as its neighbours."),
    "lines of a point beside it": (
        "station",
        "    labels: {en: Noise level, zh: 噪声}\n    unit: dB\n    item: {name: \"2011:LA-Rtd\", decimals: 1}\n"
        "    range: [20, 140]\n    poll: live\n    emulate: {around: 58}",
        "  labels: {en: Noise level, zh: 噪声}\n  unit: dB\n  poll: live",
        ":14: points.labels: labels, unit, poll stand beside 'noise', which is empty. Indent their lines "
        "by two blanks more, below it."),
    "commands among points": (
        "station", "commands:",
        "  commands:",
        ":20: points.commands: commands stands among points, but belongs beside them: indent its line "
        "like that of 'points'."),
    "the line of commands is missing": (
        "charger", "commands:\n",
        "",
        ":27: points.set_current: this is one of commands, but stands under points. Write the line "
        "`commands:` above it."),
    "a poll group that all points name otherwise": (
        "meter", "  live:",
        "  lve:",
        ":11: polls.lve: no point is in this group. Did you mean 'live', as voltage, current write?"),
    "a label that holds a comma": (
        "meter", "{en: Voltage, zh",
        "{en: Voltage, phase A, zh",
        ":14: points.voltage.labels.phase A: unknown key, without a value. A text that holds a comma "
        "stands in quotes."),
    "a tab": (
        "meter", "    unit: V",
        "\tunit: V",
        ":15: this is not YAML: a tab indents this line. YAML indents with blanks: write two for each "
        "tab."),
    "a percent sign without quotes": (
        "screen", "unit: \"%\"\n",
        "unit: %\n",
        ":15: this is not YAML: a text that begins with % stands in quotes, as in \"%\"."),
    "a colon in a text": (
        "meter", "maker: Somebody",
        "maker: Somebody: the company",
        ":4: this is not YAML: a text that holds a colon and a blank stands in quotes, as in \"a: b\"."),
    "a full-width colon": (
        "meter", "maker: Somebody",
        "maker： Somebody",
        ":4: this is not YAML: 'maker： Somebody' has a full-width colon. Write `: `."),
    "no blank behind a colon": (
        "meter", "maker: Somebody",
        "maker:Somebody",
        ":4: this is not YAML: 'maker:Somebody': a blank is missing behind the colon."),
    "a bracket that is not closed": (
        "meter", "range: [0, 500]",
        "range: [0, 500",
        ":17: this is not YAML: a bracket opens here that no ] closes, or a comma is missing in it."),
    "a quote that is not closed": (
        "meter", "name: \"02010100\"",
        "name: \"02010100",
        ":16: this is not YAML: a quote opens in this line that none closes."),
    "a list for the points": (
        "intercom", "  alive:\n    labels",
        "  - labels",
        ":12: points: a list is not a mapping (lines of `key: value`)."),
    "a variant that is not known": (
        "meter", "protocol: dlt645",
        "variant_of: weather-8in\nprotocol: dlt645",
        ":9: variant_of: 'weather-8in' is not a known profile. Did you mean 'weather-8in1'? `pole "
        "profile list` shows all. Name the other profile of this device."),
    "a variant of itself": (
        "meter", "protocol: dlt645",
        "variant_of: demo\nprotocol: dlt645",
        ":9: variant_of: is this profile itself. Name the other profile of this device."),
}  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_an_unbroken_base_passes(tmp_path: Path, base: str) -> None:
    assert messages(tmp_path, base, "version: 1", "version: 2") == []


@pytest.mark.parametrize("kind", BROKEN)
def test_one_mistake_is_one_message(tmp_path: Path, kind: str) -> None:
    base, old, new, wanted = BROKEN[kind]
    assert messages(tmp_path, base, old, new) == [wanted]


def test_a_site_file_is_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("area: wuhou\npoles: {}\nbuses: {}\ndevices: []\n")
    (problem,) = review(path, round_trip.faults).problems
    assert problem.startswith(f"{path}:1: no key of a profile stands here, but area, poles, buses, devices.")


def test_a_poll_plan_that_the_line_cannot_carry_together(tmp_path: Path) -> None:
    crowded = LAMPS.replace("every: 30s", "every: 40ms").replace("baud: 9600", "baud: 19200").replace(
        "polls:\n", "polls:\n  slow: {every: 45ms}\n"
    ).replace("range: [0, 100000]\n    poll: live", "range: [0, 100000]\n    poll: slow")  # fmt: skip
    path = tmp_path / "demo.yaml"
    path.write_text(crowded, "utf-8")
    (tmp_path / "demo.golden.yaml").write_text(LAMPS_GOLDEN, "utf-8")
    (problem,) = review(path, round_trip.faults).problems
    assert re.search(
        r"polls: together they take 1\d\d% of the line's time at 19200 baud, .* Lengthen `every` of live\.$", problem
    )


def slips(text: str) -> list[str]:
    """A good file with one slip of the hand: a key misspelt, a line lost, doubled, or moved in or out."""
    found = []
    for match in re.finditer(r"[A-Za-z_]\w{2,}(?=:)", text):
        found.append(text[: match.end() - 1] + text[match.end() :])
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        for changed in ("", line + line, "  " + line, line.removeprefix("  ")):
            found.append("".join([*lines[:index], changed, *lines[index + 1 :]]))
    return found


@pytest.mark.parametrize("base", ["lamps", "screen", "meter"])
def test_no_slip_of_the_hand_is_a_cascade(tmp_path: Path, base: str) -> None:
    profile, golden = BASES[base]
    assert golden is not None
    path, beside = tmp_path / "demo.yaml", tmp_path / "demo.golden.yaml"
    told = 0
    for text, exchange in [(text, golden) for text in slips(profile)] + [(profile, text) for text in slips(golden)]:
        path.write_text(text, "utf-8")
        beside.write_text(exchange, "utf-8")
        problems = review(path, round_trip.faults).problems
        assert len(problems) <= 1, problems
        told += len(problems)
    assert told > 100
