"""Secrets of a controller: from the files that a site names to what the agent reads. Nothing else ever shows them."""

import json
import stat
import subprocess

import pytest

from device_profiles.site import Controller
from pole.broker import free_port
from pole.flash import FlashError, contents
from pole.flash.folder import Folder
from tests.parts import certificates
from tests.parts.servers import program
from tests.pole.flash.rig import Board, Rig, failed

LOCKED = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n".format("ENCRYPTED PRIVATE KEY")


@pytest.fixture
def files(tmp_path):
    return certificates.make(tmp_path, ["127.0.0.1", "ctl-18"])


def controller(**keys):
    return Controller(board="esp32", pole="P0018", broker="mqtts://127.0.0.1:8883", **keys)


def openssl(*words, data):
    run = subprocess.run([program("openssl"), *words], input=data, capture_output=True, check=True)
    return run.stdout


def test_certificates_and_keys_become_what_a_board_reads(files):
    own = controller(ca=files / "ca.pem", cert=files / "ctl-18.pem", key=files / "ctl-18.key")
    found = contents.secrets(own, der=True)
    assert sorted(found) == ["ca.der", "cert.der", "key.der"]
    assert found["ca.der"] == openssl("x509", "-outform", "DER", data=(files / "ca.pem").read_bytes())
    assert openssl("pkey", "-inform", "DER", data=found["key.der"]) == (files / "ctl-18.key").read_bytes()
    assert contents.secrets(own, der=False)["key.pem"] == (files / "ctl-18.key").read_bytes()
    (files / "several.pem").write_bytes((files / "ca.pem").read_bytes() + (files / "stranger.pem").read_bytes())
    assert list(contents.secrets(controller(ca=files / "several.pem"), der=True)) == ["ca.pem"]
    (files / "ca.der").write_bytes(found["ca.der"])
    assert contents.secrets(controller(ca=files / "ca.der"), der=True)["ca.der"] == found["ca.der"]


def test_passwords_are_the_first_line(tmp_path):
    (tmp_path / "one").write_text("secret one \nmore\n")
    (tmp_path / "two").write_text("wifi secret\n")
    own = controller(password_file=tmp_path / "one", wifi={"ssid": "poles", "password_file": tmp_path / "two"})
    assert contents.secrets(own, der=True) == {"password": b"secret one", "wifi": b"wifi secret"}
    through = Controller(
        board="esp32", pole="P0018", through="line", address=1, uart="up", password_file=tmp_path / "one"
    )
    assert contents.secrets(through, der=True) == {}, "the gateway has them"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("", "holds no ca"),
        (LOCKED, "holds no ca"),
    ],
)
def test_a_file_that_holds_none_is_told(tmp_path, text, reason):
    if text is not None:
        (tmp_path / "ca").write_text(text)
    with pytest.raises(FlashError, match=reason) as caught:
        contents.secrets(controller(ca=tmp_path / "ca"), der=True)
    assert str(tmp_path / "ca") in caught.value.reason


def test_a_release_key_is_looked_at(tmp_path):
    (tmp_path / "pem").write_text("-----BEGIN PUBLIC KEY-----" + "A" * 400)
    (tmp_path / "key").write_bytes(b"\xc0" + bytes(383))
    assert len(contents.release_key(tmp_path / "key")) == 384
    with pytest.raises(FlashError, match="is no release key"):
        contents.release_key(tmp_path / "pem")


def test_a_secret_on_a_disk_is_its_users_alone(tmp_path):
    folder = Folder(tmp_path / "ctl-18")
    folder.write("password", b"secret", private=True)
    folder.write("config.json", b"{}")
    assert stat.S_IMODE((tmp_path / "ctl-18/password").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ctl-18/config.json").stat().st_mode) == 0o640


@pytest.mark.parametrize("broker", [("nobody",)], indirect=True)
def test_a_controller_reaches_a_broker_that_wants_its_certificate(tmp_path, broker, files):
    port = free_port()
    with (broker.folder / "mosquitto.conf").open("a") as file:
        file.write(
            f"listener {port} 127.0.0.1\ncafile {files}/ca.pem\ncertfile {files}/127.0.0.1.pem\n"
            f"keyfile {files}/127.0.0.1.key\nrequire_certificate true\nuse_identity_as_username true\n"
        )
    broker.restart()
    rig = Rig(folder=tmp_path, port=port)
    text = rig.site.read_text().replace(f'"mqtt://127.0.0.1:{port}"', f'"mqtts://127.0.0.1:{port}", {{tls}}')
    rig.site.write_text(text.replace("{tls}", "ca: ca.pem, cert: ctl-18.pem, key: ctl-18.key"))
    with Board(folder=tmp_path) as board:
        code, sheet, shown = rig.flash(board.port, pole="P0018")
        assert (code, failed(sheet)) == (0, []), shown
        key = (files / "ctl-18.key").read_text().splitlines()[1]
        assert key not in json.dumps(sheet) + shown
        rig.site.write_text(text.replace("{tls}", "ca: stranger.pem, cert: ctl-18.pem, key: ctl-18.key"))
        code, sheet, _ = rig.flash(board.port, pole="P0018")
        assert (code, failed(sheet)) == (1, [("broker", f"127.0.0.1:{port}")])
        assert sheet["checks"][-1]["said"].startswith("certificate")
        assert "look at ca" in sheet["checks"][-1]["remedy"]
