"""Who is connected, who tries, and when again: a city that comes back must not fall on its broker all at once."""

import heapq
import random
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from simulators.fleet import mqtt_bytes
from simulators.fleet.loop import Loop
from simulators.fleet.node import Node
from simulators.fleet.session import Session

AT_ONCE = 200  # connections being made
FIRST_S, MOST_S = 1.0, 30.0  # pauses after a failure, each with chance in it
NO_SOCKETS_S = 5.0


class Connections:
    """keep_alive_s: nodes publish more often than that, or the broker takes them for dead. will: of a node."""

    def __init__(
        self,
        *,
        loop: Loop,
        address: tuple[str, int],
        passwords: Mapping[str, str],
        sources: tuple[str, ...],
        tls: ssl.SSLContext | None,
        keep_alive_s: int,
        will: Callable[[Node], bytes],
        seed: int,
    ) -> None:
        self.connected = 0
        self.failures: dict[str, int] = {}  # reason -> how often
        self._loop = loop
        self._address = address
        self._passwords = passwords
        self._sources = sources
        self._tls = tls
        self._keep_alive_s = keep_alive_s
        self._will = will
        self._chance = random.Random(seed)
        self._wanted: set[int] = set()
        self._queue: deque[Node] = deque()
        self._later: list[tuple[float, int, Node]] = []
        self._trying = 0

    def want(self, nodes: Iterable[Node]) -> None:
        """They may be connected from now on."""
        for node in nodes:
            if node.index not in self._wanted:
                self._wanted.add(node.index)
                self._queue.append(node)

    def cut(self, nodes: Iterable[Node]) -> None:
        """Power or network is gone: no DISCONNECT, so the broker tells the will."""
        for node in nodes:
            self._wanted.discard(node.index)
            self._leave(node, politely=False)

    def leave(self, nodes: Iterable[Node]) -> None:
        """They say goodbye."""
        for node in nodes:
            self._wanted.discard(node.index)
            self._leave(node, politely=True)

    def work(self, now: float) -> None:
        """Begins what may begin now."""
        while self._later and self._later[0][0] <= now:
            self._queue.append(heapq.heappop(self._later)[2])
        while self._queue and self._trying < AT_ONCE:
            node = self._queue.popleft()
            if node.index in self._wanted and node.away:
                self._start(node, now)

    def opened(self) -> None:
        """A node has been let in."""
        self._trying -= 1
        self.connected += 1

    def gone(self, node: Node, reason: str, now: float, *, was_open: bool) -> None:
        """A session has ended, or could not be made."""
        if was_open:
            self.connected -= 1
        else:
            self._trying -= 1
        self.failures[reason] = self.failures.get(reason, 0) + 1
        if node.index in self._wanted:
            node.wait = min(MOST_S, max(FIRST_S, 2 * node.wait))
            self._again(node, now + node.wait * (0.5 + self._chance.random()))

    def _start(self, node: Node, now: float) -> None:
        session = node.session or Session(loop=self._loop, owner=node)
        node.session = session
        password = self._passwords.get(node.name, "")
        greeting = mqtt_bytes.connect(
            node.name, user=node.name, password=password, keep_alive_s=self._keep_alive_s,
            will=(node.topic + b"up/status", self._will(node)),
        )  # fmt: skip
        self._trying += 1
        try:
            session.start(self._address, greeting, source=self._sources[node.index % len(self._sources)], tls=self._tls)
        except OSError as error:
            self._trying -= 1
            reason = f"no socket: {error.strerror or error}"
            self.failures[reason] = self.failures.get(reason, 0) + 1
            self._again(node, now + NO_SOCKETS_S)

    def _again(self, node: Node, due: float) -> None:
        heapq.heappush(self._later, (due, node.index, node))

    def _leave(self, node: Node, *, politely: bool) -> None:
        if node.away:
            return
        assert node.session is not None
        if node.greeted:
            self.connected -= 1
        else:
            self._trying -= 1
        node.greeted = False
        node.session.close(politely=politely)
        node.forget()
