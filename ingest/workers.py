"""Several workers on one machine: started, watched, started again, and their pages on one.

Each is a process of `pole ingest run` with a session of its own, and the broker gives each a share of the packs. One
that ends is started again, with growing pauses; one that says nothing any more is ended first. A pack that two of them
die of while they look at it is set aside. One that dies again and again, and not there, is started carefully: it takes
one pack at a time, so that the pack that it dies of is known. The others go on.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import structlog
from prometheus_client import parser

from ingest.dead_letters import DeadLetters
from ingest.errors import Unavailable
from ingest.http import Http, alive, ready
from ingest.metrics import CONTENT_TYPE
from ingest.notify import Notify
from ingest.suspects import Ends, Memory, Note

LOOK_S = 0.1
RESTART_FIRST_S, RESTART_MOST_S = 0.2, 15.0
CRASHES, WITHIN_S = 3, 60.0  # so many ends in that time, and the next start is a careful one
ENDS_KEPT = 16  # as many as the pauses grow with
CAREFUL_S = 20.0  # so long without an end, and a careful worker is replaced by a usual one
STOP_S = 15.0
READY_S = 30.0  # on a rolling restart: for one to work again, before the next is stopped
ASK_S = 2.0
SILENT_S = 60.0  # a worker whose pages answered and do not for so long is killed, while those of others do

log = structlog.get_logger("ingest")

Command = Callable[[int, str, bool], list[str]]  # number, http address, careful -> what is started


class Worker:
    """One of them, from 1. Its page is on `port`, another one each time it is started."""

    def __init__(self, *, number: int, command: Command) -> None:
        self.number = number
        self.port = 0
        self.ends: deque[float] = deque(maxlen=ENDS_KEPT)
        self.careful = False
        self.began = 0.0
        self.heard: float | None = None  # when one of its pages answered last, since it was started
        self.due = 0.0  # when it is to be started again
        self.stopping = False
        self.memory = Memory()
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._replacing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def ended(self) -> int | None:
        """How it ended, since it was started last."""
        return None if self._process is None else self._process.poll()

    @property
    def silence(self) -> str:
        """Why its pages do not answer."""
        if self.pid is None:
            return "it ended, and is started again"
        return "it starts" if self.heard is None else "it does not answer"

    def start(self) -> None:
        """Raises nothing: one that cannot be started is tried again later."""
        self.began = time.monotonic()
        self.heard = None
        self.stopping = False
        self.port = _free_port()
        self.memory.clear()
        command = self._command(self.number, f"127.0.0.1:{self.port}", self.careful)
        try:
            self._process = subprocess.Popen(command, stdin=self.memory.fd)
        except OSError as error:
            self.failed()
            log.error("a worker cannot be started", worker=self.number, reason=str(error))
            return
        log.info("worker started", worker=self.number, pid=self._process.pid, careful=self.careful)

    def failed(self) -> None:
        """It ended, and nobody had asked for that: when it is started again, and how."""
        now = time.monotonic()
        self._process = None
        self.ends.append(now)
        recent = sum(now - end < WITHIN_S for end in self.ends)
        self.careful = recent >= CRASHES
        self.due = now + min(RESTART_MOST_S, RESTART_FIRST_S * 2 ** (recent - 1))

    async def replace(self) -> None:
        """Ends it in order and starts it anew; two who want that at once do so one after the other."""
        async with self._replacing:
            await self.stop()
            self.start()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """SIGTERM, time to store what is under way, then SIGKILL."""
        if self._process is None:
            return
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        ends = time.monotonic() + STOP_S
        while self._process.poll() is None and time.monotonic() < ends:
            await asyncio.sleep(LOOK_S / 4)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def page(self, path: str) -> tuple[int, bytes]:
        """(status, body); 0 when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ASK_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with contextlib.suppress(OSError, HTTPException):
                return error.code, error.read()
            return 0, b""
        except (OSError, HTTPException):  # it ended in the middle of its answer
            return 0, b""


