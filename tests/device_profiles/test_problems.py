"""Each mistake in a profile is one message: file, line, key, value, what is allowed, what to do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from device_profiles import loader, problems
from device_profiles.problems import FileProblem
from device_profiles.schema import Labels, Name
from wire.names import is_name

GOOD = """\
profile: demo
version: 1
function: air
maker: Somebody
model: A
labels: {en: Sensor, zh: 传感器}
source: a data sheet of somebody
verified: manual
protocol: modbus
modbus: {unit: 1, baud: 9600}
polls:
  air: {every: 10s, silence: 5m}
points:
  temperature:
    labels: {en: Air temperature, zh: 气温}
    unit: Cel
    at: {table: holding, address: 10, type: int16, scale: 0.1}
    range: [-40, 85]
    deadband: 0.1
    poll: air
  limit:
    labels: {en: Limit, zh: 上限}
    at: {table: holding, address: 20, type: uint16}
    poll: air
    own: true
  alarm:
    labels: {en: Alarm, zh: 报警}
    at: {table: coil, address: 3}
    poll: air
    own: true
commands:
  set_limit:
    labels: {en: Set the limit, zh: 设置上限}
    args:
      limit: {labels: {en: Limit, zh: 上限}, range: [0, 100]}
    write: {table: holding, address: 20, type: uint16}
    read_back: limit
