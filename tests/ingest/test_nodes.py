import json

from ingest.nodes import Nodes


def status(*, online: bool, pending: int, clock: str = "ok", dropped: int = 0) -> bytes:
    return json.dumps({
        "online": online, "ep": "9f3c21aa", "head": 9, "stored": 9 - pending, "pending": pending,
        "dropped": {"full": dropped} if dropped else {},
        "readings": 90, "clock": clock, "version": "0.1.0", "time": 1763683200250,
    }).encode()  # fmt: skip


def test_the_sums_are_of_what_each_node_said_last():
    nodes = Nodes()
    for node, online, pending in (("a", True, 5), ("b", True, 2), ("a", False, 4), ("b", True, 0), ("c", False, 1)):
        nodes.take("wuhou", node, status(online=online, pending=pending))
    assert (len(nodes), nodes.online, nodes.pending) == (3, 1, 5)


def test_what_nodes_dropped_and_whose_clock_was_never_set_is_summed_up_too():
    nodes = Nodes()
    nodes.take("wuhou", "a", status(online=True, pending=0, clock="unset", dropped=7))
    nodes.take("wuhou", "b", status(online=True, pending=0, dropped=2))
    assert (nodes.unclocked, nodes.dropped) == (1, 9)
    nodes.take("wuhou", "a", status(online=True, pending=0, dropped=8))
    assert (nodes.unclocked, nodes.dropped) == (0, 10)
