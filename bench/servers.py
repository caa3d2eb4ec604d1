"""A database server as a child process on loopback, with a folder and a port of its own."""

import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from pole import signals
from pole.broker import free_port

START_S = 30.0
STOP_S = 10.0
ASK_S = 60.0


class Server:
    """It answers on `http`, at the path `health` first. The port stays the same over restarts."""

    health = "/"

    def __init__(self, *, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """While it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Returns when it answers. Raises RuntimeError with the end of its log."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} did not start; the end of {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            signals.end(self._process, seconds=STOP_S)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def request(self, path: str, fields: dict[str, str] | None = None) -> bytes:
        """GET, or POST when there are form fields."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(self.http + path, data, timeout=ASK_S) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            self.request(self.health)
        except (OSError, urllib.error.HTTPError):
            return False
        return True


def influxdb_configuration(folder: Path, port: int) -> Path:
    """The file for an InfluxDB 1 that keeps everything in a folder and listens on loopback alone."""
    path = folder / "influxdb.conf"
    if not path.exists():
        path.write_text(
            "reporting-disabled = true\n"
            f'bind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\n  dir = "{folder}/meta"\n'
            f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n  query-log-enabled = false\n'
            "[monitor]\n  store-enabled = false\n"
            f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
        )
    return path


def victoria_options(folder: Path, port: int) -> list[str]:
    """For a VictoriaMetrics that keeps everything in a folder, and tells at once what it was told."""
    return [
        f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}/data", "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
    ]  # fmt: skip
