"""A worker that says nothing any more is ended, and one that is slow like all others is not."""

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from ingest import workers
from ingest.dead_letters import DeadLetters
from ingest.workers import Worker, Workers

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
LONG, NOW, NEVER = -1000.0, 0.0, None


@pytest.fixture
def several(tmp_path):
    letters = DeadLetters(path=tmp_path / "letters.db")
    both = Workers(count=2, command=lambda *_: SLEEPS, http="127.0.0.1:0", folder=tmp_path, letters=letters)
    for worker in both.workers:
        worker.start()
    yield both
    for worker in both.workers:
        worker.kill()
        worker._process.wait()


@pytest.mark.parametrize(
    ("heard", "killed"),
    [
        ((LONG, NOW), [True, False]),
        ((LONG, LONG), [False, False]),  # the machine is slow
        ((NEVER, NOW), [False, False]),  # it is coming up
        ((NOW, NOW), [False, False]),
    ],
)
def test_only_one_that_is_silent_while_others_are_not_is_killed(several, heard, killed):
    for worker, before in zip(several.workers, heard, strict=True):
        worker.heard = None if before is None else time.monotonic() + before
    several._end_the_silent()
    for worker, ends in zip(several.workers, killed, strict=True):
        if ends:
            assert worker._process.wait(60) == -9
        else:
            assert worker.pid is not None


def test_one_that_is_stopped_in_order_is_left_to_that(several):
    first, second = several.workers
    first.heard, second.heard, first.stopping = time.monotonic() + LONG, time.monotonic(), True
    several._end_the_silent()
    assert first.pid is not None


class Half(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/readyz" else 200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half of it")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_a_worker_that_ends_inside_its_answer_has_given_none(path):
    with HTTPServer(("127.0.0.1", 0), Half) as server:
        serving = threading.Thread(target=server.handle_request, daemon=True)
        serving.start()
        worker = Worker(number=1, command=lambda *_: SLEEPS)
        worker.port = server.server_port
        assert worker.page(path) == (0, b"")
        serving.join(10)


def test_a_worker_whose_pages_are_silent_says_why(several):
    worker, _ = several.workers
    assert worker.silence == "it starts"
    worker.heard = time.monotonic()
    assert worker.silence == "it does not answer"
    worker.kill()
    worker._process.wait()
    assert worker.silence == "it ended, and is started again"
    worker.start()
    assert worker.silence == "it starts"


def test_a_worker_that_cannot_be_started_is_tried_again_later(monkeypatch):
    def no_room(*_args, **_more):
        raise OSError("no room")

    worker = Worker(number=1, command=lambda *_: SLEEPS)
    monkeypatch.setattr(subprocess, "Popen", no_room)
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    pauses = []
    for _ in range(12):
        worker.start()
        assert (worker.pid, worker.ended) == (None, None)
        pauses.append(worker.due - 1000.0)
    assert pauses[:4] == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert max(pauses) <= workers.RESTART_MOST_S
    assert pauses[-1] > 14  # it grows until then, and not less far
