"""Kinds of broken commands: one message for each mistake."""

from pathlib import Path

import pytest

from tests.device_profiles.broken import messages

# base, what is replaced, by what, and the one message (after the file's name)
BROKEN = {
    "a command where devices are only read": (
        "intercom", "    emulate: {around: 1}\n",
        "    emulate: {around: 1}\ncommands:\n  ring:\n    labels: {en: Ring, zh: 响铃}\n"
        "    args: {}\n    item: {name: ring}\n",
        ":18: commands: devices of the protocol sip are only read: they take no commands. Delete it."),
    "a command that is not known": (
        "camera", "item: {name: reboot}",
        "item: {name: rebot}",
        ":28: commands.reboot.item.name: 'rebot' is not a command of onvif. Did you mean 'reboot'? There "
        "are goto_preset, reboot."),
    "a command that is written to a register": (
        "camera", "item: {name: reboot}",
        "write: {table: coil, address: 1}",
        ":28: commands.reboot.write: the protocol is onvif, which has no write. Write item in its place."),
    "a command without its item": (
        "camera", "    item: {name: reboot}\n",
        "",
        ":25: commands.reboot: item is missing. The protocol is onvif: say where the value stands."),
    "a text for a number": (
        "screen", "unit: \"%\", range: [0, 100]",
        "length: [1, 9]",
        ":29: commands.set_brightness.args.brightness: the item is a number, which has a range. Write it "
        "for length, or write `type: text` in the item."),
    "a number for a text": (
        "screen", "length: [1, 60]",
        "range: [1, 60]",
        ":35: commands.set_text.args.text: the item is a text, which has a length. Write `length: [1, "
        "40]` for range, or change the item's type."),
    "an argument with neither range nor length": (
        "screen", ", length: [1, 60]",
        "",
        ":35: commands.set_text.args.text: an argument has either a range (a number) or a length (a "
        "text)."),
    "an argument with range and length": (
        "screen", "length: [1, 60]",
        "range: [0, 9], length: [1, 60]",
        ":35: commands.set_text.args.text: an argument has either a range (a number) or a length (a "
        "text)."),
    "two arguments": (
        "screen", "length: [1, 60]}",
        "length: [1, 60]}\n      more: {labels: {en: More, zh: 多}, length: [1, 60]}",
        ":34: commands.set_text.args: has 2 keys: at most 1."),
    "a text longer than any": (
        "screen", "[1, 60]",
        "[1, 600]",
        ":35: commands.set_text.args.text.length: 600 is more than the 200 characters that a text may have."),
    "a length out of order": (
        "screen", "[1, 60]",
        "[60, 1]",
        ":35: commands.set_text.args.text.length: [60, 1] is out of order: write the fewest characters "
        "first."),
    "a range beyond the read-back's": (
        "charger", "range: [6, 80]",
        "range: [6, 100]",
        ":31: commands.set_current.args.current.range: [6, 100] goes beyond the range of max_current, "
        "[0, 80]: what is outside could never be read back. Narrow this range, or widen that."),
    "nothing expected": (
        "screen", "    expect: 0\n",
        "",
        ":38: commands.clear: expect is missing. There is no argument, so say what brightness shows when "
        "it is done."),
    "expected, but not read back": (
        "screen", "    read_back: brightness\n    expect: 0",
        "    expect: 0",
        ":42: commands.clear.expect: nothing is read back, so nothing is expected. Add read_back, or "
        "delete it."),
    "expected in another kind": (
        "screen", "expect: 0",
        "expect: dark",
        ":43: commands.clear.expect: 'dark' is a text, but brightness, which is read back, is a number. "
        "Write what it shows, or read back another point."),
    "expected outside the range": (
        "screen", "expect: 0",
        "expect: 500",
        ":43: commands.clear.expect: 500 is outside the range of brightness, [0, 100]: it is never shown."),
    "read back what is not there": (
        "charger", "read_back: max_current",
        "read_back: max_curent",
        ":33: commands.set_current.read_back: 'max_curent' is not a point of this profile. Did you mean "
        "'max_current'?"),
    "a command over a part of a value": (
        "lamps", "address: 256,",
        "address: 101,",
        ":33: commands.set_level.write: 101 (uint16, scale 0.5) is where energy_total is read as uint32, "
        "scale 0.01 from 100: a register is written as it is read. Write it the same way, or check both."),
    "a command in other numbers than its point": (
        "lamps", "address: 256, type: uint16, scale: 0.5",
        "address: 2560, type: uint16, scale: 0.1",
        ":33: commands.set_level.write: 2560 (uint16, scale 0.1) is where level is read as uint16, scale "
        "0.5 from 2560: a register is written as it is read. Write it the same way, or check both."),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_one_mistake_is_one_message(tmp_path: Path, kind: str) -> None:
    base, old, new, wanted = BROKEN[kind]
    assert messages(tmp_path, base, old, new) == [wanted]
