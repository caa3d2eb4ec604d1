"""One connected charger: its calls IN and answered, its items OUT, commands to it. OCPP 1.6J, one WebSocket.

A status stands until the charger tells another (OCPP 1.6, 4.9), so it is told again while the charger speaks at all.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case  # type: ignore[import-untyped]
from ocpp.messages import Call, CallError, CallResult, validate_payload  # type: ignore[import-untyped]
from ocpp.v16 import call  # type: ignore[import-untyped]
from ocpp.v16.enums import Action, MessageTrigger  # type: ignore[import-untyped]
from websockets.exceptions import ConnectionClosed

from gateway.heard import ocpp_memory
from gateway.heard.ocpp_memory import Memory, Raw
from protocols import ocpp
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout

log = structlog.get_logger("ocpp")

Heard = Callable[[str, Mapping[str, Raw | DeviceError], int | None], None]
Durable = Callable[[], Awaitable[None]]

ANSWER_S = 10.0  # a charger's time to answer a call, and to take what we say
DURABLE_S = 10.0  # a disk that takes nothing for so long: no answer, and the charger says it again
INTRODUCE_S = 3.0  # a charger that boots tells its status by itself; one that only came back does not
RATE, BURST = 20.0, 100.0  # messages a second; a charger that says more is read more slowly
# Values also between sessions, and at a period that quality can be judged by (OCPP 1.6, 9.1).
SETTINGS = {"MeterValueSampleInterval": "30", "ClockAlignedDataInterval": "60"}
logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # it logs every message


class Socket(Protocol):
    """What a charger's WebSocket must do; messages come one by one, and none after it closed."""

    async def recv(self) -> str | bytes: ...
    async def send(self, message: str) -> None: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...
    @property
    def transport(self) -> asyncio.Transport: ...


