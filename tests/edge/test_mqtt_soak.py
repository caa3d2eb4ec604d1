"""Thousands of publishes with a broker that is killed on the way; bench/edge_publishes.py does it 100,000 times."""

import concurrent.futures

import pytest

from bench import edge_publishes
from tests.conftest import TOOLS
from tests.edge.conftest import HEAP
from tests.parts.servers import missing

KILLS = 3


@pytest.fixture(scope="module")
def results():
    """interpreter -> result; all at once, because most of it is waiting for brokers."""
    for name in HEAP:
        if not (TOOLS / name).exists():
            missing(f".tools/{name} is not there; `make test` fetches it")

    names = ("cpython", *HEAP)
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        # the packet ids wrap on the way
        runs = [
            pool.submit(edge_publishes.run, publishes=2000, kills=KILLS, first=64_900, interpreter=name)
            for name in names
        ]
        return {name: run.result() for name, run in zip(names, runs, strict=True)}


def test_nothing_is_lost(results):
    for result in results.values():
        assert result["lost"] == 0
        assert result["broker_kills"] == KILLS
        assert result["sessions"] > KILLS
        assert result["packet_ids_wrapped"] >= 1


def test_the_heap_stays_as_it_is(results):
    for name in HEAP:
        heap = results[name]["heap_bytes"]
        assert 0 < heap["end"] <= heap["begin"] + 500, heap
