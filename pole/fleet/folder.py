"""The run's folder: what every part is configured with, its data and its logs.

order.json run.json ingest.yaml *.password node.passwords   readings.db (the store)   truth/   account.json
broker/ tls/ logs/
"""

import fcntl
import json
import secrets
import shlex
import shutil
from pathlib import Path
from typing import Any, TextIO

import yaml

from pole.broker import Broker, free_port
from pole.demo.folder import INGEST, OPERATOR, FolderError, program
from pole.fleet import certificates
from pole.fleet.plan import Plan

LOCK = "fleet.lock"  # also the mark of a folder that is ours
RECEIVE_MAX = 1000  # packs under way from broker to ingest: as many as mosquitto.conf allows
PER_SOURCE = 10_000  # connections from one loopback address: from about 14,000 on Linux searches long for a free port


class RunFolder:
    """Raises FolderError. What an earlier run left there is kept beside it, as NAME.earlier, until the next one."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path.absolute()
        self.shown = path  # as the user wrote it, for commands to copy
        self.plan = plan
        self.earlier: Path | None = None
        try:
            self._lock = self._prepared()
        except OSError as error:
            raise FolderError(f"{path}: {error.strerror}; choose another folder with --dir") from error
        self.port, self.tls_port, self.http_port = free_port(), free_port(), free_port()
        self.passwords = {user: secrets.token_urlsafe(12) for user in (*users(plan), INGEST, OPERATOR)}

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def ingest(self) -> Path:
        return self.path / "ingest.yaml"

    @property
    def order(self) -> Path:
        return self.path / "order.json"

    def close(self) -> None:
        """Another run may come here now."""
        self._lock.close()

    def broker(self) -> Broker:
        """The repository's mosquitto.conf on a free port, with this run's users; for TLS on another one as well."""
        more = ""
        if self.plan.tls:
            certificates.write(self.path / "tls")
            more = certificates.listener(self.path / "tls", self.tls_port)
        return Broker(folder=self.path / "broker", passwords=self.passwords, port=self.port, more=more)

    def write(self, began_ms: int) -> dict[str, Any]:
        """Configuration of ingest and of the emulator. Returns the order that the emulator gets."""
        plan = self.plan
        for user in (INGEST, OPERATOR):
            self._keep(f"{user}.password", self.passwords[user] + "\n")
        self._keep("node.passwords", "".join(f"{user}:{word}\n" for user, word in self.passwords.items()))
        config = {
            "broker": f"mqtt://{INGEST}@127.0.0.1:{self.port}",
            "password_file": f"{INGEST}.password",
            "receive_max": RECEIVE_MAX,
            "store": plan.store,
            "dead_letters": "dead-letters.db",
            "http": f"127.0.0.1:{self.http_port}",
        }
        if plan.token_file is not None:
            config["token_file"] = str(plan.token_file.absolute())
        self.ingest.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        sources = [f"127.0.0.{1 + number}" for number in range(1 + len(plan.nodes) // PER_SOURCE)]
        order = {
            "folder": str(self.path), **plan.asked, "began_ms": began_ms,
            "broker": {
                "host": "127.0.0.1", "port": self.tls_port if plan.tls else self.port, "plain_port": self.port,
            },
            "passwords": str(self.path / "node.passwords"),
            "tls": {"ca": str(self.path / "tls" / certificates.CA)} if plan.tls else None, "sources": sources,
        }  # fmt: skip
        self.order.write_text(json.dumps(order, indent=1) + "\n", encoding="utf-8")
        run = {"order": order, "store": plan.store, "ingest": self.ingest.name}
        (self.path / "run.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        return order

    def commands(self) -> list[tuple[str, str]]:
        """(what it does, what to type) for another terminal."""
        shown = shlex.quote(str(self.ingest_shown))
        last = self.plan.nodes[-1].partition("-")[0] if self.plan.nodes else "P00001"
        return [
            ("readings of a pole", f"{program()} query --config {shown} --pole {last} --since 1d"),
            ("what is stored", f"{program()} reconcile --config {shown}"),
        ]

    @property
    def ingest_shown(self) -> Path:
        return self.shown / "ingest.yaml"

    def _keep(self, name: str, text: str) -> None:
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _prepared(self) -> TextIO:
        """The folder, empty but for the lock, which is held."""
        if self.path.exists() and any(self.path.iterdir()):
            if not (self.path / LOCK).exists():
                raise FolderError(f"{self.shown} holds something that is no run; choose another folder with --dir")
            self._locked().close()
            self.earlier = self.path.with_name(f"{self.path.name}.earlier")
            shutil.rmtree(self.earlier, ignore_errors=True)
            self.path.rename(self.earlier)
        self.logs.mkdir(parents=True)
        return self._locked()

    def _locked(self) -> TextIO:
        lock = (self.path / LOCK).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise FolderError(f"{self.shown}: another run is under way here; choose another with --dir") from None
        return lock


def users(plan: Plan) -> list[str]:
    """Who else than ingest and the operator connects to the broker."""
    if not plan.wires + plan.agents:
        return plan.nodes
    from pole.fleet import depth_plan

    return [*plan.nodes, *depth_plan.users(plan.asked)]
