"""What the nodes last said of themselves, for the metrics."""

from wire import messages

_State = tuple[bool, bool, int, int]  # online, no clock, packs pending, packs dropped
_NOTHING: _State = (False, False, 0, 0)


class Nodes:
    """One entry a node, however often it speaks, and sums over all: a city that comes back speaks all at once."""

    def __init__(self) -> None:
        self.online = self.unclocked = 0  # nodes
        self.pending = self.dropped = 0  # packs
        self._states: dict[tuple[str, str], _State] = {}

    def __len__(self) -> int:
        return len(self._states)

    def take(self, area: str, node: str, body: bytes) -> None:
        """A status. Raises MessageError."""
        was_online, was_unclocked, was_pending, was_dropped = self._states.get((area, node), _NOTHING)
        online, unclocked, pending, dropped = now = _state(messages.decode(body, messages.STATUS))
        self._states[area, node] = now
        self.online += online - was_online
        self.unclocked += unclocked - was_unclocked
        self.pending += pending - was_pending
        self.dropped += dropped - was_dropped


def _state(status: dict[str, object]) -> _State:
    dropped: dict[str, int] = status["dropped"]  # type: ignore[assignment]
    pending: int = status["pending"]  # type: ignore[assignment]
    return status["online"] is True, status["clock"] != "ok", pending, sum(dropped.values())
