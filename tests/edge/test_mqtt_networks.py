"""The agent's MQTT client where the network between it and a real mosquitto breaks, on its three interpreters."""

import contextlib
import socket
import subprocess

import pytest

from tests.edge.broken_network import BrokenNetwork, Fault
from tests.edge.conftest import HEAP, Interpreter

NAMES = ("cpython", *HEAP)
NODES = [f"{name}-{number}" for name in NAMES for number in range(4)]
UP = 4 + 5  # bytes that a broker has sent when a session is up: CONNACK, SUBACK
PUBACK = 4
CLOSED = ["closed", 104, 32]  # ECONNRESET, EPIPE: what is seen of an end depends on who was quicker

# what breaks, what the client does, what it may see
BROKEN = [
    ("a broker that never answers", Fault("half-open", after=0), "connects", ["silent"]),
    ("a CONNACK that is torn", Fault("half-open", after=2), "connects", ["silent"]),
    ("a line that is dead while idle", Fault("half-open", after=UP), "idles", ["silent"]),
    ("a line that is dead while publishing", Fault("half-open", after=UP + 3 * PUBACK), "publishes", ["silent"]),
    ("a PUBACK that is torn", Fault("half-open", after=UP + 1), "publishes", ["silent"]),
    ("a peer that takes nothing more", Fault("stall", after=UP), "blocks", ["silent"]),
    ("single bytes, too slow", Fault("drip", pause=1.3), "connects", ["silent"]),
    ("single bytes", Fault("drip"), "works", ["closed"]),
    ("an end within CONNECT", Fault("cut", after=20, down=False), "connects", CLOSED),
    ("an end within CONNACK", Fault("cut", after=3), "connects", CLOSED),
    ("an end within SUBACK", Fault("cut", after=UP - 2), "connects", CLOSED),
    ("an end within PUBACK", Fault("cut", after=UP + PUBACK + 2), "publishes", CLOSED),
    ("an end within a flood", Fault("cut", after=100_000, down=False), "floods", CLOSED),
    ("a reset within CONNACK", Fault("reset", after=1), "connects", CLOSED),
    ("a reset", Fault("reset", after=UP + 2 * PUBACK), "publishes", CLOSED),
    ("garbage for CONNACK", Fault("garbage", after=0), "connects", ["protocol"]),
    ("garbage within PUBACK", Fault("garbage", after=UP + 1), "publishes", ["protocol"]),
    ("garbage", Fault("garbage", after=UP), "idles", ["protocol"]),
]
AT_ONCE = 3  # that many clients, and a quiet one, have room in a controller


@contextlib.contextmanager
def sealed():
    """A port that answers no SYN: the queue of who waits to be accepted is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("broker", [NODES], indirect=True)
def test_networks(broker, compiled, tmp_path):
    """All interpreters at once: most of it is waiting."""
    for node in NODES:
        (tmp_path / node).mkdir()
        (tmp_path / node / "password").write_text(broker.passwords[node])
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(start(stack, Interpreter(name, compiled), broker.port, tmp_path)) for name in NAMES
        ]
        for name, process in zip(NAMES, processes, strict=True):
            try:
                output, _ = process.communicate(timeout=200)
            finally:
                process.kill()
            assert process.returncode == 0, f"{name}:\n{output}"
            assert output.count("after") == len(BROKEN)


def start(stack, interpreter, to, folder):
    """With networks and nodes of its own."""
    nodes = [f"{interpreter.name}-{number}" for number in range(AT_ONCE + 1)]
    networks = [
        (name, does, stack.enter_context(BrokenNetwork(to=to, faults=[fault])).port, whys)
        for name, fault, does, whys in BROKEN
    ]
    port = stack.enter_context(sealed())
    networks.insert(0, ("no answer to SYN", "connects", port, ["silent"]))
    groups = [
        [(*network, node) for network, node in zip(networks[first : first + AT_ONCE], nodes, strict=False)]
        for first in range(0, len(networks), AT_ONCE)
    ]
    return interpreter.start(
        "mqtt_networks", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        groups=groups, folders=str(folder), sealed=port, quiet=(nodes[-1], to),
    )  # fmt: skip
