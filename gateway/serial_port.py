"""A serial port, as every driver on a serial line needs it: bytes IN and OUT, opened again whenever it vanished."""

import asyncio
import os
import termios

import serial

from device_profiles import bus_time
from gateway.fine_timer import FineTimer
from protocols import errors
from wire.backoff import Backoff

NOISE_S = 1.0  # a line that is not quiet for so long is told: somebody on it speaks without being asked
REOPEN_FIRST_S, REOPEN_MOST_S = 0.5, 30.0
_READ = 4096
_PSEUDO = "/dev/pts/"
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class SerialPort:
    """received: what came since the last send() or since its owner took it; never more than `most` bytes.

    quiet_from: when the last character on the line ended, by the loop's clock.
    """

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1, most: int = 1024) -> None:
        self.times = bus_time.Line(baud=baud, parity=parity, stop_bits=stop_bits)
        self.received = bytearray()
        self.quiet_from = 0.0
        self._path = port
        self._baud = baud
        self._parity = parity
        self._stop_bits = stop_bits
        self._most = most
        self._port: serial.Serial | None = None
        self._timer: FineTimer | None = None
        self._backoff = Backoff(first=REOPEN_FIRST_S, most=REOPEN_MOST_S)
        self._retry_at = 0.0
        self._trouble = ""
        self._missing = 0  # bytes until who waits is woken
        self._arrived: asyncio.Future[bool] | None = None

    def open(self) -> None:
        """Opens it if it is not open. Raises LineDown, at once while a new attempt is not due."""
        if self._port is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            raise errors.LineDown(self._trouble)
        try:
            # socat's ports, and an emulator's, have no line and so no parity: they refuse one
            self._port = self._opened("none" if os.path.realpath(self._path).startswith(_PSEUDO) else self._parity)
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            self._lose(str(error))
            raise errors.LineDown(self._trouble) from None
        self._backoff.reset()
        self.received.clear()
        self.quiet_from = loop.time()
        self._timer = FineTimer()
        loop.add_reader(self._port.fileno(), self._read)

    def close(self) -> None:
        self._trouble = f"{self._path}: closed"
        self._wake(False)
        if self._port is not None:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._port.close()
            self._port = None
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    async def silence(self, pause: float, not_before: float = 0.0) -> None:
        """Waits until the line was quiet for `pause` seconds, and until not_before. Raises BadAnswer("noise")."""
        loop = asyncio.get_running_loop()
        until = max(loop.time(), not_before) + NOISE_S
        while (left := max(self.quiet_from + pause, not_before) - loop.time()) > 0:
            if loop.time() > until:
                shown = bytes(self.received[-16:]).hex(" ")
                raise errors.BadAnswer("noise", f"the line is never quiet: {shown}")
            if self._timer is None:  # it vanished meanwhile
                raise errors.LineDown(self._trouble)
            await self._timer.sleep(left)  # noise meanwhile makes the silence start anew

    def send(self, frame: bytes, *, keep: bool = False) -> float:
        """When its last character will have left, by the loop's clock. keep: what came before is not thrown away.

        Raises LineDown; Timeout where the port does not take it all.
        """
        if self._port is None:  # it vanished meanwhile
            raise errors.LineDown(self._trouble)
        try:
            if not keep:
                self._port.reset_input_buffer()
                self.received.clear()
            sent = os.write(self._port.fileno(), frame)
        except BlockingIOError:
            sent = 0
        except (OSError, termios.error) as error:
            self._lose(str(error))
            raise errors.LineDown(self._trouble) from None
        self.quiet_from = asyncio.get_running_loop().time() + len(frame) * self.times.character
        if sent != len(frame):
            raise errors.Timeout(f"the port took {sent} of {len(frame)} bytes")
        return self.quiet_from

    async def more(self, until: float, at_least: int = 1) -> bool:
        """Waits for so many more bytes; False when the time is over. Raises LineDown when the port is gone.

        An adapter delivers an answer in many portions: who knows how long it is, is woken once.
        """
        came = False
        loop = asyncio.get_running_loop()
        if self._port is not None and loop.time() < until:  # else a line that never rests would be waited for for ever
            self._missing = min(at_least, max(1, self._most - len(self.received)))
            self._arrived = loop.create_future()
            timer = loop.call_at(until, self._wake, False)
            try:
                came = await self._arrived
            finally:
                timer.cancel()
                self._arrived = None
        if self._port is None:
            raise errors.LineDown(self._trouble)
        return came

    def _wake(self, came: bool) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(came)

    def _opened(self, parity: str) -> serial.Serial:
        return serial.Serial(
            self._path,
            self._baud,
            parity=_PARITY[parity],
            stopbits=self._stop_bits,
            timeout=0,
            inter_byte_timeout=0,  # VMIN 1: an empty read then means that the port is gone
            exclusive=True,
        )

    def _read(self) -> None:
        assert self._port is not None
        try:
            data = os.read(self._port.fileno(), _READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not data:
            self._lose("hung up")
            return
        self.received += data[: max(0, self._most - len(self.received))]
        self.quiet_from = max(self.quiet_from, asyncio.get_running_loop().time())
        self._missing -= len(data)
        if self._missing <= 0:
            self._wake(True)

    def _lose(self, trouble: str) -> None:
        self.close()
        self._trouble = f"{self._path}: {trouble}"
        self._retry_at = asyncio.get_running_loop().time() + self._backoff.next()
