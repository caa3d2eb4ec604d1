"""What net-snmp prints, and the heads of messages that its agent sent, read by our own code."""

import os
import random

import pytest

from protocols import snmp
from protocols.errors import BadAnswer

COUNT = int(os.environ.get("MUTATIONS", "20000"))

# printed by snmpget -On of net-snmp 5.9.3, asked of its own snmpd
PRINTED = b"""\
.1.3.6.1.2.1.1.3.0 = Timeticks: (42459) 0:07:04.59
.1.3.6.1.2.1.1.5.0 = STRING: "pole-ap"
.1.3.6.1.2.1.1.99.0 = No Such Object available on this agent at this OID
.1.3.6.1.2.1.2.2.1.8.4 = INTEGER: 1
.1.3.6.1.2.1.2.2.1.8.2 = INTEGER: 2
.1.3.6.1.2.1.31.1.1.1.6.4 = Counter64: 18446744073709551615
.1.3.6.1.2.1.2.2.1.8.99 = No Such Instance currently exists at this OID
.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.8072.3.2.10
.1.3.6.1.2.1.2.2.1.6.1 = ""
.1.3.6.1.2.1.25.1.2.0 = Hex-STRING: 07 EA 0B 15 0C 30 0F 00 2B 00 00\x20
.1.3.6.1.4.1.2021.10.1.6.1 = Opaque: Float: 0.006836
.1.3.6.1.2.1.31.1.1.1.1.1 = STRING: "lo"
.1.3.6.1.2.1.31.1.1.1.1.4 = STRING: "eth0"
"""
# from net-snmp 5.9.3's snmpd: a version 2c response, a version 3 report (discovery), an encrypted version 3 response
ANSWER = (
    "304002010104067075626c6963a23302034848090201000201003026300f06082b060102010103004303024961301306082b0601020101050004"
    "07706f6c652d6170"
)
REPORT = (
    "30710201033010020348480a020300ffe304010002010304223020041180001f88807afbb7496691016b00000000020101020205db0400040004"
    "003036041180001f88807afbb7496691016b000000000400a81f0204009f65a80201000201003011300f060a2b060106030f0101040041011c"
)
ENCRYPTED = (
    "3081980201033010020348480b020300ffe304010302010304473045041180001f88807afbb7496691016b00000000020101020205db04057072"
    "69763104184ee85d7001b3efe41494f9722b706266f14569c88b941d030408c7a75d9469d7f3510438d1002d4ec6eea9e857c297ba6d7e7d65f6"
    "65355906ba275d93479be42b5e165424af735c1504c5b0e1a7659bab2595394661380ba4426635"
)
MESSAGES = {ANSWER: 0x484809, REPORT: 0x48480A, ENCRYPTED: 0x48480B}


def one(text):
    return snmp.items(b"", b".1.3.6.1.2.1.1.1.0 = " + text + b"\n")["1.3.6.1.2.1.1.1.0"]


def test_what_snmpget_prints():
    told = snmp.items(b"", PRINTED)
    assert told["1.3.6.1.2.1.1.3.0"] == 42459
    assert told["1.3.6.1.2.1.1.5.0"] == "pole-ap"
    assert told["1.3.6.1.2.1.31.1.1.1.6.4"] == 2**64 - 1
    assert told["1.3.6.1.2.1.1.2.0"] == "1.3.6.1.4.1.8072.3.2.10"
    assert told["1.3.6.1.2.1.2.2.1.6.1"] == ""
    assert told["1.3.6.1.2.1.25.1.2.0"] == bytes.fromhex("07ea0b150c300f002b0000")
    assert told["1.3.6.1.4.1.2021.10.1.6.1"] == 0.006836
    assert not {"1.3.6.1.2.1.1.99.0", "1.3.6.1.2.1.2.2.1.8.99"} & told.keys()


def test_items_by_the_interface_s_name_as_a_truth_and_as_a_sum():
    told = snmp.items(b"", PRINTED)
    assert told["1.3.6.1.2.1.31.1.1.1.6.[eth0]"] == 2**64 - 1
    assert told["1.3.6.1.2.1.2.2.1.8.[eth0]=1"] is True
    assert told["1.3.6.1.2.1.2.2.1.8.2=1"] is False
    assert told["1.3.6.1.2.1.2.2.1.8.*"] == 3


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        (b"INTEGER: up(1)", 1),
        (b"INTEGER: -96", -96),
        (b"INTEGER: 1500 KB", 1500),
        (b"Gauge32: 1000000000", 1_000_000_000),
        (b"Counter32: 7", 7),
        (b"IpAddress: 10.0.0.7", "10.0.0.7"),
        (b'STRING: "a \\"b\\" \\\\ c"', 'a "b" \\ c'),
        (b"STRING: 0:1b:21:3c:4d:5e", "0:1b:21:3c:4d:5e"),
        (b'STRING: "two\nlines"', "two\nlines"),
        (b"Hex-STRING: 00 01\n02 03 ", b"\0\1\2\3"),
        (b"BITS: 80 00 first(0) ", b"\x80\0"),
        (b"Opaque: Double: 1.5", 1.5),
        (b"Wrong Type (should be INTEGER): Gauge32: 5", 5),
        ("STRING: \"北门\"".encode(), "北门"),
    ],
)  # fmt: skip
def test_each_type(text, raw):
    assert one(text) == raw


