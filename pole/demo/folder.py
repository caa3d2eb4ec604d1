"""The demo's run folder: configuration of every part, its data and its logs.

site.yaml ingest.yaml *.password   gw-N.db (spools)   ctl-N/ (a controller's disk)   readings.db (the store)
broker/ ports/ logs/
"""

import fcntl
import secrets
import shlex
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import TextIO

import yaml

from pole.broker import Broker, free_port
from pole.demo.store import reading
from simulators.city import NODES, City

STORE = "readings.db"
LOCK = ".lock"  # also the mark of a folder that is ours: site.yaml and ingest.yaml are written anew
INGEST = "ingest"
OPERATOR = "operator"
LORAWAN = "chirpstack"


class FolderError(Exception):
    """The folder cannot be used: another demo runs there, or it cannot be written. The message says what to do."""


class Folder:
    """Raises FolderError. What an earlier run has left there is kept and continued."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.shown = path  # as the user wrote it, for commands to copy
        self.logs = self.path / "logs"
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
            self._lock = self._locked()
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise FolderError(f"{path}: {error.strerror}; choose another folder with --dir") from error
        self.continued = self.store.exists()
        if self.continued:
            self._check_store()
        self.port = free_port()
        self.passwords = {user: secrets.token_urlsafe(12) for user in (*NODES, INGEST, OPERATOR, LORAWAN)}

    @property
    def store(self) -> Path:
        return self.path / STORE

    @property
    def site(self) -> Path:
        return self.path / "site.yaml"

    @property
    def ingest(self) -> Path:
        return self.path / "ingest.yaml"

    def spool(self, node: str) -> Path:
        return self.path / f"{node}.db"

    def controller(self, node: str) -> Path:
        return self.path / node

    def close(self) -> None:
        """Another demo may run here now."""
        self._lock.close()

    def broker(self) -> Broker:
        """The repository's mosquitto.conf on a free port, with this run's passwords."""
        for user, password in self.passwords.items():
            self._keep(f"{user}.password", password)
        return Broker(folder=self.path / "broker", passwords=self.passwords, port=self.port)

    def city(self) -> City:
        """The devices, with their ports' names in this folder."""
        return City(
            folder=self.path / "ports", controllers=self.path, free_port=free_port, broker=f"mqtt://127.0.0.1:{self.port}",
            lora_password=self.passwords[LORAWAN],
        )  # fmt: skip

    def write(self, city: City, broker: Broker) -> None:
        """Site and ingest's configuration for these ports, and the devices' secrets."""
        for name, secret in city.secrets.items():
            self._keep(name, secret)
        self.site.write_text(yaml.safe_dump(city.site(), allow_unicode=True, sort_keys=False), encoding="utf-8")
        config = {
            "broker": broker.url(INGEST),
            "password_file": f"{INGEST}.password",
            "store": f"sqlite:{STORE}",
            "dead_letters": "dead-letters.db",
            "http": f"127.0.0.1:{free_port()}",
        }
        self.ingest.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def commands(self) -> list[tuple[str, str]]:
        """(what it does, what to type) for another terminal."""
        pole = program()
        ingest = shlex.quote(str(self.shown / "ingest.yaml"))
        site = shlex.quote(str(self.shown / "site.yaml"))
        return [
            ("readings of a pole", f"{pole} query --config {ingest} --pole P0001 --since 1m"),
            ("dim a lamp", f"{pole} send P0001 lamp-1 set_level level=20 --site {site}"),
            ("dim by a controller", f"{pole} send P0012 lamp-2 set_level level=40 --site {site}"),
            ("write on a screen", f"{pole} send P0001 screen-1 set_text text=Flood --site {site}"),
            ("limit a charger", f"{pole} send P0001 charger-2 set_current current=10 --site {site}"),
            ("turn a camera", f"{pole} send P0001 camera-1 goto_preset preset=2 --site {site}"),
            ("what is stored", f"{pole} reconcile --config {ingest}"),
            ("kill a gateway", f"pkill -9 -f {shlex.quote(f'{self.site} --node gw-1')}"),  # of this demo alone
        ]

    def _keep(self, name: str, secret: str) -> None:
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(secret + "\n", encoding="utf-8")

    def _check_store(self) -> None:
        try:
            with reading(self.store) as db:
                db.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.Error as error:
            raise FolderError(
                f"{self.shown / STORE}: {error}; move it away, or choose another folder with --dir"
            ) from None

    def _locked(self) -> TextIO:
        if any(self.path.iterdir()) and not (self.path / LOCK).exists():
            raise FolderError(f"{self.shown} holds something that is no demo; choose another folder with --dir")
        lock = (self.path / LOCK).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise FolderError(f"{self.shown}: another demo runs here; choose another folder with --dir") from None
        return lock


def program() -> str:
    """What to type for `pole`, the way it was started: it may stand in a virtual environment that is not active."""
    started = Path(sys.argv[0])
    if started.name != "pole":
        return f"{shlex.quote(sys.executable)} -m pole"
    return "pole" if shutil.which("pole") else shlex.quote(str(started))
