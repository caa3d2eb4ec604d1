"""What the nodes last said of themselves, for the metrics."""

import structlog

from ingest.census import Census
from wire import messages
from wire.errors import MessageError

_State = tuple[bool, bool, int, int]  # online, no clock, packs pending, packs dropped
_NOTHING: _State = (False, False, 0, 0)

log = structlog.get_logger("ingest")


class Nodes:
    """One entry a node, however often it speaks, and sums over all: a city that comes back speaks all at once."""

    def __init__(self) -> None:
        self.online = self.unclocked = 0  # nodes
        self.pending = self.dropped = 0  # packs
        self.unkept = 0  # statuses of nodes that there was no room for
        self._states: dict[tuple[str, str], _State] = {}
        self._census = Census()

    def __len__(self) -> int:
        return len(self._states)

    def take(self, area: str, node: str, body: bytes) -> None:
        """A status. Raises MessageError."""
        online, unclocked, pending, dropped = now = _state(messages.decode(body, messages.STATUS))
        before = self._states.get((area, node))
        if before is None and not self._admitted(area, node):
            return
        was_online, was_unclocked, was_pending, was_dropped = before or _NOTHING
        self._states[area, node] = now
        self.online += online - was_online
        self.unclocked += unclocked - was_unclocked
        self.pending += pending - was_pending
        self.dropped += dropped - was_dropped

    def _admitted(self, area: str, node: str) -> bool:
        try:
            self._census.check(area, node)
        except MessageError as error:
            if not self.unkept:
                log.warning("statuses of more nodes are not counted", area=area, node=node, reason=error.detail)
            self.unkept += 1
            return False
        self._census.add(area, node)
        return True


def _state(status: dict[str, object]) -> _State:
    dropped: dict[str, int] = status["dropped"]  # type: ignore[assignment]
    pending: int = status["pending"]  # type: ignore[assignment]
    return status["online"] is True, status["clock"] != "ok", pending, sum(dropped.values())
