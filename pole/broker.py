"""A mosquitto of one's own: the repository's mosquitto.conf with another port, other users and other folders.

The demo and the tests use it, so what they show holds for the file that a city installs. The broker listens on
loopback only and can be killed and started again on the same port.

BrokerError
"""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from pole import signals

CONFIGURATION = Path(__file__).resolve().parent.parent / "mosquitto.conf"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
OWN_PORTS = (10_000, 32_000)  # below what Linux (from 32768) and macOS (from 49152) give to outgoing connections
# Debian keeps mosquitto where an ordinary user's PATH does not look; Homebrew links it into its own sbin
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


class BrokerError(Exception):
    """The broker cannot be set up or does not start; the message says what to do."""


def find_program(name: str) -> str:
    """Path of one of mosquitto's programs. Raises BrokerError when it is not installed."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]))
    if path is None:
        raise BrokerError(f"{name} is not installed. `make demo` installs it; or install the package `mosquitto`.")
    return path


_source = random.SystemRandom()  # a test library that seeds `random` would give two processes the same port


def free_port() -> int:
    """A TCP port that is free on loopback at this moment, and that no outgoing connection will be given.

    A client that tries again while its server is down would otherwise be given the server's own port now and then,
    connect to itself, and keep the server from starting.
    """
    while True:
        port = _source.randint(*OWN_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """Write a password file (user -> password), hashed by mosquitto_passwd; nothing secret stands on a command line."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{user}:{password}\n" for user, password in passwords.items()), encoding="utf-8")
    answer = subprocess.run([find_program("mosquitto_passwd"), "-U", path], capture_output=True, text=True, check=False)
    if answer.returncode:
        path.unlink()
        raise BrokerError(f"mosquitto_passwd could not write {path}: {answer.stderr.strip()}")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """The configuration with some directives' values replaced. Raises BrokerError unless each stands there once."""
    lines = text.splitlines()
    for directive, value in values.items():
        places = [number for number, line in enumerate(lines) if line.split(" ", 1)[0] == directive]
        if len(places) != 1:
            raise BrokerError(
                f"{CONFIGURATION.name}: the directive `{directive}` stands there {len(places)} times; "
                "exactly one line is needed, so that a port, users and folders can be set for the demo and the tests."
            )
        lines[places[0]] = f"{directive} {value}"
    return "\n".join(lines) + "\n"


class Broker:
    """One mosquitto process. Files stand in `folder`; `port` stays the same over restarts.

    more: lines at the end of its configuration, such as a second listener.
    """

    def __init__(self, *, folder: Path, passwords: Mapping[str, str], port: int | None = None, more: str = "") -> None:
        self.folder = folder
        self.passwords = dict(passwords)
        self.port = port or free_port()
        self.log = folder / "broker.log"
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.RLock()  # a start in a thread goes on when its task is cancelled
        self._configuration = self._write()

    def url(self, user: str) -> str:
        """Address for a configuration file; the password goes into a file of its own."""
        return f"mqtt://{user}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while the broker runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def start(self) -> None:
        """Start, and return when it accepts connections (within 30 s). Blocks: coroutines use asyncio.to_thread."""
        with self._turn:
            if self.pid is not None:
                return
            with self.log.open("ab") as log:
                began = log.tell()
                self._process = subprocess.Popen(
                    [find_program("mosquitto"), "-c", self._configuration],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            deadline = time.monotonic() + START_SECONDS
            while not (self._says_it_runs(began) and self._accepts()):
                if self.pid is None or time.monotonic() > deadline:
                    self.kill()
                    raise BrokerError(
                        f"mosquitto did not start on port {self.port}. The end of its log:\n{self._log_end()}"
                    )
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as an operator does (SIGTERM): it saves its sessions and retained messages."""
        with self._turn:
            if self._process is not None:
                signals.end(self._process, seconds=STOP_SECONDS)

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL)."""
        with self._turn:
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def restart(self) -> None:
        """Kill it, and start it again on the same port with the same files."""
        self.kill()
        self.start()

    def _write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_passwords(self.folder / "mosquitto.password", self.passwords)
        acl = self.folder / "mosquitto.acl"
        acl.write_bytes(CONFIGURATION.with_suffix(".acl").read_bytes())
        acl.chmod(0o600)
        values = {
            "listener": f"{self.port} 127.0.0.1",
            "password_file": str(self.folder / "mosquitto.password"),
            "acl_file": str(acl),
            "persistence_location": f"{self.folder}/",
        }
        if os.geteuid() == 0:
            values["user"] = "root"  # mosquitto would become the user `mosquitto`, who cannot read this folder
        path = self.folder / "mosquitto.conf"
        text = substitute(CONFIGURATION.read_text(encoding="utf-8"), values) + self._more
        path.write_text(text, encoding="utf-8")
        return path

    def _says_it_runs(self, began: int) -> bool:
        # somebody else's server may accept on this port, while ours ends because it is taken
        with self.log.open("rb") as log:
            log.seek(began)
            return b" running" in log.read()

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
