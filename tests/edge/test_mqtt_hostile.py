"""The agent's MQTT client and a broker that lies, on its three interpreters."""

import json
import random

from tests.edge.hostile_broker import HostileBroker, publish

DOWN = b"poles/wuhou/gw-1/down/"
COMMAND = publish(DOWN + b"command", b"x" * 10, number=7)
PROTOCOL = ["protocol"]
CLOSED = ["closed"]
GOES_ON = [None]

# what is sent, what becomes of the session, sizes of the messages that arrive, how many are passed over
SCRIPTS = [
    ("nothing", b"", GOES_ON, [], 0),
    ("a message, and the same once more as a duplicate", COMMAND + b"\x3a" + COMMAND[1:], GOES_ON, [10, 10], 0),
    ("an acknowledgement for a number never used", b"\x40\2\x30\x39", GOES_ON, [], 0),
    ("an acknowledgement for number 0", b"\x40\2\0\0", GOES_ON, [], 0),
    ("a second CONNACK", b"\x20\2\0\0", GOES_ON, [], 0),
    ("a second SUBACK", b"\x90\3\0\1\0", GOES_ON, [], 0),
    ("answers to pings that were none", b"\xd0\0" * 50, GOES_ON, [], 0),
    ("another node's topic", publish(b"poles/wuhou/gw-2/down/command", b"x", number=7), GOES_ON, [], 1),
    ("a topic that is no UTF-8", publish(DOWN + b"\xff\xfe", b"x", number=7), GOES_ON, [], 1),
    ("an empty topic", publish(b"", b"x", number=7), GOES_ON, [], 1),
    ("an empty message", publish(DOWN + b"config", b"", number=7), GOES_ON, [0], 0),
    (
        "a length in more bytes than it needs",
        bytes([0x32, COMMAND[1] | 128, 128, 128, 0]) + COMMAND[2:],
        GOES_ON,
        [10],
        0,
    ),
    ("an acknowledgement of no length", b"\x40\0", PROTOCOL, [], 0),
    ("an acknowledgement of 3 bytes", b"\x40\3\0\1\0", PROTOCOL, [], 0),
    ("an acknowledgement of 200 MB", b"\x40\x80\x80\x80\x64", PROTOCOL, [], 0),
    ("a length of 5 bytes", b"\x32\xff\xff\xff\xff\x7f", PROTOCOL, [], 0),
    ("a message without a topic", b"\x30\0", PROTOCOL, [], 0),
    ("a message with half a length of a topic", b"\x30\1\0", PROTOCOL, [], 0),
    ("a topic longer than its message", b"\x30\4\0\x40ab", PROTOCOL, [], 0),
    ("a number outside its message", b"\x32\4\0\2ab", PROTOCOL, [], 0),
    ("a topic longer than the buffer", publish(b"x" * 2000, b"", number=7), PROTOCOL, [], 0),
    ("QoS 2", b"\x34" + COMMAND[1:], PROTOCOL, [], 0),
    ("QoS 3", b"\x36" + COMMAND[1:], PROTOCOL, [], 0),
    *((f"kind {kind:x}", bytes([kind << 4, 0]), PROTOCOL, [], 0) for kind in (0, 1, 5, 6, 7, 8, 10, 11, 12, 14, 15)),
    *((f"flags {kind:x}", bytes([kind, 2, 0, 1]), PROTOCOL, [], 0) for kind in (0x21, 0x41, 0x4F)),
    ("a message shorter than it says", b"\x32\x7f" + COMMAND[2:], [*PROTOCOL, "silent"], [], 0),
]
TORN = publish(DOWN + b"command", b"y" * 5, number=9) + b"\x40\2\0\1" + b"\xd0\0"
NOISE = 60


def test_hostile_broker(interpreter, tmp_path):
    torn = [
        (f"torn after {count} bytes", CLOSED, [5] if count >= len(TORN) - 6 else [], 0) for count in range(len(TORN))
    ]
    rows = [(name, whys, messages, passed) for name, _, whys, messages, passed in SCRIPTS] + torn
    scripts = [(script, False) for _, script, *_ in SCRIPTS] + [(TORN[:count], True) for count in range(len(TORN))]
    noise = random.Random(5)
    scripts = [
        *((noise.randbytes(noise.randrange(1, 3000)), True) for _ in range(NOISE)),  # the tests go by their names
        (b"", False),
        *scripts,
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with HostileBroker(scripts) as broker:
        interpreter.run(
            "mqtt_hostile", file=str(tmp_path / "rows.jsonl"), port=broker.port, node="gw-1", folder=".", noise=NOISE
        )
        numbers = [number for _, number in broker.seen[NOISE]]
        assert numbers == [65534, 65535, 1, 2, 3], "65533 was the subscription's"
        duplicates = broker.seen[NOISE + 2]
        assert [number for kind, number in duplicates if kind == 4] == [7, 7]
