"""Nothing that a topic or a payload holds stops ingest; every refusal has a known reason and is kept.

The full million: MUTATIONS=1000000 pytest tests/ingest/test_fuzz.py --timeout 3600 -s
"""

import os
import random
import sqlite3

import pytest

from ingest.accept import Refusal, accept
from ingest.dead_letters import DeadLetters
from tests.ingest.mutations import KNOWN, mutated
from wire import topics
from wire.errors import TopicError

COUNT = int(os.environ.get("MUTATIONS", "20000"))
REASONS = {
    "topic", "size", "json", "shape", "records", "epoch", "number",  # whole messages
    "name", "label", "time", "quality", "value", "version", "unit",  # records, by the wire
    "unknown-device", "unknown-point", "range", "type", "future", "text",  # records, by the birth and the profile
}  # fmt: skip
NOW_MS = 1_763_700_000_000


def judged(topic, body):
    """(runs, refusals) as the service takes them."""
    try:
        area, node, _, _ = topics.parse(topic)
    except TopicError as error:
        return [], [Refusal(None, error.reason, error.detail)]
    pack = accept(area, node, body, KNOWN, NOW_MS)
    return pack.runs, pack.refused


@pytest.mark.usefixtures("garbage_stays")
def test_mutated_packs_and_topics_are_stored_or_refused_with_a_reason(tmp_path):
    chance = random.Random(2026)
    letters = DeadLetters(path=tmp_path / "dead-letters.db", megabytes=100_000)
    waiting, kept, seen = [], set(), {}
    stored = refused = 0
    for _ in range(COUNT):
        topic, body = mutated(chance)
        runs, refusals = judged(topic, body)
        assert runs or refusals, (topic, body)
        stored += bool(runs)
        for refusal in refusals:
            assert refusal.reason in REASONS, (refusal, topic, body[:500])
            assert refusal.detail
            seen[refusal.reason] = seen.get(refusal.reason, 0) + 1
        if refusals:
            refused += 1
            waiting.append((topic, body, refusals))
            kept.add(hash((topic.rpartition("/")[0], body)))
        if len(waiting) >= 1000:
            letters.keep(waiting)
            waiting.clear()
    letters.keep(waiting)
    assert refused > COUNT / 4
    assert stored > COUNT / 20
    assert len(seen) >= 15, seen
    letters.close()
    with sqlite3.connect(tmp_path / "dead-letters.db") as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (len(kept),)
    print(
        f"{COUNT} mutations: {stored} with something to store, {refused} with a refusal; {dict(sorted(seen.items()))}"
    )
