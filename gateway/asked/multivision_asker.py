"""Asks LED screens of the Multivision protocol, and sets them: verbs IN, values OUT.

Each call has a connection of its own: answers carry no number, so a late one must not meet the next question.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from protocols import multivision
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from protocols.multivision import Raw

WAIT_S = 3.0  # for a connection, and for each answer
MOST_NOISE = 65_536  # bytes that are no answer, before we give up


class MultivisionAsker:
    """One control computer drives several screens: its calls wait for each other, others do not."""

    one_by_one = True

    def __init__(self, *, wait: float = WAIT_S) -> None:
        self._wait = wait
        self._turns: dict[tuple[str, int], asyncio.Lock] = {}

    async def ask(self, address: str, names: Sequence[str]) -> Mapping[str, Raw | DeviceError]:
        """Verb -> value, or what went wrong. Raises DeviceError where no verb was answered.

        A screen says nothing to a verb that it does not know: that is a Timeout of this verb alone.
        """
        host, port, screen = _place(address)
        found: dict[str, Raw | DeviceError] = {}
        async with self._turn(host, port):
            link = await _Link.open(host, port, self._wait)
            try:
                for name in names:
                    found[name] = await link.answer(name, screen)
            finally:
                link.close()
        failed = [value for value in found.values() if isinstance(value, DeviceError)]
        if failed and len(failed) == len(found):
            raise failed[-1]
        return found

    async def tell(
        self, address: str, name: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Sets, then asks for the same: screens do not answer to the first. Raises DeviceError, and what before() does.

        Other screens of the same computer may be asked first.
        """
        host, port, screen = _place(address)
        try:
            frame = multivision.encode("S", name, screen, raw if raw is not None else "")
        except ValueError as error:
            raise Refused(0, str(error)) from None
        async with self._turn(host, port):
            link = await _Link.open(host, port, self._wait)
            try:
                before()
                link.send(frame)
                value = await link.answer(name, screen)
            finally:
                link.close()
        if isinstance(value, DeviceError):
            raise value

    async def close(self) -> None:
        """Nothing is open between two calls."""

    def _turn(self, host: str, port: int) -> asyncio.Lock:
        return self._turns.setdefault((host, port), asyncio.Lock())


class _Link:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float) -> None:
        self._reader = reader
        self._writer = writer
        self._wait = wait
        self._received = b""
        self._noise = 0

    @classmethod
    async def open(cls, host: str, port: int, wait: float) -> "_Link":
        try:
            async with asyncio.timeout(wait):
                return cls(*await asyncio.open_connection(host, port), wait)
        except TimeoutError:
            raise Timeout(f"no connection in {wait:g} s") from None
        except OSError as error:
            raise LineDown(error.strerror or str(error)) from None

    def close(self) -> None:
        self._writer.transport.abort()  # whatever still comes is not waited for

    def send(self, frame: bytes) -> None:
        self._writer.write(frame)

    async def answer(self, verb: str, screen: int) -> Raw | DeviceError:
        """What the screen says to one question, or what went wrong with it. Raises LineDown."""
        strange: DeviceError | None = None
        before = self._noise
        try:
            async with asyncio.timeout(self._wait):
                self.send(multivision.encode("G", verb, screen))
                await self._writer.drain()
                while True:
                    try:
                        value = multivision.answer(verb, screen, await self._frame())
                    except BadAnswer as error:
                        if error.fault == "length":
                            return error
                        strange = error
                        continue
                    if value is not None:
                        return value
                    strange = strange or BadAnswer("address", "the answer is another screen's, or to another question")
        except TimeoutError:
            came = self._noise - before
            if strange is None and came:
                strange = BadAnswer("short" if self._received else "noise", f"{came} bytes came, and no whole answer")
            return strange or Timeout(f"no answer in {self._wait:g} s")
        except ValueError as error:
            return Refused(0, str(error))
        except OSError as error:
            raise LineDown(error.strerror or str(error)) from None

    async def _frame(self) -> bytes:
        while True:
            frame, self._received = multivision.split(self._received)
            if frame is not None:
                return frame
            part = await self._reader.read(4096)
            self._noise += len(part)
            if self._noise > MOST_NOISE:
                raise BadAnswer("length", f"more than {MOST_NOISE} bytes, and no answer among them")
            if not part:
                raise LineDown("the screen closed the connection")
            self._received += part


def _place(address: str) -> tuple[str, int, int]:
    try:
        return multivision.place(address)
    except ValueError as error:
        raise LineDown(str(error)) from None
