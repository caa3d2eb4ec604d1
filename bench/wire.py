"""Emulated serial buses in a process of their own, so that who asks and who answers never wait for each other's loop.

The process takes real-time priority where it may: a wire and a device's own processor share no scheduler with us.
"""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from device_profiles.schema import Profile
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort, fine_loop
from simulators.wire_account import Account

HOUR_MS = 3_600_000  # values stand still: what moves costs the emulator time, and the bench measures the line
SPIN_S = 0.0003
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Place:
    """A device on a bus."""

    profile: Profile
    unit: int
    channel: int = 0

    @property
    def name(self) -> str:
        return f"d{self.unit}-{self.channel}"


@dataclass(frozen=True, kw_only=True)
class EmulatedBus:
    name: str
    path: Path
    places: tuple[Place, ...]
    baud: int = 9600
    parity: str = "none"
    stop_bits: int = 1
    strict: bool = True


class Wire:
    """The process, from the outside. Every method waits for its answer, well below a millisecond."""

    def __init__(self, *buses: EmulatedBus) -> None:
        self._buses = buses

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.wire", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
            )
        self._connection = Connection(ours.detach())
        self._connection.send(self._buses)
        self._connection.recv()  # it is there
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()  # the process ends by itself
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def fault(self, bus: str, unit: int, **faults: Any) -> None:
        """Sets fields of simulators.unit.Faults; without any, the unit works again."""
        self._ask("fault", bus, unit, faults)

    def reset(self) -> None:
        """All accounts begin anew."""
        self._ask("reset")

    def account(self, bus: str) -> Account:
        account: Account = self._ask("account", bus)
        return account

    def _ask(self, *what: object) -> Any:
        self._connection.send(what)
        return self._connection.recv()


class _Served:
    """The process, from the inside."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = fine_loop()
        self._ports: dict[str, RtuPort] = {}

    def run(self) -> None:
        buses: tuple[EmulatedBus, ...] = self._connection.recv()
        self._ports = {bus.name: _port(bus) for bus in buses}
        self._loop.call_soon(self._start)
        self._loop.run_forever()

    def _start(self) -> None:
        for port in self._ports.values():
            port.restore()
        self._loop.add_reader(self._connection.fileno(), self._asked)
        self._connection.send(real_time())

    def _asked(self) -> None:
        try:
            verb, *arguments = self._connection.recv()
        except (EOFError, ConnectionResetError):
            for port in self._ports.values():
                port.vanish()
            self._loop.stop()
            return
        self._connection.send(getattr(self, verb)(*arguments))

    def fault(self, bus: str, unit: int, faults: dict[str, Any]) -> None:
        if not faults:
            self._ports[bus].unit(unit).heal()
        for name, value in faults.items():
            setattr(self._ports[bus].unit(unit).faults, name, value)

    def reset(self) -> None:
        for port in self._ports.values():
            port.account = Account()

    def account(self, bus: str) -> Account:
        return self._ports[bus].account


def _port(bus: EmulatedBus) -> RtuPort:
    devices = [
        EmulatedDevice(
            profile=place.profile, pole="P1", name=place.name, unit=place.unit, channel=place.channel, tick_ms=HOUR_MS
        )
        for place in bus.places
    ]
    return RtuPort(
        path=bus.path,
        devices=devices,
        baud=bus.baud,
        parity=bus.parity,
        stop_bits=bus.stop_bits,
        strict=bus.strict,
        spin=SPIN_S,
    )


def real_time() -> str:
    """This process goes before all usual ones, and wakes up in time. "usual" where it may not."""
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1000", encoding="ascii")
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return "usual"
    return "real-time"


if __name__ == "__main__":
    _Served(Connection(int(sys.argv[1]))).run()
