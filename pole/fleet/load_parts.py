"""A broker, ingest and a SQLite store for one load, on free ports of loopback; and the measurement itself."""

import asyncio
import contextlib
import secrets
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from device_profiles import loader
from pole.broker import Broker, BrokerError, free_port
from pole.demo.folder import INGEST, STORE
from pole.demo.processes import BrokerPart, Service
from pole.demo.store import percentile, reading
from pole.demo.watch import Watch
from pole.fleet import certificates, figures
from pole.fleet.load_order import LoadOrder, OrderError
from pole.fleet.load_outcome import InStore, LoadOutcome
from simulators.load.generator import Generator
from simulators.load.result import Moment
from simulators.load.target import Target, loopback, make_room

READY_S = 30.0
RECEIVE_MAX = 1000  # as many as mosquitto.conf lets be under way to one client


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What runs. store is None where nothing is stored here."""

    target: Target
    store: Path | None


def measure(order: LoadOrder, *, folder: Path | None, told: Callable[[Moment], None]) -> LoadOutcome:
    """Blocks. Raises LoadError, BrokerError, OrderError."""
    make_room(len(order.users))  # before the broker starts: it inherits the limit
    with _kept(folder) as path, _parts(order, path) as parts:
        generator = Generator(
            target=parts.target, schedule=order.schedule, profiles=loader.profiles(), readings=order.readings, told=told
        )
        result = generator.run()
        return LoadOutcome(
            result=result,
            broker="its own" if not order.host else f"{order.host}:{order.port}",
            in_store=None if parts.store is None else _in_store(parts.store),
            folder=None if folder is None else str(folder),
        )


@contextlib.contextmanager
def _parts(order: LoadOrder, folder: Path) -> Iterator[Parts]:
    if order.host:
        yield Parts(target=_target(order, order.host, order.port, order.context), store=None)
        return
    own = _Own(order, folder)
    try:
        asyncio.run(own.start())
        yield Parts(target=own.target(), store=folder / STORE if own.ingest else None)
    finally:
        asyncio.run(own.stop())


class _Own:
    """Broker and, where packs are to be stored, ingest."""

    def __init__(self, order: LoadOrder, folder: Path) -> None:
        self._order = order
        self._folder = folder
        self._http = free_port()
        passwords = {**order.users, INGEST: secrets.token_urlsafe(12)}
        self._context, more, self._tls_port = None, "", 0
        if order.tls:
            self._tls_port = free_port()
            certificates.write(folder / "tls")
            more = certificates.listener(folder / "tls", self._tls_port)
            self._context = ssl.create_default_context(cafile=folder / "tls" / certificates.CA)
        self._broker = Broker(folder=folder / "broker", passwords=passwords, more=more)
        self._watch = Watch()
        self._part = BrokerPart(broker=self._broker, watch=self._watch)
        self.ingest = self._service(passwords[INGEST]) if order.confirm == "stored" else None

    async def start(self) -> None:
        await self._part.start()
        if self.ingest is None:
            return
        await self.ingest.start()
        deadline = time.monotonic() + READY_S
        while waiting := await asyncio.to_thread(figures.waited_for, self._http):
            if time.monotonic() > deadline or not self.ingest.running:
                raise BrokerError(f"ingest does not come up: {'; '.join(waiting)}. Its log: {self.ingest.log}")
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        for part in (self.ingest, self._part):
            if part is not None:
                await part.stop()
        self._watch.close()

    def target(self) -> Target:
        pids = {"broker": self._broker.pid, "ingest": self.ingest.pid if self.ingest else None}
        parts = {name: pid for name, pid in pids.items() if pid is not None}
        return _target(self._order, "127.0.0.1", self._tls_port or self._broker.port, self._context, parts)

    def _service(self, password: str) -> Service:
        (self._folder / f"{INGEST}.password").touch(mode=0o600)
        (self._folder / f"{INGEST}.password").write_text(password)
        config = {
            "broker": self._broker.url(INGEST), "password_file": f"{INGEST}.password", "receive_max": RECEIVE_MAX,
            "store": f"sqlite:{STORE}", "dead_letters": "dead-letters.db", "http": f"127.0.0.1:{self._http}",
        }  # fmt: skip
        path = self._folder / "ingest.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "pole", "ingest", "run", str(path)]
        return Service(name=INGEST, command=command, log=self._folder / "ingest.log", watch=self._watch)


def _target(
    order: LoadOrder, host: str, port: int, context: ssl.SSLContext | None, parts: dict[str, int] | None = None
) -> Target:
    local = host in ("127.0.0.1", "localhost")  # elsewhere the machine's own address is the only one that leads back
    return Target(
        host="127.0.0.1" if local else host, port=port, users=order.users, tls=context, confirm=order.confirm,
        sources=loopback(order.sources) if local else ("",), parts=parts or {},
    )  # fmt: skip


@contextlib.contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """The folder, new or empty; without one a folder that goes when it is over."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="pole-load-") as path:
            yield Path(path)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OrderError(f"--dir {folder}: something is there already; name a folder that is new or empty")
    except OSError as error:
        raise OrderError(f"--dir {folder}: {error.strerror}; choose another folder") from error
    yield folder.absolute()


def _in_store(store: Path) -> InStore:
    """All but the first pack of each node, which belongs to no stage."""
    with reading(store) as db:
        found = db.execute("SELECT latency_ms FROM packs WHERE number > 1 ORDER BY latency_ms").fetchall()
    took = [row[0] for row in found]
    return InStore(packs=len(took), p50_ms=percentile(took, 0.5), p99_ms=percentile(took, 0.99))
