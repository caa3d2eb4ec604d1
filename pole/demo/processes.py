"""The demo's parts as processes of their own, which can be killed and started again."""

import asyncio
import subprocess
from pathlib import Path
from typing import Protocol

from pole.broker import Broker
from pole.demo.watch import Watch

STOP_S = 15.0  # a gateway gives ingest five seconds to confirm, ingest writes what it holds


class Part(Protocol):
    """What can be killed."""

    name: str
    kills: int
    wanted: bool  # it was started and nobody has ended it: if it does not run, it has crashed

    @property
    def running(self) -> bool: ...
    async def start(self) -> None: ...
    async def kill(self) -> None: ...
    async def stop(self) -> None: ...


class Service:
    """A command, its output in a log file."""

    def __init__(self, *, name: str, command: list[str], log: Path, watch: Watch) -> None:
        self.name = name
        self.log = log
        self.kills = 0
        self.wanted = False
        self._command = command
        self._watch = watch
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process that runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def ended(self) -> int | None:
        """How the last process ended: its exit code, or minus the signal."""
        return None if self._process is None else self._process.poll()

    async def start(self) -> None:
        """Returns at once; the process says in its log how it gets on."""
        self.wanted = True
        if self.running:
            return
        self._process = self._spawned()
        self._watch.add(self._process.pid)

    async def kill(self) -> None:
        """SIGKILL, as by the kernel or a power cut."""
        self.wanted = False
        if self._process is not None:
            self._process.kill()
            await self._ended()

    async def stop(self) -> None:
        """SIGTERM, and time to stop in order."""
        self.wanted = False
        if self._process is None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._ended()
        except TimeoutError:
            await self.kill()

    def _spawned(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    async def _ended(self) -> None:
        assert self._process is not None
        while self._process.poll() is None:
            await asyncio.sleep(0.02)
        self._watch.remove(self._process.pid)


class BrokerPart:
    """mosquitto as one of the parts."""

    name = "broker"

    def __init__(self, *, broker: Broker, watch: Watch) -> None:
        self.kills = 0
        self.wanted = False
        self._broker = broker
        self._watch = watch
        self._pid: int | None = None

    @property
    def running(self) -> bool:
        return self._broker.pid is not None

    async def start(self) -> None:
        """Returns when it accepts connections. Raises BrokerError."""
        self.wanted = True
        await asyncio.to_thread(self._broker.start)
        self._pid = self._broker.pid
        if self._pid is not None:
            self._watch.add(self._pid)

    async def kill(self) -> None:
        self.wanted = False
        await asyncio.to_thread(self._broker.kill)
        self._gone()

    async def stop(self) -> None:
        self.wanted = False
        await asyncio.to_thread(self._broker.stop)
        self._gone()

    def _gone(self) -> None:
        if self._pid is not None:
            self._watch.remove(self._pid)
            self._pid = None
