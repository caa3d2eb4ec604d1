"""An operator's decisions about devices that two nodes announce."""

import asyncio
import json

import pytest

from ingest import config, disputes
from ingest.errors import IngestError


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "ingest.yaml").write_text("broker: mqtt://i@h\nstore: sqlite:r.db\ndead_letters: d.db\n")
    return config.load(tmp_path / "ingest.yaml")


def test_the_last_decision_counts(settings):
    asyncio.run(disputes.decide(settings, "wuhou", "P0001/air-1", "gw-1"))
    asyncio.run(disputes.decide(settings, "wuhou", "P0001/air-1", "gw-2"))
    (line,) = asyncio.run(disputes.lines(settings, True))
    assert json.loads(line) == {"area": "wuhou", "device": "P0001/air-1", "node": "gw-2", "why": "operator"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("wuhou", "air-1", "gw-1"), "device: write pole/device, as P0001/air-1, and not 'air-1'"),
        (("wuhou", "P0001/air 1", "gw-1"), "device: write pole/device"),
        (("wu hou", "P0001/air-1", "gw-1"), "area: a name has"),
        (("wuhou", "P0001/air-1", "gw-1\n"), "node: a name has"),
    ],
)
def test_what_is_no_name_is_told(settings, told, message):
    with pytest.raises(IngestError) as problem:
        asyncio.run(disputes.decide(settings, *told))
    assert message in str(problem.value)
    assert asyncio.run(disputes.lines(settings, False)) == []
