"""What became of the packs of each node, for those who compare it with the store."""

from simulators.fleet import ranges
from simulators.fleet.node import Node
from simulators.fleet.spool import Spool
from simulators.world.world import World


def account(nodes: dict[int, Node], spool: Spool, world: World) -> dict[str, object]:
    """By name: epoch, numbers, and `end`: what keeps it from sending when the run ends. All must have been drained."""
    told: dict[str, dict[str, object]] = {
        node.name: {
            "ep": node.epoch, "head": node.head, "stored": node.stored, "pending": [], "dropped": [],
            "end": _end(node, world),
        }
        for node in nodes.values()
    }  # fmt: skip
    for label, numbers in (("pending", spool.pending()), ("dropped", spool.dropped())):
        for index, number, *_ in numbers:
            found = told[nodes[index].name][label]
            assert isinstance(found, list)
            ranges.add(found, number)
    return {"nodes": told}


def _end(node: Node, world: World) -> str:
    states = (("dark", world.powered), ("offline", world.reachable), ("down", world.running))
    return next((name for name, good in states if not good[node.index]), "up" if node.clock else "clock")
