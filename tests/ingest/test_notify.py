"""What a service manager hears, on a socket of its kind."""

import socket
from types import SimpleNamespace

import pytest

from ingest.notify import Notify


@pytest.fixture
def heard(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        yield ear


def test_started_alive_and_stopping_are_told(heard, monkeypatch):
    monkeypatch.setattr("ingest.notify.time", SimpleNamespace(monotonic=lambda: 1000.0))
    notify = Notify(heard.getsockname())
    notify.ready()
    notify.alive(["store: down", "broker:\nnot there"])
    notify.alive([])  # within the same second
    notify.stopping()
    told = [heard.recv(1000).decode() for _ in range(3)]
    assert told == ["READY=1", "WATCHDOG=1\nSTATUS=store: down; broker: not there", "STOPPING=1"]


def test_nobody_who_listens_is_no_error(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    for notify in (Notify(), Notify(str(tmp_path / "gone"))):
        notify.ready()
        notify.alive([])


def test_an_abstract_socket_is_reached_too(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("")  # the kernel picks an abstract name, unix(7)
        ear.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + ear.getsockname()[1:].decode())
        Notify().ready()
        assert ear.recv(100) == b"READY=1"
