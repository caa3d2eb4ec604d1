"""Asks DL/T 645-2007 meters on one serial line: a meter's number and items IN, their raw values OUT."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from gateway.serial_port import SerialPort
from protocols import dlt645
from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

ANSWER_S = 0.5  # the standard's limit, from the request's end to the answer's start; and from byte to byte
ADAPTER_S = 0.1  # a USB adapter delivers in portions, and a meter's FE bytes come first
ANSWER_MOST_S = 2.0  # a whole answer, beyond the time on the wire: who drips longer is given up
FAILURES_MOST = 2  # in a row: the rest of the items is not asked for any more


class Dlt645Asker:
    """One request at a time on the line; between two items another meter may have its turn."""

    one_by_one = True

    def __init__(
        self,
        *,
        port: str,
        baud: int = 2400,
        parity: str = "even",
        stop_bits: int = 1,
        lock: asyncio.Lock | None = None,
    ) -> None:
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits)
        self._lock = lock or asyncio.Lock()
        self._late: dict[tuple[str, str], float] = {}  # until when the answer to an abandoned request may still come

    async def ask(self, address: str, items: Sequence[str]) -> Mapping[str, dlt645.Item]:
        """Item -> raw value, or what went wrong with it. Raises DeviceError where the meter says nothing at all."""
        answers: dict[str, dlt645.Item] = {}
        failures = 0
        last = DeviceError("nothing was asked")
        for item in items:
            if failures == FAILURES_MOST:
                answers[item] = last
                continue
            try:
                answers |= await self._ask(address, item)
                failures = 0
            except (Timeout, BadAnswer) as error:
                answers[item] = last = error
                failures += 1
        if items and all(isinstance(answer, (Timeout, BadAnswer)) for answer in answers.values()):
            raise last
        return answers

    async def tell(self, address: str, item: str, raw: object, *, before: Callable[[], None] = lambda: None) -> None:
        """Raises Refused: meters are read only, since their commands need passwords that open far more than one."""
        raise Refused(0, "a DL/T 645 meter is only read")

    async def find(self) -> str:
        """The number of the only meter on the line. Raises DeviceError."""
        async with self._lock:
            await self._send(dlt645.encode(dlt645.ANYBODY, dlt645.READ_ADDRESS))
            until, most = self._limits()
            while (address := dlt645.address_in(self._port.received)) is None:
                if not await self._port.more(min(most, max(until, self._port.quiet_from + ANSWER_S))):
                    raise Timeout("no meter says its address")
            return address

    async def close(self) -> None:
        self._port.close()

    async def _ask(self, address: str, item: str) -> Mapping[str, dlt645.Item]:
        try:
            request = dlt645.read(address, item)
        except ValueError as error:
            raise Refused(0, str(error)) from None
        async with self._lock:
            await self._send(request, not_before=self._late.pop((address, item), 0.0))
            try:
                return dlt645.decode(await self._answer(address, item), item)
            except BaseException:
                # Answers carry no number: a late one must not be taken for the next one's, which asks the same.
                self._late[address, item] = asyncio.get_running_loop().time() + ANSWER_S
                raise

    async def _send(self, request: bytes, not_before: float = 0.0) -> None:
        self._port.open()
        await self._port.silence(self._port.times.silence, not_before)
        self._port.send(dlt645.WAKE + request)

    async def _answer(self, address: str, item: str) -> dlt645.Frame:
        until, most = self._limits()
        received = self._port.received
        while (frame := dlt645.find(received, address, item)) is None:
            if not await self._port.more(min(most, max(until, self._port.quiet_from + ANSWER_S))):
                raise dlt645.explain(received, address, item)
        return frame

    def _limits(self) -> tuple[float, float]:
        """When an answer must have begun, and when it must have ended."""
        asked = self._port.quiet_from
        whole = dlt645.MOST_FRAME * self._port.times.character
        return asked + ANSWER_S + ADAPTER_S, asked + ANSWER_S + whole + ANSWER_MOST_S
