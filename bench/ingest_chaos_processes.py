"""The ingest of `pole bench ingest-chaos`: its processes, found, started, stopped and cut off one by one."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.ingest_consumers import USER
from bench.ingest_rig import before_others
from pole.broker import free_port

_ROOT = Path(__file__).resolve().parent.parent


class Process(NamedTuple):
    """One of ingest's workers. parent: who watches it, or 1 where that is gone."""

    pid: int
    parent: int
    number: int


@dataclass
class Ingest:
    """`pole ingest run` on a configuration of its own, started anew whenever it has ended.

    workers: more than one are started and watched by the process that `pid` tells; those die of a pack with the mark
    of `bench.ingest_chaos_mortal`.
    """

    folder: Path
    log: Path
    port: int
    store: str
    workers: int
    letters: str
    starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        (self.folder / "password").write_text("ingest-secret")
        config = {
            "broker": f"mqtt://{USER}@127.0.0.1:{self.port}", "password_file": "password", "receive_max": 1000,
            "store": self.store, "dead_letters": self.letters, "http": f"127.0.0.1:{free_port()}",
        }  # fmt: skip
        self._config = self.folder / "ingest.yaml"
        self._config.write_text(yaml.safe_dump(config), encoding="utf-8")

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    @property
    def several(self) -> bool:
        return self.workers > 1

    def start(self) -> None:
        if self.pid is not None:
            return
        self.starts += 1
        module, more = ("bench.ingest_chaos_mortal", ["--workers", str(self.workers)]) if self.several else ("pole", [])
        command = [sys.executable, "-m", module, "ingest", "run", *more, str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        before_others(self._process.pid)

    def kill(self) -> None:
        """The process, or who watches the workers; they end by themselves then."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """All of its processes."""
        self.kill()
        while found := self.processes():
            for process in found:
                send(process.pid, signal.SIGKILL)

    def roll(self) -> None:
        """A rolling restart. Without workers that would be an end."""
        if self.pid is not None and self.watched():
            send(self.pid, signal.SIGHUP)

    def watched(self) -> list[Process]:
        """The workers of the one who watches now."""
        return [process for process in self.processes() if process.parent == self.pid]

    def processes(self) -> list[Process]:
        """All workers, those too whose watcher is gone."""
        out = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if os.fsencode(self._config) in words and b"--worker" in words:
                    number = int(words[words.index(b"--worker") + 1])
                    out.append(Process(int(folder.name), _parent(folder), number))
        return sorted(out, key=lambda process: process.number)


def send(pid: int, what: signal.Signals) -> None:
    """To one that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def local_ports(pid: int) -> set[int]:
    """Of a process's TCP connections over IPv4 (proc(5), /proc/net/tcp: the local address, and the inode)."""
    sockets = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(link))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets}


def _parent(folder: Path) -> int:
    # after the name, which may hold anything in its brackets: state, parent
    return int((folder / "stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()[1])