class Workers:
    """`run` works until it is told to stop. folder: for what a careful worker notes down."""

    def __init__(self, *, count: int, command: Command, http: str, folder: Path, letters: DeadLetters) -> None:
        self.workers = [Worker(number=number, command=command) for number in range(1, count + 1)]
        self._ends = Ends(folder=folder, letters=letters)
        self._replacing: set[asyncio.Task[None]] = set()
        self._metrics = b""
        self._waits: list[str] = ["workers: they start"]
        self._rolling = asyncio.Event()
        self._notify = Notify()
        host, _, port = http.rpartition(":")
        pages = {
            "/healthz": alive,
            "/readyz": lambda: ready(self._waits),
            "/metrics": lambda: (200, CONTENT_TYPE, self._metrics),
        }
        self.http = Http(host=host, port=int(port), pages=pages)

    async def run(self, stop: asyncio.Event) -> None:
        """SIGHUP starts them anew, one after the other. Raises IngestError when it cannot start."""
        await self.http.start()
        self._notify.ready()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._rolling.set)
        tasks = [asyncio.create_task(work) for work in (self._watch(), self._ask(), self._roll())]
        try:
            for worker in self.workers:
                worker.start()
            await asyncio.wait([asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._notify.stopping()
            for task in (*tasks, *self._replacing):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(worker.stop() for worker in self.workers))
            self.http.close()
            log.info("stopped")
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            self._notify.alive(self._waits)
            for worker in self.workers:
                if worker.stopping:
                    continue
                if worker.ended is not None:
                    self._ended(worker)
                elif worker.pid is None and now >= worker.due:
                    worker.start()
                elif worker.careful and worker.pid is not None and now - worker.began > CAREFUL_S:
                    self._usual_again(worker)

    def _usual_again(self, worker: Worker) -> None:
        worker.careful = False
        worker.ends.clear()
        task = asyncio.create_task(worker.replace())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    def _ended(self, worker: Worker) -> None:
        code, note = worker.ended, worker.memory.note()
        worker.failed()
        if note is not None:
            self._at_a_pack(worker, note)
        log.error(
            "worker ended by itself", worker=worker.number, code=code, again_s=round(worker.due - time.monotonic(), 1)
        )

    def _at_a_pack(self, worker: Worker, note: Note) -> None:
        try:
            ends, aside = self._ends.ended(note)
        except (Unavailable, OSError) as error:
            log.error("a pack that ends workers cannot be set aside", reason=str(error))
            return
        if ends > 1:  # the sooner it is known for sure, the sooner the other packs of this worker go on
            worker.due = time.monotonic() + RESTART_FIRST_S
        if aside:
            log.error("a pack ends workers: it is set aside", topic=note.topic)

    async def _roll(self) -> None:
        while True:
            await self._rolling.wait()
            self._rolling.clear()
            for worker in self.workers:
                await worker.replace()
                ends = time.monotonic() + READY_S
                while time.monotonic() < ends and (await asyncio.to_thread(worker.page, "/readyz"))[0] != 200:
                    await asyncio.sleep(LOOK_S)

    async def _ask(self) -> None:
        """Keeps what the pages tell."""
        while True:
            pages = await asyncio.gather(*(asyncio.to_thread(_pages, worker) for worker in self.workers))
            waits, texts = [], []
            for worker, (status, body, metrics) in zip(self.workers, pages, strict=True):
                if status:
                    worker.heard = time.monotonic()
                if status != 200:
                    waits.append(f"worker {worker.number}: {body.strip() or worker.silence}")
                texts.append((worker.number, metrics))
            self._waits, self._metrics = waits, merged(texts)
            self._end_the_silent()
            await asyncio.sleep(1.0)

    def _end_the_silent(self) -> None:
        # Where none answers it is the machine that is slow, and to start workers anew would make it slower.
        now = time.monotonic()
        silent = [worker for worker in self.workers if worker.heard is not None and now - worker.heard > SILENT_S]
        if any(worker.heard is not None and now - worker.heard < SILENT_S / 10 for worker in self.workers):
            for worker in silent:
                if worker.pid is not None and not worker.stopping:
                    log.error("a worker says nothing: it is killed", worker=worker.number)
                    worker.kill()


def _pages(worker: Worker) -> tuple[int, str, str]:
    """(status and body of its /readyz, its /metrics)."""
    status, body = worker.page("/readyz")
    told, metrics = worker.page("/metrics") if status else (0, b"")
    return status, body.decode(errors="replace"), metrics.decode(errors="replace") if told == 200 else ""


def merged(pages: list[tuple[int, str]]) -> bytes:
    """Metrics of several workers as one page: each sample says of which it is."""
    families: dict[str, list[str]] = {}
    for number, text in pages:
        for family in parser.text_string_to_metric_families(text):
            kind = family.type
            name = family.name + ("_total" if kind == "counter" else "")
            lines = families.setdefault(family.name, [f"# HELP {name} {family.documentation}", f"# TYPE {name} {kind}"])
            for sample in family.samples:
                labels = ",".join(
                    f'{key}="{_quoted(value)}"' for key, value in {**sample.labels, "worker": str(number)}.items()
                )
                lines.append(f"{sample.name}{{{labels}}} {sample.value!r}")
    return "".join(line + "\n" for lines in families.values() for line in lines).encode()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
