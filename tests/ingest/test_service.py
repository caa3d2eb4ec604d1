"""Ingest as a process, on a real broker, with SQLite."""

import os
import random
import signal
import sqlite3
import time

import pytest

from ingest.accept import Refusal
from ingest.dead_letters import DeadLetters
from tests.ingest.fakes import EPOCH, Node, Service, now_ms, readings, wait_until
from wire import packs


@pytest.fixture
def node(broker):
    node = Node(broker)
    yield node
    node.close()


def rows(service, sql):
    db = sqlite3.connect(service.folder / "readings.db", timeout=5)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def test_readings_are_stored_with_their_values_then_confirmed(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        for number in range(1, 101):
            node.pack(readings(number))
        node.wait_confirmed()
        found = rows(service, "SELECT time, point, value FROM readings WHERE pole = 'P0001' AND area = 'wuhou'")
        assert sorted(found) == sorted(
            (at, point, value) for n in range(1, 101) for _, point, at, value, _ in readings(n)
        )
        assert rows(service, "SELECT count(*), min(number), max(number), sum(readings) FROM packs") == [
            (100, 1, 100, 300)
        ]
        assert service.metric("readings_stored_total") == 300
        assert service.stop() == 0
