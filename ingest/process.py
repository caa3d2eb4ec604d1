"""Ingest as a process: logs on stderr, signals, exit."""

import asyncio
import contextlib
import signal
import sys
from typing import TextIO, cast

import structlog

from ingest.config import Config
from ingest.service import Ingest


class _Patient:
    """A stream whose full disk costs a line of the log, and not the process."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def write_logs(*, json: bool) -> None:
    """Lines for people, or with json one JSON object a line."""
    render = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Patient(sys.stderr))),
        cache_logger_on_first_use=True,
    )


async def run_until_signal(config: Config) -> None:
    """Runs until SIGTERM or SIGINT, then finishes the batch under way. Raises IngestError when it cannot start."""
    ingest = Ingest(config=config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ingest.stop)
    await ingest.run()
