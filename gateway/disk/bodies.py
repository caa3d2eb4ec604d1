"""Readings IN, the payloads of as many packs as they need OUT."""

from collections.abc import Iterator

import structlog

from gateway.reading import Reading
from wire import packs
from wire.errors import PackError

log = structlog.get_logger("spool")


def bodies(epoch: str, number: int, readings: list[Reading]) -> Iterator[tuple[list[Reading], bytes]]:
    """Readings -> (the readings of a pack, its payload), numbers ascending; halves what is too large for one."""
    waiting = [readings] if readings else []
    while waiting:
        part = waiting.pop()
        try:
            body = packs.encode(epoch, number, part)
        except PackError as error:
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                log.error("reading refused by the wire's rules: dropped", reading=repr(part[0])[:300], error=str(error))
            continue
        yield part, body
        number += 1
