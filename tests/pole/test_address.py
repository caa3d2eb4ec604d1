"""What a site file says about the broker, and what options say instead."""

import pytest

from device_profiles.problems import FileProblem
from pole import address

SITE = """
area: wuhou
gateways:
  gw-1: {broker: "mqtt://10.0.0.1:1884", pole: P0001}
  gw-2: {broker: "mqtts://10.0.0.2", ca: ca.pem, pole: P0002}
poles:
  P0001: {position: [30.641, 104.043]}
  P0002: {position: [30.642, 104.044]}
buses:
  tcp-1: {gateway: gw-1, host: 192.168.1.20}
  tcp-2: {gateway: gw-2, host: 192.168.1.21}
devices:
  - {pole: P0001, device: lamp-1, profile: arlight-dali, bus: tcp-1, unit: 1, channel: 3}
  - {pole: P0001, device: lamp-2, profile: arlight-dali, bus: tcp-2, unit: 1, channel: 3}
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.delenv("POLE_BROKER", raising=False)
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def options(site, device="lamp-1", **given):
    none = dict.fromkeys(["broker", "password_file", "ca"])
    return address.client_options(pole="P0001", device=device, site=site, **(none | given))


def test_the_broker_is_that_of_the_devices_gateway(site):
    assert options(site) == {"hostname": "10.0.0.1", "port": 1884, "username": "operator", "password": None}
    assert address.from_site(site, "P0001", "lamp-2") == ("mqtts://operator@10.0.0.2", site.parent / "ca.pem")
    second = options(site, device="lamp-2")
    assert (second["hostname"], second["port"]) == ("10.0.0.2", 8883)
    assert second["tls_params"].ca_certs == str(site.parent / "ca.pem")


CONTROLLERS = """
controllers:
  ctl-1: {board: linux, pole: P0001, broker: "mqtt://10.0.0.3:1885", uarts: {field: {port: /dev/ttyS1}}}
  ctl-2:
    board: linux
    pole: P0002
    through: uplink-1
    address: 7
    uart: up
    uarts: {up: {port: /dev/ttyS2}, field: {port: /dev/ttyS1}}
"""


def test_a_device_of_a_controller_is_reached_where_its_packs_go(site):
    text = SITE.replace("\npoles:", f"{CONTROLLERS}poles:").replace(
        "devices:\n",
        """\
  uplink-1: {gateway: gw-2, protocol: controllers, port: /dev/ttyUSB0}
  field-1: {controller: ctl-1, uart: field}
  field-2: {controller: ctl-2, uart: field}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: field-1, unit: 1}
  - {pole: P0002, device: air-1, profile: xy-md03, bus: field-2, unit: 1}
""",
    )
    site.write_text(text)
    assert address.from_site(site, "P0001", "air-1") == ("mqtt://operator@10.0.0.3:1885", None)
    assert address.from_site(site, "P0002", "air-1") == ("mqtts://operator@10.0.0.2", site.parent / "ca.pem")


def test_the_password_beside_the_site_file_is_read(site):
    (site.parent / "operator.password").write_text("beside\n")
    assert options(site)["password"] == "beside"


def test_options_win_over_the_site_file(site, tmp_path):
    (site.parent / "operator.password").write_text("beside\n")
    (tmp_path / "mine").write_text("mine\n")
    (tmp_path / "ca").touch()
    found = options(site, broker="mqtts://alice@10.0.0.9", password_file=tmp_path / "mine", ca=tmp_path / "ca")
    assert (found["hostname"], found["username"], found["password"]) == ("10.0.0.9", "alice", "mine")
    assert found["tls_params"].ca_certs == str(tmp_path / "ca")


def test_the_site_file_wins_over_the_environment(site, monkeypatch):
    monkeypatch.setenv("POLE_BROKER", "mqtt://operator@10.9.9.9")
    assert options(site)["hostname"] == "10.0.0.1"
    assert options(None)["hostname"] == "10.9.9.9"


def test_several_brokers_and_a_device_of_none_are_a_question(site):
    with pytest.raises(ValueError, match=r"P0001 lamp-9 is not in it.*say --broker"):
        options(site, device="lamp-9")


def test_a_site_file_that_is_not_there_is_told(site):
    with pytest.raises(FileProblem, match=r"no-site\.yaml"):
        options(site.with_name("no-site.yaml"))


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file"), (b"", "is empty"), (b"\xff", "is no text")],
)
def test_a_password_file_that_holds_none_is_told(site, tmp_path, content, told):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=told) as error:
        options(site, password_file=path)
    assert str(error.value).startswith("--password-file: ")
    assert str(path) in str(error.value)
