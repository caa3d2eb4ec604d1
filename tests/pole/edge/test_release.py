"""`pole edge release`: a key, a release of each board, and what controllers make of it."""

import contextlib
import hashlib
import json
import stat

import pytest
from typer.testing import CliRunner

from edge import release as controller
from pole.edge import bundle, release, verbs
from wire import releases


def run(*words, cwd):
    """Exit code, the JSON document, what else was said."""
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(verbs.app, ["release", *map(str, words)])
    assert isinstance(done.exception, SystemExit | None)
    return done.exit_code, json.loads(done.stdout) if "--json" in words and done.stdout else done.stdout, done.stderr


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with signer.pem and release.key, as the command makes them."""
    folder = tmp_path_factory.mktemp("keys")
    code, said, _ = run("--new-key", "signer.pem", "--json", cwd=folder)
    assert (code, said["bits"]) == (0, 3072)
    return folder


def unpacked(blob):
    files = {}
    while blob:
        line, _, blob = blob.partition(b"\n")
        path, size = line.decode().split(" ")
        files[path], blob = blob[: int(size)], blob[int(size) :]
    return files


def test_a_new_key_is_for_its_owner_alone_and_never_overwritten(keys):
    assert stat.S_IMODE((keys / "signer.pem").stat().st_mode) == 0o600
    assert len((keys / "release.key").read_bytes()) == 384
    before = (keys / "signer.pem").read_bytes()
    code, _, err = run("--new-key", "signer.pem", cwd=keys)
    assert (code, "is there already" in err) == (1, True)
    code, _, err = run("--new-key", "other.pem", cwd=keys)  # release.key would be another one's
    assert (code, "release.key is there already" in err) == (1, True)
    assert (keys / "signer.pem").read_bytes() == before
    assert not (keys / "other.pem").exists()


@pytest.mark.parametrize("board", release.BOARDS)
def test_a_controller_takes_what_was_built(keys, tmp_path, board):
    code, said, _ = run("--board", board, "--version", "0.2.0", "--key", keys / "signer.pem", "--json", cwd=tmp_path)
    assert code == 0
    made = release.read(tmp_path / f"multipole-0.2.0-{board}.release")
    key = (keys / "release.key").read_bytes()
    assert controller.verified(made.payload, key) == releases.split(made.payload)[1]
    version, why, digest, size, room, units = controller.check(made.payload, key, "0.1.0", board)
    assert (version, why) == ("0.2.0", "")
    assert (digest, size, room) == (hashlib.sha256(made.blob).digest(), len(made.blob), said["room"])
    assert units == 600 // 5
    assert len(made.payload) <= releases.MAX_PAYLOAD
    files = unpacked(made.blob)
    suffix = ".py" if board == "linux" else ".mpy"
    assert set(files) == {name + suffix for name, _ in bundle.modules(board)}
    assert f"edge/boards/{board}{suffix}" in files
    assert "edge/guard" + suffix not in files
    assert {name: len(data) for name, data in files.items()} == said["files"]
    blocks = sum(-(-len(data) // 4096) for data in (*files.values(), made.blob))
    assert said["room"] >= blocks * 4096
    assert controller.check(made.payload, key, "0.2.0", board)[1] == "same"
    assert controller.check(made.payload, key, "0.3.0", board)[1] == "downgrade"
    assert controller.check(made.payload, key[:-1] + b"\0", "0.1.0", board)[1] == "signature"


def test_the_sizes_are_shown(keys, tmp_path):
    code, out, _ = run("--board", "rp2", "--version", "1.0.0", "--key", keys / "signer.pem", "--out", "x", cwd=tmp_path)
    assert code == 0
    assert "edge/boards/rp2.mpy" in out
    assert "x: 1.0.0 for rp2, signed" in out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--board", "esp8266", "--version", "0.2.0", "--key", "signer.pem"), "none of esp32, rp2, linux"),
        (("--board", "esp32", "--version", "0.2"), "three numbers"),
        (("--board", "esp32", "--version", "0.2.0"), "--new-key makes one"),
        (("--board", "esp32", "--version", "0.2.0", "--key", "gone.pem"), "gone.pem cannot be read"),
        (("--board", "esp32", "--version", "0.2.0", "--key", "release.key"), "no private key"),
        (("--board", "esp32", "--version", "0.2.0", "--key", "signer.pem", "--trial", "1h"), "5 to 1275 seconds"),
        (("--board", "esp32", "--version", "0.2.0", "--key", "signer.pem", "--minimum", "x"), "three numbers"),
        (
            ("--board", "linux", "--version", "0.2.0", "--key", "signer.pem", "--out", "no/such/folder"),
            "no/such/folder",
        ),
    ],
)
def test_what_cannot_be_built_is_told(keys, words, reason):
    code, _, err = run(*words, cwd=keys)
    assert code == 1
    assert reason in err


def test_a_key_with_a_passphrase(tmp_path):
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    code, said, _ = run("--new-key", "signer.pem", "--passphrase-file", "secret", "--json", cwd=tmp_path)
    assert (code, said["encrypted"]) == (0, True)
    build = ("--board", "linux", "--version", "0.2.0", "--key", "signer.pem")
    assert run(*build, "--passphrase-file", "secret", cwd=tmp_path)[0] == 0
    for options, reason in (((), "say --passphrase-file"), (("--passphrase-file", "wrong"), "not its own")):
        code, _, err = run(*build, *options, cwd=tmp_path)
        assert code == 1
        assert reason in err


def test_a_file_that_is_no_whole_release_is_not_taken(keys, tmp_path):
    key = release.load_key(keys / "signer.pem", None)
    promise = release.Promise(version="0.2.0", board="esp32", minimum="0.0.0", trial=600)
    made = release.sign(key, {"edge/main.py": b"x"}, promise)
    path = tmp_path / "release"
    made.write(path)
    whole = path.read_bytes()
    assert release.read(path) == made
    for content in (b"", whole[:-1], whole + b" ", whole.replace(b"main", b"maim"), whole[400:], whole[:100], b"\n\n"):
        path.write_bytes(content)
        with pytest.raises(release.ReleaseError):
            release.read(path)