class Station:
    """bad: messages that were no OCPP; late: answers that nobody waits for."""

    def __init__(
        self,
        *,
        address: str,
        socket: Socket,
        memory: Memory,
        heard: Heard,
        durable: Durable,
        heartbeat_s: float,
        settings: Mapping[str, str] = SETTINGS,
        answer_s: float = ANSWER_S,
        introduce_s: float = INTRODUCE_S,
    ) -> None:
        self.address = address
        self.bad = 0
        self.late = 0
        self.replaced = False  # the same charger dialled in again: what this one says last is old
        self._socket = socket
        self._memory = memory
        self._heard = heard
        self._durable = durable
        self._heartbeat_s = heartbeat_s
        self._settings = settings
        self._answer_s = answer_s
        self._introduce_s = introduce_s
        self._turn = asyncio.Lock()  # OCPP-J 4.1.1: one call under way in each direction
        self._waiting: tuple[str, asyncio.Future[ocpp.Message]] | None = None
        self._changed = asyncio.Event()
        self._told_at = 0.0
        self._allowance, self._allowed_at = BURST, time.monotonic()

    async def run(self) -> None:
        """Until the connection ends."""
        introduction = asyncio.create_task(self._introduce(), name=f"introduction of {self.address}")
        self._tell({"reachable": True}, None)
        try:
            while True:
                text = await self._socket.recv()
                await self._allow()
                await self._take(text)
        except ConnectionClosed:
            pass
        finally:
            introduction.cancel()
            await asyncio.gather(introduction, return_exceptions=True)
            if self._waiting is not None and not self._waiting[1].done():
                self._waiting[1].set_exception(LineDown("the charger's connection broke"))
            if not self.replaced:
                gone: dict[str, Raw | DeviceError] = {name: LineDown("not connected") for name in self._memory.standing}
                self._heard(self.address, {**gone, "reachable": False}, None)

    async def close(self, reason: str) -> None:
        """Ends the connection, in bounded time; run() then returns."""
        try:
            async with asyncio.timeout(self._answer_s):
                await self._socket.close(1000, reason)
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()  # who does not read would keep the goodbye waiting for ever

    async def ask(self, payload: Any, before: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """One call to the charger (an ocpp.v16.call) -> its answer's payload. Raises DeviceError.

        before() is called when it is this call's turn; what it raises keeps the call from the charger.
        """
        request = Call(str(uuid.uuid4()), type(payload).__name__, _camel(payload))
        await validate_payload(request, "1.6")
        async with self._turn:
            before()
            answer: asyncio.Future[ocpp.Message] = asyncio.get_running_loop().create_future()
            self._waiting = (request.unique_id, answer)
            try:
                async with asyncio.timeout(self._answer_s):
                    await self._socket.send(request.to_json())
                    message = await answer
            except TimeoutError:
                raise Timeout(f"no answer to {request.action} within {self._answer_s:g} s") from None
            except ConnectionClosed:
                raise LineDown("the charger's connection broke") from None
            finally:
                self._waiting = None
        if message.kind == ocpp.ERROR:
            raise Refused(0, f"the charger answers {request.action} with {message.name}")
        if not isinstance(message.payload, dict):
            raise BadAnswer("header", f"the answer to {request.action} is no object")
        return message.payload

    async def until(self, true: Callable[[Memory], bool], seconds: float) -> bool:
        """Waits until what is known of the charger makes it true; False where that takes longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not true(self._memory):
                    self._changed.clear()
                    await self._changed.wait()
                return True
        return False

    def learn(self, items: Mapping[str, Raw]) -> None:
        """Something that an answer told, as a current limit."""
        self._tell(items, None)

    @property
    def memory(self) -> Memory:
        return self._memory

    async def _allow(self) -> None:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * RATE) - 1
        self._allowed_at = now
        if self._allowance < 0:
            await asyncio.sleep(-self._allowance / RATE)

    async def _take(self, text: str | bytes) -> None:
        try:
            message = ocpp.parse(text)
        except BadAnswer as error:
            if not self.bad:
                log.warning("a message that is no OCPP", charger=self.address, error=str(error))
            self.bad += 1
            return
        if message.kind == ocpp.CALL:
            answer = self._answer(message)
            if message.name not in ocpp_memory.KEPT_BY_CHARGERS or await self._is_durable():
                await self._send(answer)
        elif self._waiting is not None and self._waiting[0] == message.unique and not self._waiting[1].done():
            self._waiting[1].set_result(message)
        else:
            self.late += 1

    async def _is_durable(self) -> bool:
        """A charger forgets its session's messages once they are answered (OCPP 1.6, 3.7.1)."""
        try:
            async with asyncio.timeout(DURABLE_S):
                await self._durable()
        except TimeoutError:
            log.warning("the disk takes nothing: a charger gets no answer", charger=self.address)
            return False
        return True

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._answer_s):
                await self._socket.send(text)
        except TimeoutError:
            await self.close("what is said is not read")

    def _answer(self, message: ocpp.Message) -> str:
        """Takes a call in, and gives the frame that answers it."""
        if message.name not in ocpp_memory.ANSWERED:
            known = message.name in {action.value for action in Action}
            return _refusal(message, "NotSupported" if known else "NotImplemented", "no action of a charger here")
        try:
            reply, told = self._memory.answer(message, int(self._heartbeat_s))
        except BadAnswer as error:
            self.bad += 1
            return _refusal(message, "FormationViolation", str(error))
        for each in told:
            self._tell(each.items, each.time_ms)
        self._repeat()
        return str(CallResult(message.unique, reply).to_json())

    def _tell(self, items: Mapping[str, Raw], time_ms: int | None) -> None:
        self._memory.keep(items)
        self._changed.set()
        # a state holds from now on by our clock, by which it is told again; a charger's own may be wrong
        states = {name: value for name, value in items.items() if ocpp.split(name)[1] in ocpp_memory.STANDING}
        measured = {name: value for name, value in items.items() if name not in states}
        for told, at_ms in ((states, None), (measured, time_ms)):
            if told:
                self._heard(self.address, told, at_ms)

    def _repeat(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= self._heartbeat_s / 2:
            self._told_at = now
            self._heard(self.address, {**self._memory.standing, "reachable": True}, None)

    async def _introduce(self) -> None:
        """Sets how often values come, and asks for what a charger tells only when it changes. It may refuse it all."""
        await asyncio.sleep(self._introduce_s)
        requests: list[Any] = [call.ChangeConfiguration(key, value) for key, value in self._settings.items()]
        if "model" not in self._memory.standing:
            requests.append(call.TriggerMessage(MessageTrigger.boot_notification))
        requests.append(call.TriggerMessage(MessageTrigger.status_notification))
        requests.append(call.TriggerMessage(MessageTrigger.meter_values))
        for request in requests:
            try:
                answer = await self.ask(request)
                if answer.get("status") not in ("Accepted", "RebootRequired"):
                    log.info("charger declines", charger=self.address, request=str(request), answer=str(answer)[:100])
            except Timeout:
                return  # commands must not wait for a charger that answers nothing
            except DeviceError as error:
                log.info("charger declines", charger=self.address, request=str(request), answer=str(error))


def _refusal(message: ocpp.Message, code: str, detail: str) -> str:
    return str(CallError(message.unique, code, detail[:255], {}).to_json())


def _camel(payload: Any) -> Any:
    return remove_nones(snake_to_camel_case(serialize_as_dict(payload)))
