"""What the nodes last said of themselves, for the metrics."""

from ingest.metrics import Metrics
from wire import messages


class Nodes:
    """One entry a node, however often it speaks."""

    def __init__(self, *, metrics: Metrics) -> None:
        self._metrics = metrics
        self._states: dict[tuple[str, str], tuple[bool, int]] = {}  # online, pending

    def take(self, area: str, node: str, body: bytes) -> None:
        """A status. Raises MessageError."""
        status = messages.decode(body, messages.STATUS)
        self._states[area, node] = (bool(status["online"]), int(status["pending"]))  # type: ignore[call-overload]
        self._metrics.nodes.set(len(self._states))
        self._metrics.nodes_online.set(sum(online for online, _ in self._states.values()))
        self._metrics.pending.set(sum(pending for _, pending in self._states.values()))
