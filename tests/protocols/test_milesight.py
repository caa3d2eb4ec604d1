"""Foreign bytes: the example payloads of Milesight's own decoders (Milesight-IoT/SensorDecoders)."""

import pytest

from protocols import milesight

HISTORY = "20ce9e74466310015d020000010000"


@pytest.mark.parametrize(
    ("model", "payload", "values", "rest"),
    [
        ("EM300-MCS", "01755c03673401046865060001", {"0175": "5c", "0367": "3401", "0468": "65", "0600": "01"}, ""),
        ("EM300-DI", "01755c03673401046865" + HISTORY, {"0175": "5c", "0367": "3401", "0468": "65"}, HISTORY),
        ("EM310-TILT", "03cf00000000282307", {"03cf": "00000000282307"}, ""),
        ("EM310-UDL", "01755c03824408040001", {"0175": "5c", "0382": "4408", "0400": "01"}, ""),
        ("EM500-SWL", "01756403770200", {"0175": "64", "0377": "0200"}, ""),
        ("EM300-MCS, history alone", "20ce9e74466310015d01", {}, "20ce9e74466310015d01"),
    ],
)
def test_the_makers_own_examples(model, payload, values, rest):
    decoded = milesight.decode(bytes.fromhex(payload))
    assert {name: value.hex() for name, value in decoded.values.items()} == values
    assert decoded.rest.hex() == rest


def test_an_alarm_tells_the_value_too():
    decoded = milesight.decode(bytes.fromhex("85000101 8367e80001"))
    assert decoded.values["0500"] == b"\x01"
    assert decoded.values["0367"] == bytes.fromhex("e800")
    assert decoded.rest == b""


def test_a_payload_that_is_cut_anywhere_keeps_what_stands_before():
    payload = bytes.fromhex("01755c03673401046865060001")
    whole = milesight.decode(payload).values
    for end in range(len(payload)):
        decoded = milesight.decode(payload[:end])
        assert decoded.values.items() <= whole.items()
        assert payload[:end].endswith(decoded.rest)
        assert milesight.encode(decoded.values) + decoded.rest == payload[:end]


def test_the_last_of_a_channel_counts():
    assert milesight.decode(bytes.fromhex("01755c017501")).values == {"0175": b"\x01"}


@pytest.mark.parametrize("values", [{"0175": b""}, {"0175": b"12"}, {"20ce": b"123456"}, {"zz": b"1"}])
def test_what_cannot_be_decoded_is_not_encoded(values):
    with pytest.raises(ValueError, match="bytes, not"):
        milesight.encode(values)


def test_every_channel_round_trips():
    values = {name: bytes(range(1, length + 1)) for name, length in milesight.LENGTHS.items() if name[0] != "8"}
    decoded = milesight.decode(milesight.encode(values))
    assert (decoded.values, decoded.rest) == (values, b"")
