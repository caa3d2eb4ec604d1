"""How many nodes there may be: enough for a city, and an end where somebody invents ever new ones.

By the ACL that we ship a node may speak in any area, so one node's credentials make it many nodes: each name has so
many areas and no more.
"""

from wire.errors import MessageError

MOST_NODES = 200_000
MOST_AREAS = 16  # of one node's name


class Census:
    """Counts nodes, each once."""

    def __init__(self) -> None:
        self._areas: dict[str, int] = {}  # by the node's name
        self._nodes = 0

    def check(self, area: str, node: str) -> None:
        """Whether there is room for one more. Raises MessageError."""
        if self._nodes >= MOST_NODES:
            raise MessageError("full", f"{MOST_NODES} nodes are known, which is the most")
        if self._areas.get(node, 0) >= MOST_AREAS:
            raise MessageError("full", f"{node} is known in {MOST_AREAS} areas, which is the most; {area} is one more")

    def add(self, area: str, node: str) -> None:
        """One more, however many there are."""
        self._nodes += 1
        self._areas[node] = self._areas.get(node, 0) + 1
