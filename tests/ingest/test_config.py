"""Ingest's configuration and its messages, and the example in the documentation."""

from pathlib import Path

import pytest

from device_profiles.problems import FileProblem
from ingest import config

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/ingest.yaml"
GOOD = "broker: mqtt://ingest@127.0.0.1:1883\nstore: sqlite:readings.db\ndead_letters: dead-letters.db\n"


def load(tmp_path, text):
    path = tmp_path / "ingest.yaml"
    path.write_text(text)
    return config.load(path)


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "secret").write_text(" s3cret\n")
    settings = load(tmp_path, GOOD + "password_file: secret\n")
    address = settings.address()
    assert (address.host, address.port, address.user, address.password) == ("127.0.0.1", 1883, "ingest", b"s3cret")
    assert address.tls is None
    assert settings.registry == tmp_path / "births.db"
    assert "s3cret" not in repr(address)


def test_the_example_is_right(tmp_path):
    settings = load(tmp_path, EXAMPLE.read_text())
    assert settings.store.startswith("sqlite:")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("brokr: x", "Did you mean"),
        ("store: mysql:x", "is not a store; write sqlite:readings.db"),
        ("broker: http://x", "write mqtt://USER@HOST:1883"),
        ("broker: mqtt://ingest:secret@x", "the password stands in password_file"),
        ("http: '9464'", "write HOST:PORT"),
        ("receive_max: 0", "receive_max"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(tmp_path, line, said):
    key = line.partition(":")[0]
    text = "".join(row + "\n" for row in GOOD.splitlines() if not row.startswith(key + ":")) + line + "\n"
    with pytest.raises(FileProblem, match=r"ingest\.yaml") as problem:
        load(tmp_path, text)
    assert said in str(problem.value)


def test_a_secret_that_cannot_be_read_names_its_file(tmp_path):
    with pytest.raises(FileProblem, match=r"password_file: .*no-such.* cannot be read"):
        load(tmp_path, GOOD + "password_file: no-such\n").address()


def test_certificates_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(FileProblem, match="They are PEM files"):
        load(tmp_path, GOOD.replace("mqtt://", "mqtts://") + "ca: ca.pem\n").address()
