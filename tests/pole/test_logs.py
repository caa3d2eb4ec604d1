import io
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
