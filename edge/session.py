"""The session with the broker or the gateway: what the node says of itself, its packs, and its replies."""

import asyncio
import json
import os
import random

_STATUS_MS = 60_000
_FIRST_S = 1  # between two sessions: doubles, and at random between half and all of it
_MOST_S = 60
LOOK_S = 0.2
_SETTLED_MS = 30_000  # a session that lasted so long was a good one


class Session:
    """said: labels of the status that other parts set. online: whether there is a session now."""

    def __init__(self, board, guard, clock, journal, collector, link, replies: list) -> None:
        self.said: dict = {}
        self.online = False
        self._board = board
        self._guard = guard
        self._version = guard.version(guard.slot())
        self._clock = clock
        self._journal = journal
        self._collector = collector
        self._link = link
        self._replies = replies
        self._cause = board.reset_cause()
        self._due = 0  # when the status is told next
        self._proved = False

    async def run(self, beat) -> None:
        """For ever, whatever becomes of the network."""
        wait = _FIRST_S
        while True:
            began = self._board.ms()
            beat()
            try:
                if await self._board.network():
                    await self._link.connect(self._status(False))
                    await self._talk(beat)
            except OSError as error:
                print("session:", *error.args)
            self.online = False
            if self._board.ms() - began > _SETTLED_MS:
                wait = _FIRST_S
            beat()
            await asyncio.sleep(wait * random.uniform(0.5, 1))
            wait = min(wait * 2, _MOST_S)

    def tell(self) -> None:
        """Something of the status is new."""
        self._due = 0

    async def _talk(self, beat) -> None:
        link, journal = self._link, self._journal
        await self._birth()
        self._due = 0
        self.online = True
        journal.lost_sight()
        while link.why is None:
            beat()
            now = self._board.ms()
            if self._collector.sensed and not self._proved:
                self._proved = True
                self._guard.confirm()
                self._due = 0
            if now >= self._due:
                self._due = now + _STATUS_MS
                await self._publish("status", self._status(True), True)
            elif self._replies:
                await self._publish("reply", self._replies[0])
                del self._replies[0]
            else:
                pack = journal.next(now)
                if pack:
                    await link.publish(*pack)
                else:
                    await asyncio.sleep(LOOK_S)

    async def _publish(self, channel: str, payload: bytes, retain: bool = False) -> None:
        await self._link.publish(channel, len(payload), (payload,), retain)

    async def _birth(self) -> None:
        folder = self._board.folder
        crash = _read(folder + "/crash")
        head = {"ep": self._journal.epoch, "version": self._version, "time": self._time(), "reset": self._cause}
        if crash:
            head["crash"] = str(crash, "utf-8")
        text = (json.dumps(head)[:-1] + ", ").encode()
        path = folder + "/birth.json"
        with open(path, "rb") as file:
            await self._link.publish("birth", len(text) + os.stat(path)[6], _birth(text, file), True)
        if crash:
            os.remove(folder + "/crash")

    def _time(self):
        now = self._clock.now()
        return self._board.ms() if now is None else now

    def _status(self, online: bool) -> bytes:
        status = dict(self._journal.state())
        status["online"] = online
        status["clock"] = "unset" if self._clock.now() is None else "ok"
        status["unspooled"] = self._collector.unspooled
        status["clock_steps"] = self._clock.steps
        status["version"] = self._version
        _, trial, _, failed = self._guard.state
        state = "trial" if trial else "returned" if failed else "settled"
        status["release"] = {"board": self._board.name, "state": state}
        status["time"] = self._time()
        status.update(self.said)
        return json.dumps(status).encode()


def _birth(text: bytes, file):
    yield text
    piece = file.read(256)
    while piece:
        yield piece
        piece = file.read(256)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(200)
    except OSError:
        return b""
