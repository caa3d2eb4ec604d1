"""Ingest as a process: logs on stderr, signals, exit."""

import asyncio
import signal
import sys

import structlog

from ingest.config import Config
from ingest.service import Ingest


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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


async def run_until_signal(config: Config) -> None:
    """Runs until SIGTERM or SIGINT, then finishes the batch under way. Raises IngestError when it cannot start."""
    ingest = Ingest(config=config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ingest.stop)
    await ingest.run()
