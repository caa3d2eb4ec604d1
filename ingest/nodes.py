"""What the nodes last said of themselves, for the metrics."""

from ingest.metrics import Metrics
from wire import messages


class Nodes:
    """One entry a node, however often it speaks."""

    def __init__(self, *, metrics: Metrics) -> None:
        self._metrics = metrics
        self._states: dict[tuple[str, str], tuple[bool, int]] = {}  # online, pending
        self._online = self._pending = 0  # of all: a city that comes back sends thousands of statuses at once

    def take(self, area: str, node: str, body: bytes) -> None:
        """A status. Raises MessageError."""
        status = messages.decode(body, messages.STATUS)
        was_online, was_pending = self._states.get((area, node), (False, 0))
        online, pending = bool(status["online"]), int(status["pending"])  # type: ignore[call-overload]
        self._states[area, node] = (online, pending)
        self._online += online - was_online
        self._pending += pending - was_pending
        self._metrics.nodes.set(len(self._states))
        self._metrics.nodes_online.set(self._online)
        self._metrics.pending.set(self._pending)
