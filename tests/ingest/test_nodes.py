import json

from ingest.metrics import Metrics
from ingest.nodes import Nodes


def status(*, online: bool, pending: int) -> bytes:
    return json.dumps({
        "online": online, "ep": "9f3c21aa", "head": 9, "stored": 9 - pending, "pending": pending, "dropped": {},
        "readings": 90, "clock": "ok", "version": "0.1.0", "time": 1763683200250,
    }).encode()  # fmt: skip


def test_the_sums_are_of_what_each_node_said_last():
    metrics = Metrics()
    nodes = Nodes(metrics=metrics)
    for node, online, pending in (("a", True, 5), ("b", True, 2), ("a", False, 4), ("b", True, 0), ("c", False, 1)):
        nodes.take("wuhou", node, status(online=online, pending=pending))
    told = metrics.text().decode()
    for name, value in (("nodes", 3), ("nodes_online", 1), ("nodes_pending_packs", 5)):
        assert f"\nmultipole_ingest_{name} {value}.0\n" in told
