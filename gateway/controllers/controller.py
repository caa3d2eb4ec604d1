"""One controller on the line: its link on one side, its MQTT session on the other."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

import aiomqtt

from gateway.controllers.frame import AROUND, NO_SESSION, TIME, Frame
from gateway.controllers.link import CONNECT, Link
from gateway.controllers.session import LEAVE_S, Session
from gateway.controllers.turns import SILENT_AFTER, Turn
from gateway.identity import Node
from wire import frames, topics

SILENCE_S = 20.0  # so long without an answer, and the city hears that it is not online
TIME_S = 300.0  # how often it hears the time, and whenever it begins anew


class Controller:
    """on_due() wakes who asks: there is something for a controller before its turn."""

    def __init__(self, *, node: Node, address: int, on_due: Callable[[], None], log: Any) -> None:
        self.address = address
        self.turn = Turn()
        self._node = node
        self._link = Link(address=address)
        self._on_due = on_due
        self._log = log.bind(controller=node.name, address=address)
        self._session: Session | None = None  # of the link's session, from its message `connect` on
        self._is_online = False  # the broker has its session
        self._serving: asyncio.Task[None] | None = None  # the latest session, which may be ending
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = self._unanswered = 0
        self._answered_at = 0.0
        self._timed_at = -TIME_S
        self._is_timed = False  # the question that is out carries the time

    def question(self, *, time_ms: int | None, now: float, character_s: float) -> Frame:
        """time_ms: since 1970 UTC, now; None while it is not known."""
        session = self._session
        if session is not None and self._link.is_free and (mail := session.mailbox.take()) is not None:
            self._link.send(frames.DOWN.index(mail.channel), mail.body, mail.taken)
        asked = self._link.question()
        self._asked += 1
        self._is_timed = time_ms is not None and now >= self._timed_at + TIME_S
        if time_ms is None or not self._is_timed:
            return asked
        on_line_s = character_s * (AROUND + TIME + len(asked.part))
        return dataclasses.replace(asked, time_ms=time_ms + round(1000 * on_line_s))

    def answered(self, answer: Frame, now: float) -> None:
        if self.turn.is_silent:
            self._log.info("controller answers again")
        self._answered_at = now
        if self._is_timed:
            self._timed_at = now
        before = self._link.session
        message = self._link.heard(answer)
        if self._link.session != before:
            self._timed_at = -TIME_S
            self._leave("it begins anew" if self._link.session != NO_SESSION else "it lost its way")
        if message is not None:
            self._take(*message)
        is_mail = self._session is not None and bool(self._session.mailbox)
        self.turn.answered(now, is_busy=self._link.is_busy or is_mail)

    def failed(self, error: Exception, now: float, lost_s: float, all_turns: list[Turn]) -> None:
        self._unanswered += 1
        self.turn.failed(now, lost_s=lost_s, all_turns=all_turns)
        if self.turn.failures == SILENT_AFTER:
            self._log.warning("controller does not answer", error=str(error))

    def look(self, now: float) -> None:
        """To be called now and then: ends the session of a controller that has been silent for too long."""
        if self._link.session != NO_SESSION and now - self._answered_at > SILENCE_S:
            self._end("it does not answer")

    async def close(self) -> None:
        """The city hears that it is offline."""
        self._end("the gateway stops, or the site has changed")
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=LEAVE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, code: int, body: bytes) -> None:
        session = self._session
        channel = frames.UP[code] if code < len(frames.UP) else ""
        if code == CONNECT and session is None:
            self._session = session = Session(
                node=self._node, will=body, on_open=lambda: self._opened(session), on_mail=self._wake, log=self._log
            )
            self._serving = self._begin(self._serve(session, self._serving))
        elif session is None or code == CONNECT:
            self._end("it lost its way")
        elif channel in topics.UP:
            self._begin(self._publish(session, channel, body))
        else:
            self._log.error("a message on a channel that this gateway does not know: not told", code=code)
            self._release()

    async def _serve(self, session: Session, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])  # both have one name at the broker
        try:
            await session.run()
        except Exception as error:  # a certificate that cannot be read, or worse: it is tried again, others go on
            self._log.error("session of a controller broke", error=f"{type(error).__name__}: {error}")
        if self._session is session:
            self._end("the broker is gone")

    async def _publish(self, session: Session, channel: str, body: bytes) -> None:
        try:
            await session.publish(channel, body)
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            if self._session is session:
                self._end(f"the broker did not take a message: {error}")
        else:
            if self._session is session:
                self._release()

    def _opened(self, session: Session | None) -> None:
        if self._session is session:
            self._is_online = True
            self._log.info("controller online")
            self._release()

    def _release(self) -> None:
        self._link.release()
        self._wake()

    def _wake(self) -> None:
        self.turn.wake(asyncio.get_running_loop().time())
        self._on_due()

    def _end(self, why: str) -> None:
        self._link.end()
        self._leave(why)
        self._wake()

    def _leave(self, why: str) -> None:
        if self._session is not None:
            self._session.leave()
            self._session = None
        if self._is_online:
            self._is_online = False
            said = {"asked": self._asked, "unanswered": self._unanswered}
            self._log.warning("controller offline", because=why, **said)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"controller {self._node.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
