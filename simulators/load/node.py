"""One node of a load: its MQTT session, its numbers. It sends when it is told to, whatever is still unconfirmed."""

from typing import Protocol

from simulators.fleet import mqtt_bytes
from simulators.fleet.loop import Loop
from simulators.fleet.session import OPEN, Session
from simulators.load.errors import LoadError
from wire import stored
from wire.errors import MessageError

BIRTH_ID = 0xFFFF  # packet id of the birth: as if it were pack 0
KEEP_ALIVE_S = 300  # the most that mosquitto.conf allows; a node sends more often than that and needs no pings


class Run(Protocol):
    """Who keeps the account. epoch: that of all packs of the run."""

    epoch: str

    def begun(self, node: "Node") -> None: ...
    def acknowledged(self, node: "Node", first: int, last: int) -> None: ...
    def stored(self, node: "Node", first: int, last: int) -> None: ...
    def lost(self, node: "Node", reason: str) -> None: ...


class Node:
    """Packs are numbered from 1; the packet id follows from the number, so nothing is kept for one under way."""

    __slots__ = ("_run", "head", "index", "name", "session", "topic")

    def __init__(self, *, index: int, name: str, topic: bytes, loop: Loop, run: Run) -> None:
        self.index = index
        self.name = name.encode()
        self.topic = topic
        self.head = 0
        self.session = Session(loop=loop, owner=self)
        self._run = run

    @property
    def connected(self) -> bool:
        return self.session.state == OPEN

    def send(self, payload: bytes, *, before: bytes = b"") -> None:
        """The next pack, with packets that go before it. Only while connected."""
        packet_id = self.head % 0xFFFF + 1
        self.head += 1
        self.session.send(before + mqtt_bytes.publish(self.topic, payload, packet_id))

    def skip(self) -> None:
        """The next pack falls due, and there is no connection to send it on."""
        self.head += 1

    def opened(self) -> None:
        self._run.begun(self)

    def acknowledged(self, packet_id: int) -> None:
        number = self.head - (self.head - packet_id) % 0xFFFF
        if number:  # 0 is the birth
            self._run.acknowledged(self, number, number)

    def received(self, topic: bytes, payload: bytes) -> None:
        # down/stored is the only subscription; what an earlier run left under way has another epoch
        try:
            epoch, ranges = stored.decode(payload)
        except MessageError as error:
            raise LoadError(f"{topic.decode(errors='replace')}: {error}: that is no down/stored.") from None
        if epoch == self._run.epoch:
            for first, last in ranges:
                self._run.stored(self, first, min(last, self.head))

    def lost(self, reason: str) -> None:
        self._run.lost(self, reason)
