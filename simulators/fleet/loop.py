"""A loop for tens of thousands of sockets: epoll, and nothing around it. asyncio costs a few kilobytes and several
times the CPU for each of them.
"""

import select
import socket
from typing import Protocol

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
_MOST_EVENTS = 1024


class Watched(Protocol):
    """What stands behind a socket: called when the socket can be read, written, or has failed."""

    def ready(self, events: int) -> None: ...


class Loop:
    """Sockets by descriptor. Not for threads. To be made before a process has 1,024 files open (select)."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, connection: socket.socket, watched: Watched, events: int) -> None:
        """From now on `watched` hears of the socket's events."""
        self._watched[connection.fileno()] = watched
        self._epoll.register(connection.fileno(), events)

    def change(self, connection: socket.socket, events: int) -> None:
        """Other events than before."""
        self._epoll.modify(connection.fileno(), events)

    def remove(self, connection: socket.socket) -> None:
        """Before it is closed."""
        del self._watched[connection.fileno()]
        self._epoll.unregister(connection.fileno())

    def turn(self, seconds: float) -> int:
        """Waits at most so long for events and hands them on; how many there were."""
        # epoll waits in whole milliseconds: what is due in less would be late
        if seconds > 0 and not select.select((self._epoll,), (), (), seconds)[0]:
            return 0
        events = self._epoll.poll(0, _MOST_EVENTS)
        watched = self._watched
        for descriptor, what in events:
            one = watched.get(descriptor)  # another event of this turn may have closed it
            if one is not None:
                one.ready(what)
        return len(events)

    def close(self) -> None:
        """All sockets must have been removed."""
        self._epoll.close()
