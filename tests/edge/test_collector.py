"""The collector on its three interpreters; and what it writes, read by the contract's own decoder."""

import json

from tests.edge.cases import collector as case
from wire import packs


def test_collector(interpreter):
    assert "ran 8" in interpreter.run("collector")


def test_what_it_writes_is_a_pack_of_the_contract():
    it, clock, _, journal = case.made()
    it.add("P0001/air-1", "pm2_5", '"v":35.2')
    clock.at -= 1250
    it.add("P0001/cover-1", "open", '"vb":true')
    it.add("P0001/water-1", "level", '"q":"timeout"')
    it.flush()
    (body, _, base, _, _) = journal.packs[0]
    head = '[{"ep":"9f3c21aa","sq":5,"bt":%d.%03d,' % (base // 1000, base % 1000)  # noqa: UP031
    pack = packs.decode((head + body).encode())
    assert json.loads(head + body)
    assert pack.refused == []
    assert [reading[:6] for reading in pack.readings] == [
        ("P0001", "air-1", "pm2_5", 1763683200250, 35.2, None),
        ("P0001", "cover-1", "open", 1763683199000, True, None),
        ("P0001", "water-1", "level", 1763683199000, None, "timeout"),
    ]
