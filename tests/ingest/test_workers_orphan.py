"""A worker whose watcher is gone: works on until its place is taken, and not for ever."""

import asyncio
import os
import time

import pytest

from ingest import orphan

GONE = -1  # nobody's parent


@pytest.mark.parametrize(
    ("parent", "waits", "stops"),
    [
        (GONE, [], True),  # nobody came
        (GONE, ["broker: the broker closed the connection"], True),
        (os.getppid(), [], False),
        (os.getppid(), ["store: down"], False),  # who is watched waits for its parts
    ],
)
def test_it_stops_when_nobody_watches_it(monkeypatch, parent, waits, stops):
    monkeypatch.setattr(orphan, "LOOK_S", 0.01)
    monkeypatch.setattr(orphan, "MOST_S", 0.3)

    async def scene():
        stop = asyncio.Event()
        watching = asyncio.create_task(orphan.stop_without(parent, waits=lambda: waits, stop=stop))
        began = time.monotonic()
        try:
            await asyncio.wait_for(stop.wait(), 20.0 if stops else 0.6)
        except TimeoutError:
            return None
        finally:
            watching.cancel()
        return time.monotonic() - began

    took_s = asyncio.run(scene())
    assert (took_s is not None) == stops
    if stops and not waits:
        assert took_s >= 0.3


def test_it_stops_when_it_loses_the_broker(monkeypatch):
    monkeypatch.setattr(orphan, "LOOK_S", 0.01)
    waits = []

    async def scene():
        stop = asyncio.Event()
        watching = asyncio.create_task(orphan.stop_without(GONE, waits=lambda: waits, stop=stop))
        await asyncio.sleep(0.1)
        before = stop.is_set()
        waits.append("broker: the broker closed the connection")
        await asyncio.wait_for(stop.wait(), orphan.MOST_S / 2)
        await watching
        return before

    assert asyncio.run(scene()) is False