@pytest.mark.parametrize(
    "text",
    [b"INTEGER: 0.28", b"Timeticks: 5", b"Hex-STRING: xyz", b"Nonsense: 1", b"12", b"Opaque: 9F 78", b"INTEGER: up"],
)
def test_what_says_no_raw_number_is_refused(text):
    # 0.28 was printed with a display hint: nobody can tell whether the number was 28
    with pytest.raises(BadAnswer):
        one(text)


def test_symbolic_names_are_refused_with_what_to_do():
    with pytest.raises(BadAnswer, match="-On"):
        snmp.items(b"", b"SNMPv2-MIB::sysUpTime.0 = Timeticks: (42459) 0:07:04.59\n")


def test_names_that_begin_with_iso_are_digits_too():
    assert snmp.items(b"", b"iso.3.6.1.2.1.1.3.0 = Timeticks: (5) 0:00:00.05\n") == snmp.items(
        b"", b".1.3.6.1.2.1.1.3.0 = Timeticks: (5) 0:00:00.05\n"
    )


def test_an_answer_to_something_else_is_refused():
    line = b".1.3.6.1.2.1.1.3.0 = INTEGER: 1\n"
    for request in (b"", b"snmpget -On 10.0.0.7 1.3.6.1.2.1.1.3.0", b"snmpwalk 10.0.0.7 .1.3.6.1.2.1.1"):
        assert snmp.items(request, line)["1.3.6.1.2.1.1.3.0"] == 1
    for request in (b"snmpget 10.0.0.7 1.3.6.1.2.1.1.5.0", b"snmpwalk 10.0.0.7 1.3.6.1.2.1.11"):
        with pytest.raises(BadAnswer) as caught:
            snmp.items(request, line)
        assert caught.value.fault == "late"


def test_nothing_and_too_much():
    for text in (b"", b" \n", b"Timeout: No Response from 10.0.0.7.\n", b"x" * (snmp.MAX_TEXT + 1)):
        with pytest.raises(BadAnswer):
            snmp.items(b"", text)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("1.3.6.1.2.1.1.3.0", snmp.Item(oid="1.3.6.1.2.1.1.3.0", interface=None, is_sum=False, is_one=False)),
        ("1.3.6.2.[eth0.5]", snmp.Item(oid="1.3.6.2", interface="eth0.5", is_sum=False, is_one=False)),
        ("1.3.6.2.[wlan0]=1", snmp.Item(oid="1.3.6.2", interface="wlan0", is_sum=False, is_one=True)),
        ("1.3.6.2.*", snmp.Item(oid="1.3.6.2", interface=None, is_sum=True, is_one=False)),
    ],
)
def test_names_of_items(name, item):
    assert snmp.item(name) == item


@pytest.mark.parametrize(
    "name", ["", "x", "1.3.6.", ".1.3.6", "3.3.6", "1.3.[", "1.3.[]", "1.3.*.1", "1.3.6=2", "1.3.6\n"]
)
def test_what_is_no_item(name):
    with pytest.raises(ValueError, match="no item"):
        snmp.item(name)


def test_octets_are_text_where_they_are_text():
    assert snmp.octets("北门 1".encode()) == "北门 1"
    assert snmp.octets(b"v6.6\0") == "v6.6"
    assert snmp.octets(b"\x07\xea\x0b") == b"\x07\xea\x0b"
    assert snmp.octets(b"\x01\x02") == b"\x01\x02"
    assert snmp.octets(b"") == ""


def test_floats_in_an_opaque():
    assert snmp.opaque(bytes.fromhex("9f78043e8f5c29")) == 0.28
    assert snmp.opaque(bytes.fromhex("9f7908") + bytes.fromhex("3ff8000000000000")) == 1.5
    assert snmp.opaque(b"\x9f\x78\x04\0") == b"\x9f\x78\x04\0"


@pytest.mark.parametrize(("message", "number"), MESSAGES.items())
def test_whose_answer_a_message_is(message, number):
    assert snmp.message_id(bytes.fromhex(message)) == number


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_cut_anywhere_is_refused(message):
    whole = bytes.fromhex(message)
    for length in range(len(whole)):
        with pytest.raises(BadAnswer):
            snmp.message_id(whole[:length])
    with pytest.raises(BadAnswer):
        snmp.message_id(whole + b"\0")


def changed(chance, whole):
    body = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        way = chance.randrange(5)
        if way == 0:
            del body[at:]
        elif way == 1 and at < len(body):
            body[at] = chance.choice([0, 0x1F, 0x30, 0x7F, 0x80, 0x84, 0xFF, chance.randrange(256)])
        elif way == 2:
            del body[at : at + chance.randint(1, 8)]
        elif way == 3:
            body[at:at] = chance.choice(
                [b"9" * 40, b"\n", b".1.3", b"(", b'"', b" = ", b"::", b"\xff\xfe", b"\x84\xff"]
            )
        else:
            body += body[:at]
        if not body:
            break
    return bytes(body)


def test_fuzz_only_bad_answers_come_out():
    """The full million: MUTATIONS=1000000 pytest tests/protocols/test_snmp.py -k fuzz --timeout 3600"""
    chance = random.Random(161)
    lines = PRINTED.splitlines(keepends=True)
    messages = [bytes.fromhex(message) for message in MESSAGES]
    good = 0
    for _ in range(COUNT):
        text = changed(chance, b"".join(chance.choices(lines, k=3)))
        message = changed(chance, chance.choice(messages))
        for read in (lambda text=text: snmp.items(b"", text), lambda message=message: snmp.message_id(message)):
            try:
                read()
                good += 1
            except BadAnswer:
                pass
    assert 0 < good < 2 * COUNT
