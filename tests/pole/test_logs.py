import io
import json
import sys

import structlog

from pole import logs


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch):
    structlog.reset_defaults()
    logs.set_up(as_json=True)
    log = structlog.get_logger("test")
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    log.info("said")
    assert '"event": "said"' in closed.getvalue()
    closed.close()
    log.info("not said")

    class FullDisk(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", FullDisk())
    log.info("not said either")
    monkeypatch.undo()


def test_what_each_line_tells_does_not_cover_what_a_line_says_itself(monkeypatch):
    structlog.reset_defaults()
    logs.set_up(as_json=True, always={"worker": 2})
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    log = structlog.get_logger("test")
    log.info("said")
    log.warning("said", worker=3)
    monkeypatch.undo()
    structlog.reset_defaults()
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["worker"], line["level"]) for line in found] == [(2, "info"), (3, "warning")]
