"""Kinds of broken exchanges: one message for each mistake."""

from pathlib import Path

import pytest

from device_profiles.review import review
from simulators import round_trip
from tests.device_profiles.broken import METER, messages

# base, what is replaced, by what, and the one message (after the file's name)
BROKEN_GOLDEN = {
    "exchanges that are not there": (
        "screen",
        'LEDGBRIGH01=?\\r", "\\x01LEDRBRIGH01=75\\r"]\n  - ["\\x01LEDGTEXT01=?\\r", "\\x01LEDRTEXT01=Slow down',
        'LEDGPOWER01=?\\r", "\\x01LEDRPOWER01=1',
        ":6: values.brightness: no exchange tells BRIGH. Nor is text shown. They tell POWER."),
    "the framing of another protocol": (
        "meter", "framing: hex",
        "framing: rtu",
        ":3: framing: 'rtu' is not how dlt645 is framed. Write hex or text."),
    "a framing that is not known": (
        "meter", "framing: hex",
        "framing: hexx",
        ":3: framing: 'hexx' is not one of rtu, tcp, hex or text. Did you mean 'hex'?"),
    "no framing": (
        "meter", "framing: hex\n",
        "",
        ":1: framing: is missing. It says how the exchanges of dlt645 are written. Write hex or text."),
    "hexadecimal pairs as text": (
        "meter", "framing: hex",
        "framing: text",
        ":3: framing: text, but the exchanges are hexadecimal pairs. Write hex."),
    "text as hexadecimal pairs": (
        "screen", "framing: text",
        "framing: hex",
        ":3: framing: hex, but the exchanges are no hexadecimal pairs. Where they are what is sent, "
        "write text."),
    "a check sum of DL/T 645 that is wrong": (
        "meter", "43 10 16",
        "43 11 16",
        ":5: exchanges[0]: wrong check sum or end in 68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 11 "
        "16."),
    "a check sum of HJ 212 that is wrong": (
        "station", "1E00",
        "1E01",
        ":5: exchanges[0]: wrong check sum: ##0123QN=20160801085857223;ST=23;CN=2011;PW=***;…."),
    "a text that is not the protocol's": (
        "screen", "LEDRBRIGH01=75",
        "HELLO",
        ":5: exchanges[0]: no frame of a screen: b'HELLO'."),
    "an item that no exchange tells": (
        "access point", ".1.3.6.1.2.1.1.3.0 = ",
        ".1.3.6.1.2.1.1.5.0 = ",
        ":6: values.uptime: no exchange tells 1.3.6.1.2.1.1.3.0. They tell 1.3.6.1.2.1.1.5.*, "
        "1.3.6.1.2.1.1.5.*=1, 1.3.6.1.2.1.1.5.0, 1.3.6.1.2.1.1.5.0=1."),
    "a value that is not so": (
        "station", "noise: 50.1",
        "noise: 51.1",
        ":7: values.noise: 51.1 is stated, but the exchange decodes to 50.1."),
    "a text for a number": (
        "screen", "brightness: 75,",
        "brightness: full,",
        ":7: values.brightness: 'full' is stated, but the exchange decodes to 75."),
    "a text that is not so": (
        "screen", "text: Slow down}",
        "text: Slow}",
        ":7: values.text: 'Slow' is stated, but the exchange decodes to 'Slow down'."),
    "a value that the range does not allow": (
        "station", "Rtd=50.1&&1E00",
        "Rtd=15.1&&3600",
        ":7: values.noise: 50.1 is stated, but the exchange decodes to 15.1, outside the range [20, 140]. Check scale, "
        "type and range."),
    "a misspelt point": (
        "screen", "{brightness: 75",
        "{brightnes: 75",
        ":7: values.brightnes: 'brightnes' is not a point of demo. Did you mean 'brightness'?"),
    "a misspelt point that is not covered": (
        "meter", "[current]",
        "[curent]",
        ":8: uncovered[0]: 'curent' is not a point of demo. Did you mean 'current'?"),
    "a point left out": (
        "meter", "uncovered: [current]\n",
        "",
        ":7: values: current: give the value, or list it under uncovered."),
    "an exchange of one": (
        "access point", "[\"snmpget -On\", ",
        "[",
        ":5: exchanges[0]: too few values: write 2, as in [1, 2]."),
    "no source": (
        "meter", "source: computed for this test",
        "source: me",
        ":1: source: 'me' is too short: at least 10 characters."),
    "a misspelt key": (
        "meter", "uncovered",
        "uncoverd",
        ":8: uncoverd: unknown key. Did you mean 'uncovered'?"),
    "values as a list": (
        "meter", "values: {voltage: 100.1}",
        "values: [100.1]",
        ":7: values: a list is not a mapping (lines of `key: value`)."),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN_GOLDEN)
def test_one_mistake_in_an_exchange_is_one_message(tmp_path: Path, kind: str) -> None:
    base, old, new, wanted = BROKEN_GOLDEN[kind]
    assert messages(tmp_path, base, old, new, in_golden=True) == [wanted]


def test_a_missing_exchange_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(METER, "utf-8")
    (problem,) = review(path, round_trip.faults).problems
    assert problem.startswith(f"{tmp_path}/demo.golden.yaml: is missing. ")
    assert problem.endswith(" `pole profile try demo.yaml --record` writes it.")
