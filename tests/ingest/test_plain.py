"""The fast reading of a pack says what the long one says, or leaves it to the long one.

The full million: MUTATIONS=1000000 pytest tests/ingest/test_plain.py --timeout 3600 -s
"""

import gc
import json
import os
import random
from pathlib import Path

import pytest

from ingest import accept as judging
from ingest import plain
from ingest.accept import accept
from ingest.rows import REMEMBERED, Place, Points, Rule, Shape, Step, named
from tests.ingest.mutations import KNOWN, good, mutated

COUNT = int(os.environ.get("MUTATIONS", "20000"))
VECTORS = Path(__file__).parent.parent / "vectors"
NOW_MS = 1_763_700_000_000


def told(body, devices):
    """(what the fast way says, what the long way says): all of a pack, or None where there is more to say."""
    usual = plain.read(body, devices, NOW_MS + judging.FUTURE_MS)
    fast = None if usual is None else (*usual[:2], list(named(usual[2])), *usual[4:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "read", lambda *_: None)
        pack = accept("wuhou", "gw-1", body, devices, NOW_MS)
    whole = None
    if pack.readings and not pack.refused:
        whole = pack.epoch, pack.number, list(named(pack.runs)), pack.oldest_ms, pack.newest_ms
    assert usual is None or usual[3] == len(fast[2])
    return fast, whole


def kinds(pack):
    return [type(row[6]) for row in pack[2]]


@pytest.mark.usefixtures("garbage_stays")
def test_damaged_packs_are_read_alike_or_not_at_all():
    chance = random.Random(7)
    fast_ones = 0
    for _ in range(COUNT):
        _, body = mutated(chance)
        fast, whole = told(body, KNOWN)
        if fast is not None:
            fast_ones += 1
            assert fast == whole, body
            assert kinds(fast) == kinds(whole), body
    assert fast_ones > COUNT / 50
    print(f"{COUNT} packs, {fast_ones} of them read fast")


def test_good_packs_are_read_fast():
    chance = random.Random(8)
    for _ in range(500):
        body = good(chance)
        fast, whole = told(body, KNOWN)
        assert fast == whole
        if whole is not None:
            assert fast is not None


def devices_of(body):
    """As if a birth had announced whatever the pack names."""
    out = {}
    try:
        records = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and str(record.get("bn", "")).count("/") == 2:
            pole, device, _ = record["bn"].split("/")
            out[record["bn"]] = Place("wuhou", pole, device), AnyPoint()
    return out


class AnyPoint(Points):
    def __missing__(self, point):
        return Rule(point, "air", "", None, None)

    def get(self, point):
        return self[point]


@pytest.mark.parametrize("name", ["packs-good", "packs-bad", "rfc8428"])
def test_every_vector_is_read_alike_or_not_at_all(name):
    read = 0
    vectors = json.loads((VECTORS / f"{name}.json").read_text())
    for vector in vectors:
        body = vector["body"].encode() if isinstance(vector.get("body"), str) else json.dumps(vector).encode()
        fast, whole = told(body, devices_of(body))
        assert fast is None or fast == whole, vector["name"]
        read += fast is not None
    if name == "packs-good":
        assert read > len(vectors) / 4
    if name == "packs-bad":
        assert read == 0


def test_ways_that_are_forgotten_in_the_middle_of_a_pack_wait_for_no_garbage_collector():
    chance = random.Random(9)
    points = Points(Rule(f"p{number}", "air", "", None, None) for number in range(30))
    devices = {"P1/a/": (Place("wuhou", "P1", "a"), points)}
    gc.collect()
    gc.disable()
    try:
        for _ in range(30):
            records = [{"n": f"p{chance.randrange(30)}", "v": 1} for _ in range(1000)]
            records[0] |= {"bn": "P1/a/", "bt": NOW_MS / 1000, "ep": "9f3c21aa", "sq": 1}
            usual = plain.read(json.dumps(records).encode(), devices, NOW_MS)
            assert [row[4] for row in named(usual[2])] == [record["n"] for record in records]
        del usual
        assert sum(type(each) is Step and each._points is points for each in gc.get_objects()) <= REMEMBERED + 1
    finally:
        gc.enable()


def test_what_is_told_at_the_end_of_each_way_counts_too():
    points = Points(Rule(f"p{number}", ("air", "lamp")[number % 2], "", None, None) for number in range(10))
    devices = {"P1/a/": (Place("wuhou", "P1", "a"), points)}
    records = [{"n": f"p{number % 10}", "v": 1} for number in range(300)]
    records[0] |= {"bn": "P1/a/", "bt": NOW_MS / 1000, "ep": "9f3c21aa", "sq": 1}
    for end in range(1, 301):  # each line of the last has its shape in each of them: 45,150
        assert plain.read(json.dumps(records[:end]).encode(), devices, NOW_MS)[3] == end
    mine = set(points.values())
    shapes = sum(type(each) is Shape and each.rules[0] in mine for each in gc.get_objects())
    assert shapes <= points.steps <= REMEMBERED