"""

# what is replaced, by what, and the one message (after the file's name)
BROKEN = {
    "unknown key": (
        "version: 1\n", "version: 1\nmakr: x\n",
        ":3: makr: unknown key. Did you mean 'maker'?"),
    "misspelt key": (
        "maker: Somebody", "makre: Somebody",
        ":4: makre: unknown key. Did you mean 'maker'?"),
    "unknown key without a near one": (
        "unit: Cel", "unit: Cel\n    zzz: 1",
        ":17: points.temperature.zzz: unknown key. Known are labels, unit, function, at, item, input, adc, "
        "i2c, lamp, counter, own, range, "
        "invalid, values, deadband, poll, event, emulate."),
    "missing key": (
        "verified: manual\n", "",
        ":1: verified: is missing."),
    "wrong choice": (
        "function: air", "function: airr",
        ":3: function: 'airr' is not one of lighting, wifi, camera, screen, air, emergency, water, charging, manhole, "
        "energy, leakage, tilt or gateway. Did you mean 'air'?"),
    "wrong type name": (
        "type: int16", "type: int61",
        ":17: points.temperature.at.type: 'int61' is not one of bool, uint16, int16, uint32, int32, float32, uint64, "
        "int64 or float64. Did you mean 'int64'?"),
    "wrong number of stop bits": (
        "baud: 9600}", "baud: 9600, stop_bits: 3}",
        ":10: modbus.stop_bits: 3 is not one of 1 or 2."),
    "unit out of range": (
        "unit: 1, baud", "unit: 300, baud",
        ":10: modbus.unit: 300 is out of range: allowed is 1 to 255."),
    "text for a number": (
        "version: 1", "version: one",
        ":2: version: 'one' is not a whole number."),
    "number for a text": (
        "maker: Somebody", "maker: 7",
        ":4: maker: 7 is not a text: put it in quotes."),
    "empty value": (
        "maker: Somebody", "maker:",
        ":4: maker: is empty: write a text, or leave the line out."),
    "list for a mapping": (
        "labels: {en: Sensor, zh: 传感器}", "labels: [Sensor]",
        ":6: labels: a list is not a mapping (lines of `key: value`)."),
    "missing Chinese label": (
        "labels: {en: Sensor, zh: 传感器}", "labels: {en: Sensor}",
        ":6: labels.zh: is missing."),
    "bad duration": (
        "every: 10s", "every: 10",
        ":12: polls.air.every: 10: a duration is a number with ms, s, m, h or d, as in 500ms, 5s or 15m."),
    "zero duration": (
        "every: 10s", "every: 0s",
        ":12: polls.air.every: '0s' is out of range: allowed is above 0s."),
    "bad point name": (
        "  temperature:\n", "  Temp-1:\n",
        ":14: points.Temp-1: 'Temp-1' is not allowed: a name here has 1 to 48 of the characters a-z 0-9 _, the first a "
        "letter."),
    "range of one number": (
        "range: [-40, 85]", "range: [-40]",
        ":18: points.temperature.range: too few values: write 2, as in [1, 2]."),
    "range of three numbers": (
        "range: [-40, 85]", "range: [-40, 85, 99]",
        ":18: points.temperature.range: has 3 values: at most 2."),
    "not a finite number": (
        "deadband: 0.1", "deadband: .nan",
        ":19: points.temperature.deadband: nan is not allowed: write a finite number."),
    "range out of order": (
        "range: [-40, 85]", "range: [85, -40]",
        ":18: points.temperature.range: [85, -40] is out of order: write the lowest value first."),
    "deadband wider than the range": (
        "deadband: 0.1", "deadband: 200",
        ":19: points.temperature.deadband: 200 is as wide as the range [-40, 85]: nothing would ever be reported."),
    "unknown poll group": (
        "    deadband: 0.1\n    poll: air", "    deadband: 0.1\n    poll: aire",
        ":20: points.temperature.poll: 'aire' is not a group of polls. Did you mean 'air'?"),
    "unused poll group": (
        "polls:\n", "polls:\n  slow: {every: 1m}\n",
        ":12: polls.slow: no point is in this group. Delete it, or name it in a point's poll."),
    "silence shorter than every": (
        "silence: 5m", "silence: 5s",
        ":12: polls.air.silence: 5 s is shorter than every (10 s): a poll reports a point at most once."),
    "no modbus section": (
        "modbus: {unit: 1, baud: 9600}\n", "",
        ":1: modbus is missing. The protocol is modbus: add `modbus: {unit: 1, baud: 9600}` with the factory "
        "settings."),
    "no location": (
        "    at: {table: coil, address: 3}\n", "",
        ":26: points.alarm: at is missing. The protocol is modbus: say where the value stands."),
    "a counter on a Modbus device": (
        "    at: {table: coil, address: 3}\n", "    at: {table: coil, address: 3}\n    counter: uptime_s\n",
        ":29: points.alarm.counter: the protocol is modbus, which has no counter. Delete it."),
    "overlapping addresses": (
        "address: 10, type: int16, scale: 0.1}", "address: 19, type: int32, scale: 0.1}",
        ":23: points.limit.at.address: 20 (uint16) overlaps temperature in the table holding. Check both."),
    "duplicate address": (
        "address: 10, type", "address: 20, type",
        ":23: points.limit.at.address: 20 (uint16) overlaps temperature in the table holding. Check both."),
    "type on a coil": (
        "{table: coil, address: 3}", "{table: coil, address: 3, type: uint16}",
        ":28: points.alarm.at: a coil is one bit: type is bool and bit is left out."),
    "no type on a register": (
        "address: 20, type: uint16}\n    poll", "address: 20}\n    poll",
        ":23: points.limit.at: a bool in a register needs its bit (0 to 15), and only a bool has one."),
    "beyond the last address": (
        "address: 20, type: uint16}\n    poll", "address: 65535, type: uint32}\n    poll",
        ":23: points.limit.at: the value reaches beyond address 65535."),
    "address out of range": (
        "address: 20, type: uint16}\n    poll", "address: 70000, type: uint16}\n    poll",
        ":23: points.limit.at.address: 70000 is out of range: allowed is 0 to 65535."),
    "scale zero": (
        "scale: 0.1", "scale: 0",
        ":17: points.temperature.at.scale: 0 makes every value the same. Leave it out, or write the device's factor, "
        "as in 0.1."),
    "scale divided by zero": (
        "scale: 0.1", "scale: 1/0",
        ":17: points.temperature.at.scale: '1/0': a fraction needs a number other than 0 below the line."),
    "step without channels": (
        "scale: 0.1}", "scale: 0.1, step: 2}",
        ":17: points.temperature.at.step: 2 has no use: the device has one channel. Delete step, or set "
        "modbus.channels."),
    "value wider than a block": (
        "modbus: {unit: 1, baud: 9600}\npolls:\n  air: {every: 10s, silence: 5m}\npoints:\n",
        "modbus: {unit: 1, baud: 9600, block: 1}\npolls:\n  air: {every: 10s}\npoints:\n  total:\n"
        "    labels: {en: T, zh: 总}\n    own: true\n    poll: air\n    at: {table: input, address: 0, type: uint32}\n",
        ":18: points.total.at.type: uint32 takes 2 registers, but modbus.block allows 1 in a read."),
    "emulated outside the range": (
        "    deadband: 0.1\n", "    emulate: {around: 80, swing: 10}\n",
        ":19: points.temperature.emulate: moves from 70 to 90, outside the range [-40, 85]. Change around or swing."),
    "a wave without a period": (
        "    deadband: 0.1\n", "    emulate: {around: 8, swing: 1, period: 0s}\n",
        ":19: points.temperature.emulate.period: '0s' is out of range: allowed is above 0s."),
    "empty source": (
        "source: a data sheet of somebody", "source: me",
        ":7: source: 'me' is too short: at least 10 characters."),
    "deadband on a bool": (
        "address: 3}\n", "address: 3}\n    deadband: 1\n",
        ":29: points.alarm.deadband: a bool has no deadband. Delete it."),
    "codes on a scaled value": (
        "    deadband: 0.1\n", "    deadband: 0.1\n    values: {1: on}\n",
        ":20: points.temperature.values: codes are raw numbers: a point with values has neither scale nor offset."),
    "codes on a float": (
        "type: int16, scale: 0.1}", "type: float32}\n    invalid: [7]",
        ":18: points.temperature.invalid: codes need an integer type, not float32. Delete invalid."),
    "write to an input register": (
        "write: {table: holding", "write: {table: input",
        ":36: commands.set_limit.write.table: 'input' cannot be written. Allowed are coil and holding."),
    "read back what is not there": (
        "read_back: limit", "read_back: limmit",
        ":37: commands.set_limit.read_back: 'limmit' is not a point of this profile. Did you mean 'limit'?"),
    "read back another kind": (
        "read_back: limit", "read_back: alarm",
        ":37: commands.set_limit.read_back: 'alarm' is bool, but uint16 is written. Read back a point of the same "
        "kind."),
    "argument that does not fit": (
        "range: [0, 100]", "range: [0, 70000]",
        ":35: commands.set_limit.args.limit.range: 70000.0 does not fit a uint16 (scale 1.0, offset 0.0). Narrow the "
        "range, or choose a wider type."),
    "argument out of order": (
        "range: [0, 100]", "range: [100, 0]",
        ":35: commands.set_limit.args.limit.range: [100, 0] is out of order: write the lowest value first."),
    "name that is not the file's": (
        "profile: demo", "profile: other",
        ":1: profile: 'other' must be the file's name: rename the file to other.yaml."),
    "key twice": (
        "version: 1\n", "version: 1\nversion: 2\n",
        ":3: version stands twice (first on line 2): keep one of them."),
    "key twice, deep": (
        "    unit: Cel\n", "    unit: Cel\n    unit: K\n",
        ":17: points.temperature.unit stands twice (first on line 16): keep one of them."),
    "anchor": (
        "labels: {en: Sensor, zh: 传感器}", "labels: &a {en: Sensor, zh: 传感器}",
        ":6: anchors and aliases (& and *) are not read here: write the value out."),
    "tag": (
        "maker: Somebody", "maker: !!python/name:os.system x",
        ":4: the tag tag:yaml.org,2002:python/name:os.system is not read here: leave it out."),
    "second document": (
        "function: air\n", "function: air\n---\n",
        ":4: a second document begins (`---`): keep one document in a file."),
}  # fmt: skip


def broken(tmp_path: Path, old: str, new: str) -> Path:
    assert GOOD.count(old) == 1, f"{old!r} must stand once"
    path = tmp_path / "demo.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    return path


def messages(path: Path) -> list[str]:
    with pytest.raises(FileProblem) as caught:
        loader.load(path)
    return [text.removeprefix(str(path)) for text in caught.value.messages]


def test_the_unbroken_profile_loads(tmp_path: Path) -> None:
    path = broken(tmp_path, "version: 1", "version: 2")
    assert loader.load(path).version == 2


@pytest.mark.parametrize("kind", BROKEN)
def test_one_mistake_is_one_message(tmp_path: Path, kind: str) -> None:
    old, new, wanted = BROKEN[kind]
    assert messages(broken(tmp_path, old, new)) == [wanted]


def test_three_mistakes_are_three_messages_in_the_order_of_lines(tmp_path: Path) -> None:
    path = broken(tmp_path, "verified: manual", "verified: maybe")
    path.write_text(path.read_text("utf-8").replace("unit: 1,", "unit: 0,").replace("function: air", "function: ear"))
    assert [text.split(":")[1] for text in messages(path)] == ["3", "8", "10"]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", ": the file is empty. It starts with `key: value` lines."),
        (b"# only a comment\n", ": the file is empty. It starts with `key: value` lines."),
        (b"just a text\n", ":1: the file is a text, not a mapping. It starts with `key: value` lines."),
        (b"- 1\n- 2\n", ":1: the file is a list, not a mapping. It starts with `key: value` lines."),
        (
            b"a: 1\nb: \xff\n",
            ":2: byte 8 is not UTF-8; it may be Windows-1252. Save the file again with the encoding UTF-8.",
        ),
        (
            "a: 1\n\nb: 北门\n".encode("gb18030"),
            ":3: byte 9 is not UTF-8; it may be GBK. Save the file again with the encoding UTF-8.",
        ),
        (
            "a: 1\n".encode("utf-16"),
            ":1: byte 0 is not UTF-8; it may be UTF-16. Save the file again with the encoding UTF-8.",
        ),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, content: bytes, wanted: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_bytes(content)
    assert messages(path) == [wanted]


@pytest.mark.parametrize(
    "content", ["a: [1, 2\n", "a: b: c\n", "a:\n\t- 1\n", "{", "a: 'x\n", "*a\n", "a: \x00\n", "a: " + "[" * 5000]
)
def test_what_is_not_yaml_is_one_line_without_a_trace(tmp_path: Path, content: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(content)
    found = messages(path)
    assert len(found) == 1
    assert "\n" not in found[0]
    assert len(found[0]) < 200


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    assert messages(path) == [": cannot be read: No such file or directory. Check the path and its permissions."]


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert messages(tmp_path) == [": cannot be read: Is a directory. Check the path and its permissions."]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("y", "y"), ("true", True), ("False", False),
        ("0x1F4", 500), ("0o17", 15), ("010", "010"), ("12:30:45", "12:30:45"), ("1_000", "1_000"),
        ("-12", -12), ("+3", 3), ("0", 0), ("1.50", 1.5), (".5", 0.5), ("1e3", 1000.0), ("5.", 5.0),
        ("-.inf", float("-inf")),
        ("2026-01-01", "2026-01-01"), ("~", None), ("null", None), ("", None), ("'5'", "5"), ('"no"', "no"),
        ("北门", "北门"), ("1.2.3", "1.2.3"), ("0x", "0x"),
    ],
)  # fmt: skip
def test_words_mean_what_they_look_like(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(f"key: {text}\n", encoding="utf-8")
    read = problems.read_yaml(path)["key"]
    assert read == value
    assert type(read) is type(value)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfkey: 1\n")
    assert problems.read_yaml(path) == {"key": 1}


def test_lines_of_keys_and_items(tmp_path: Path) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text("a:\n  - 1\n  - b: 2\n    c: 3\nd: {e: 4}\n")
    lines = problems.read_yaml(path).lines
    assert lines[("a",)] == 1
    assert lines[("a", 1)] == 3
    assert lines[("a", 1, "c")] == 4
    assert lines[("d", "e")] == 5
    assert problems.line_of(lines, ("a", 1, "missing")) == 3


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    found = messages(broken(tmp_path, "function: air", f"function: {'x' * 500}"))
    assert len(found) == 1
    assert len(found[0]) < 320


def test_a_plain_mapping_is_checked_without_lines() -> None:
    with pytest.raises(FileProblem, match=r"^here: zh: is missing\.$"):
        problems.check(Labels, {"en": "x"}, "here")


@given(st.text(max_size=70) | st.text("aZ0._-", max_size=70))
def test_a_name_is_what_the_wire_calls_a_name(text: str) -> None:
    try:
        TypeAdapter(Name).validate_python(text)
        taken = True
    except ValidationError:
        taken = False
    assert taken == is_name(text)
