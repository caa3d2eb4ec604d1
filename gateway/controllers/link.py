"""The gateway's side of one controller's link: answers IN, questions and whole messages OUT. Pure: no line, no clock.

Both directions stop and wait: the next fragment goes out when the one before has come, and each frame says which one
came last. The session's number, which the controller draws, tells what belongs together after either side restarted.
"""

import binascii
from collections import deque
from collections.abc import Callable

from gateway.controllers.frame import FIRST, FRAGMENT, HOLD, MESSAGE_AROUND, NO_SESSION, Frame
from wire import frames

CONNECT = frames.UP.index("connect")


class Link:
    """session: NO_SESSION while there is none."""

    def __init__(self, *, address: int) -> None:
        self.session = NO_SESSION
        self._address = address
        self._message = bytearray()  # that comes
        self._came = 0
        self._held = False
        self._parts: deque[bytes] = deque()  # of the message that goes out
        self._delivered: Callable[[], None] = lambda: None
        self._number = self._first = 0

    @property
    def is_free(self) -> bool:
        """Whether a message may be sent."""
        return self.session != NO_SESSION and not self._parts

    @property
    def is_busy(self) -> bool:
        """Whether the next question will bring something further."""
        return bool(self._parts) or (bool(self._message) and not self._held)

    def send(self, code: int, body: bytes, delivered: Callable[[], None]) -> None:
        """Sends a message that fits; delivered() is called when the controller has all of it."""
        message = bytes((code, *len(body).to_bytes(2, "big"))) + body
        message += binascii.crc32(message).to_bytes(4, "little")
        self._parts.extend(message[at : at + FRAGMENT] for at in range(0, len(message), FRAGMENT))
        self._delivered = delivered
        self._next(FIRST)

    def question(self) -> Frame:
        """The next frame to the controller."""
        part = self._parts[0] if self._parts else b""
        flags = (self._first if part else 0) | (HOLD if self._held else 0)
        return Frame(
            address=self._address, flags=flags, session=self.session, number=self._number, came=self._came, part=part
        )

    def heard(self, answer: Frame) -> tuple[int, bytes] | None:
        """Takes an answer in. Gives (code, body) where a message is whole: it waits for release() then."""
        if answer.session == NO_SESSION:
            return None
        if answer.session != self.session:
            if not _is_connect(answer):
                return None
            self.end()
            self.session = answer.session
        if self._parts and answer.came == self._number:
            self._parts.popleft()
            if self._parts:
                self._next(0)
            else:
                self._delivered()
        if self._held or not answer.part or answer.number != self._came + 1 & 255:
            return None
        return self._take(answer)

    def release(self) -> None:
        """The message is where it is to be: the controller may send the next."""
        self._held = False
        self._message.clear()
        self._came = self._came + 1 & 255

    def end(self) -> None:
        """The session is over; the controller hears it by the next question."""
        self.session = NO_SESSION
        self._message.clear()
        self._parts.clear()
        self._held = False
        self._came = self._number = 0

    def _next(self, first: int) -> None:
        self._number = self._number + 1 & 255
        self._first = first

    def _take(self, answer: Frame) -> tuple[int, bytes] | None:
        message = self._message
        if answer.flags & FIRST:
            message.clear()
        is_whole = bool(message) or bool(answer.flags & FIRST)
        message += answer.part
        missing = int.from_bytes(message[1:3], "big") + MESSAGE_AROUND - len(message)
        if is_whole and missing > 0:
            self._came = answer.number
            return None
        if not is_whole or missing < 0 or binascii.crc32(message) != frames.RIGHT:
            self.end()  # each frame came right and the message did not: one side has lost its way
            return None
        self._held = True
        return message[0], bytes(message[3:-4])


def _is_connect(answer: Frame) -> bool:
    """The first fragment of a session: number 1, a message on the channel `connect`."""
    return bool(answer.flags & FIRST and answer.number == 1 and answer.part and answer.part[0] == CONNECT)
