"""The agent's MQTT client over TLS against a real mosquitto: server and client certificates, right and wrong."""

import contextlib
import json
import subprocess

import pytest

from pole.broker import free_port
from tests.edge.broken_network import BrokenNetwork, Fault
from tests.edge.certificate_files import DAY, Authority
from tests.edge.conftest import HEAP, Interpreter
from tests.edge.test_mqtt import Companion, eventually

NODES = ("cpython", *HEAP)  # each interpreter is a node of its name
HERE = "127.0.0.1"
FAR = 30 * DAY

# listener -> the broker's certificate
SERVERS = {
    "right": {"ip": HERE, "dns": ["localhost"]},
    "other-name": {"ip": "127.0.0.2", "dns": ["broker.example"]},
    "expired": {"ip": HERE, "valid": (-FAR, -DAY)},
    "early": {"ip": HERE, "valid": (DAY, FAR)},
    "mutual": {"ip": HERE},
}
TLS = ["tls ", "closed", "104", "32"]  # a refusal by the broker is an alert, or an end that was quicker than it
BAD = ["certificate: "]
# who, listener, what else of the uplink, folder, what is said of it (None: it is trusted)
TRUST = [
    ("by address", "right", {}, "sound", None),
    ("by name", "right", {"host": "localhost"}, "sound", None),
    ("pem files", "right", {}, "pem", None),
    ("both sides", "mutual", {"user": None}, "own", None),
    ("both sides, pem files", "mutual", {"user": None}, "own-pem", None),
    ("another authority", "right", {}, "stranger", BAD),
    ("another name", "other-name", {}, "sound", BAD),
    ("an expired one", "expired", {}, "sound", BAD),
    ("an early one", "early", {}, "sound", BAD),
    ("no certificate of ours", "mutual", {"user": None}, "sound", TLS),
    ("one of ours that a stranger signed", "mutual", {"user": None}, "foreign", TLS),
    ("no authority", "right", {}, "none", ["files"]),
    ("a torn authority", "right", {}, "torn", ["files"]),
    ("a key that is none", "mutual", {"user": None}, "bad-key", ["files"]),
    ("a wrong password", "right", {}, "wrong-password", ["refused 5"]),
    ("a broker without TLS", None, {}, "sound", [*TLS, "silent"]),
]
NETWORKS = [
    ("an end within the handshake", Fault("cut", after=300), [*TLS]),
    ("a reset within the handshake", Fault("reset", after=700), [*TLS]),
    ("silence within the handshake", Fault("half-open", after=500), ["silent"]),
    ("garbage within the handshake", Fault("garbage", after=200), [*TLS]),
    ("nothing is taken any more", Fault("stall", after=9000, down=False), ["silent"]),
    ("garbage", Fault("garbage", after=4000), [*TLS]),
    ("an end", Fault("cut", after=4010), [*TLS]),
]


@pytest.fixture
def listeners(broker, tmp_path):
    """name -> port of the broker, which has SERVERS beside its own; and the folders of each node."""
    ours, stranger = Authority("ours"), Authority("stranger")
    for node in NODES:
        make_folders(tmp_path / node, node, broker.passwords[node], ours, stranger)
    ports = dict(zip(SERVERS, different_ports(len(SERVERS)), strict=True))
    text = (broker.folder / "mosquitto.conf").read_text()
    lines = [text.replace("max_packet_size 300000", "max_packet_size 100000000")]  # so that a flood is begun
    for name, changed in SERVERS.items():
        ours.write(tmp_path, name, common_name=name, **changed)
        lines += [f"listener {ports[name]} {HERE}", f"cafile {tmp_path}/{NODES[0]}/sound/ca.pem", "tls_version tlsv1.2"]
        lines += [f"certfile {tmp_path}/{name}.pem", f"keyfile {tmp_path}/{name}.key.pem"]
    lines += ["require_certificate true", "use_identity_as_username true", ""]  # of the last one
    (broker.folder / "mosquitto.conf").write_text("\n".join(lines))
    broker.restart()
    return ports | {None: broker.port}


def make_folders(folder, node, password, ours, stranger):
    authorities = {
        "sound": ours, "pem": ours, "own": ours, "own-pem": ours, "foreign": ours, "bad-key": ours,
        "wrong-password": ours, "stranger": stranger, "torn": ours,
    }  # fmt: skip
    for name, authority in authorities.items():
        authority.write_own(folder / name)
        (folder / name / "password").write_text(password)
    (folder / "none").mkdir()
    (folder / "wrong-password" / "password").write_text("wrong")
    for name, authority in (("own", ours), ("own-pem", ours), ("foreign", stranger), ("bad-key", ours)):
        authority.write(folder / name, "cert", common_name=node, key_name="key")
    for suffix in ("der", "pem"):
        torn = folder / "torn" / f"ca.{suffix}"
        torn.write_bytes(torn.read_bytes()[:200])
        (folder / "bad-key" / f"key.{suffix}").write_text("no key")
    for path in [*(folder / "pem").glob("*.der"), *(folder / "own-pem").glob("*.der")]:
        path.unlink()


def different_ports(count):
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return ports


def write(folder, name, rows):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("broker", [(*NODES, "ingest", "operator")], indirect=True)
def test_tls(broker, compiled, listeners, tmp_path):
    """All interpreters at once: most of it is waiting."""
    with contextlib.ExitStack() as stack:
        companion = stack.enter_context(contextlib.closing(Companion(broker)))
        started = [(node, stack.enter_context(start(stack, node, compiled, listeners, tmp_path))) for node in NODES]
        for node, process in started:
            try:
                output, _ = process.communicate(timeout=200)
            finally:
                process.kill()
            assert process.returncode == 0, f"{node}:\n{output}"
            after = [f"after {name}" for name, *_ in NETWORKS]
            trusted = [name for name, *_, whys in TRUST if whys is None]
            wanted = [*after, *trusted]
            eventually(lambda: len(heard(companion, node, "event")) >= len(wanted))  # noqa: B023
            assert [payload.decode() for payload in heard(companion, node, "event")] == wanted
            pieces = [bytes(range(250)) * count for count in (1, 4, 100, 800)]
            eventually(lambda: pieces[-1] in heard(companion, node, "telemetry"))  # noqa: B023
            assert [each for each in heard(companion, node, "telemetry") if each[1:2] == b"\1"] == pieces


def heard(companion, node, channel):
    return [payload for topic, payload, _ in list(companion.heard) if topic.endswith(f"/{node}/up/{channel}")]


def start(stack, node, compiled, ports, files):
    """Each has networks of its own, and its own name, password and certificate."""
    folder = files / f"of-{node}"
    rows = [
        (name, 1, {"port": ports.get(listener)} | uplink, str(files / node / folder_), whys)
        for name, listener, uplink, folder_, whys in TRUST
    ]
    # an early certificate may be a good one, where the time is not known
    sound = str(files / node / "sound")
    folder.mkdir()
    write(folder, "trust", [*rows, ("no time", None, {"port": ports["early"]}, sound, ["clock"])])
    write(folder, "sound", [({"port": ports["mutual"], "user": None}, str(files / node / "own"))])
    networks = [
        (name, stack.enter_context(BrokenNetwork(to=ports["right"], faults=[fault])).port, f"after {name}", whys, sound)
        for name, fault, whys in NETWORKS
    ]
    write(folder, "networks", networks)
    interpreter = Interpreter(node, compiled)
    return interpreter.start("mqtt_tls", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, files=str(folder), node=node)
