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


MISTAKES = [
    ("brokr: x", "ingest.yaml:1: brokr: unknown key. Did you mean 'broker'?"),
    ("batch_size: 10", "batch_size: unknown key. Known are broker, client_id,"),
    ("broker:", "broker: is empty: write a text"),
    ("broker: http://x", "'http://x': write mqtt://USER@HOST:1883"),
    ("broker: mqtt://", "write mqtt://USER@HOST:1883"),
    ("broker: mqtt://x:99999", "write mqtt://USER@HOST:1883"),
    ("broker: mqtt://x:1883/poles", "write mqtt://USER@HOST:1883"),
    ("broker: mqtt://ingest:secret@x", "'mqtt://ingest:…@x': write mqtt://USER@HOST:1883 or"),
    ("store: influx1:http://u:secret@x:8086/db", "'influx1:http://u:…@x:8086/db': the user, the password or the token"),
    ("store: mysql:x", "is not a store; write sqlite:readings.db"),
    ("store: influx1:http://x:8086", "influx1:http://HOST:8086/DATABASE"),
    ("store: influx2:http://x:8086/org", "influx2:http://HOST:8086/ORG/BUCKET"),
    ("store: 5", "5 is not a text"),
    ("client_id: my ingest", "'my ingest' is not allowed: a name has 1 to 64 of the characters"),
    ("http: '9464'", "write HOST:PORT"),
    ("http: 9464", "http: 9464: write HOST:PORT, as in 127.0.0.1:9464"),
    ("http: http://127.0.0.1:9464", "write HOST:PORT"),
    ("http: ':9464'", "write HOST:PORT"),
    ("http: localhost:99999", "write HOST:PORT"),
    ("receive_max: 0", "receive_max: 0 is out of range: allowed is 1 to 65535"),
    ("receive_max: many", "'many' is not a whole number"),
    ("dead_letter_megabytes: -1", "-1 is out of range: allowed is at least 1"),
    ("workers: 65", "65 is out of range: allowed is 1 to 64"),
    ("log: jsno", "'jsno' is not one of text or json. Did you mean 'json'?"),
    ("ca: ca.pem", "ca: is for TLS, and the broker's URL begins with mqtt://"),
    ("cert: a.pem", "cert: is for TLS"),
    ("key: a.key", "key: is the key of a certificate: name that in `cert`"),
    ("token_file: token", "token_file: is for a server, and the store is a SQLite file"),
    ("dead_letters: readings.db", "readings.db is the store's own file"),
    ("dead_letters: births.db", "births.db beside it has another use. Write dead-letters.db"),
    ("dead_letters: a/births-1.db", "births-1.db beside it has another use"),
    ("dead_letters: owners", "owners beside it has another use"),
    ("dead_letters: ./readings.db", "readings.db is the store's own file"),
    ("password_file: [a, b]", "password_file"),
    ("store: sqlite:a\nstore: sqlite:b", "store stands twice (first on line"),
    ("\tstore: x", "this is not YAML"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_told_with_what_is_allowed(tmp_path, line, said):
    key = line.partition(":")[0]
    text = line + "\n" + "".join(row + "\n" for row in GOOD.splitlines() if not row.startswith(key + ":"))
    with pytest.raises(FileProblem, match=r"ingest\.yaml") as problem:
        load(tmp_path, text)
    assert said in str(problem.value)
    assert "secret" not in str(problem.value)


def test_an_address_of_ipv6_is_one(tmp_path):
    assert load(tmp_path, GOOD + "http: '[::1]:9464'\n").http == "[::1]:9464"


def test_a_command_that_is_told_no_file_takes_the_usual_one_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (config.meant(None), config.meant(Path("other.yaml"))) == (None, Path("other.yaml"))
    (tmp_path / "ingest.yaml").write_text(GOOD)
    assert (config.meant(None), config.meant(Path("other.yaml"))) == (Path("ingest.yaml"), Path("other.yaml"))


@pytest.mark.parametrize("key", ["broker", "store", "dead_letters"])
def test_what_is_missing_is_named(tmp_path, key):
    with pytest.raises(FileProblem, match=f"{key}: is missing"):
        load(tmp_path, "".join(row + "\n" for row in GOOD.splitlines() if not row.startswith(key)))


@pytest.mark.parametrize(
    ("text", "said"), [("", "the file is empty"), ("- a\n", "not a mapping"), ("area: x\n", "Is this")]
)
def test_a_file_that_is_none_of_ours_is_told(tmp_path, text, said):
    with pytest.raises(FileProblem, match=said):
        load(tmp_path, text)


def test_every_mistake_is_told_at_once(tmp_path):
    with pytest.raises(FileProblem) as problem:
        load(tmp_path, GOOD + "receive_max: 0\nhttp: x\n")
    assert len(problem.value.messages) == 2


def test_a_password_without_a_user_is_told(tmp_path):
    with pytest.raises(FileProblem, match=r"ingest\.yaml:4: password_file: is of a user"):
        load(tmp_path, GOOD.replace("ingest@", "") + "password_file: x\n")


def test_the_environment_counts_more_than_the_file(tmp_path):
    path = tmp_path / "ingest.yaml"
    path.write_text(GOOD + "receive_max: 100\n")
    told = {"MULTIPOLE_INGEST_RECEIVE_MAX": "500", "MULTIPOLE_INGEST_DEAD_LETTERS": "other.db", "PATH": "/bin"}
    settings = config.load(path, told)
    assert (settings.receive_max, settings.store) == (500, "sqlite:readings.db")
    assert settings.path(settings.dead_letters) == tmp_path / "other.db"


def test_every_key_can_come_from_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {
        "broker": "mqtts://a@h", "client_id": "i-2", "password_file": "p", "ca": "ca.pem",
        "cert": "c.pem", "key": "k.pem", "receive_max": "7",
        "store": "influx2:http://h:1/o/b", "token_file": "t", "dead_letters": "d.db",
        "dead_letter_megabytes": "9", "http": "0.0.0.0:1", "workers": "3", "log": "json",
    }  # fmt: skip
    assert given.keys() | {"inventory"} == config.Config.model_fields.keys()
    told = {f"MULTIPOLE_INGEST_{key.upper()}": text for key, text in given.items()}
    settings = config.load(None, told | {"MULTIPOLE_INGEST_INVENTORY": "a.yaml, sites"})
    assert {key: str(value) for key, value in settings.model_dump().items() if key in given} == given
    assert settings.inventory == (Path("a.yaml"), Path("sites"))
    assert settings.registry == tmp_path / "births.db"


def test_a_variable_that_is_empty_counts_as_not_set(tmp_path):
    path = tmp_path / "ingest.yaml"
    path.write_text(GOOD)
    assert config.load(path, {"MULTIPOLE_INGEST_TOKEN_FILE": "", "MULTIPOLE_INGEST_HTTP": ""}).token_file is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("MULTIPOLE_INGEST_BROKR", "5", "MULTIPOLE_INGEST_BROKR: unknown. Did you mean 'MULTIPOLE_INGEST_BROKER'?"),
        ("MULTIPOLE_INGEST_X", "5", "MULTIPOLE_INGEST_X: unknown. Known are MULTIPOLE_INGEST_BROKER"),
        ("MULTIPOLE_INGEST_RECEIVE_MAX", "many", "MULTIPOLE_INGEST_RECEIVE_MAX: 'many' is not a whole number"),
        ("MULTIPOLE_INGEST_STORE", "x", "MULTIPOLE_INGEST_STORE: 'x': is not a store; write sqlite"),
        ("MULTIPOLE_INGEST_TOKEN_FILE", "x", "MULTIPOLE_INGEST_TOKEN_FILE: is for a server"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environment_names_the_variable(tmp_path, name, text, said):
    path = tmp_path / "ingest.yaml"
    path.write_text(GOOD)
    with pytest.raises(FileProblem) as problem:
        config.load(path, {name: text})
    assert str(problem.value).startswith(said)


def test_what_the_environment_alone_leaves_out_is_told(tmp_path):
    with pytest.raises(FileProblem, match="store and dead_letters are missing"):
        config.load(None, {"MULTIPOLE_INGEST_BROKER": "mqtt://h"})
    with pytest.raises(FileProblem, match="no configuration: name a file"):
        config.load(None, {})


def test_dead_letters_that_cannot_be_kept_are_told_before_anything_starts(tmp_path):
    with pytest.raises(FileProblem, match=r"dead_letters: the folder .*no-such is not there"):
        load(tmp_path, GOOD.replace("dead-letters.db", "no-such/dead.db")).check_places()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileProblem, match="folder is a folder"):
        load(tmp_path, GOOD.replace("dead-letters.db", "folder")).check_places()
    load(tmp_path, GOOD).check_places()


def test_a_secret_that_is_empty_is_told(tmp_path):
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(FileProblem, match=r"password_file: .*secret is empty"):
        load(tmp_path, GOOD + "password_file: secret\n").address()


def test_a_secret_that_cannot_be_read_names_its_file(tmp_path):
    with pytest.raises(FileProblem, match=r"password_file: .*no-such.* cannot be read"):
        load(tmp_path, GOOD + "password_file: no-such\n").address()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("ca: bad.pem", "ca: .*bad.pem: .*The broker's CA, as a PEM file"),
        ("ca: no-such.pem", "ca: .*no-such.pem: .*No such file"),
        ("cert: bad.pem\nkey: bad.pem", "cert, key: .*bad.pem, .*they are PEM files"),
    ],
)
def test_certificates_that_cannot_be_used_are_told(tmp_path, keys, said):
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(FileProblem, match=said):
        load(tmp_path, GOOD.replace("mqtt://", "mqtts://") + keys + "\n").address()
