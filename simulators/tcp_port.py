"""A Modbus TCP device or gateway on a loopback port, with several units."""

import asyncio

from pymodbus.framer import FramerSocket

from simulators.device import EmulatedDevice
from simulators.modbus_answers import DECODER, answer
from simulators.tcp_server import TcpServer
from simulators.unit import EmulatedUnit, units

_HEADER = 7  # transaction, protocol, length, unit (Modbus Messaging on TCP/IP V1.0b, 3.1.3)
_GATEWAY_NO_RESPONSE = 11  # what a gateway answers for a unit that is not behind it
GARBAGE = bytes.fromhex("deadbeef00a55a1337")


class TcpPort(TcpServer):
    """Its units share one address, and each connection."""

    def __init__(self, *, devices: list[EmulatedDevice], host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises ValueError where two devices share a register of one unit."""
        super().__init__(host=host, port=port)
        self.units = units(devices)
        self._framer = FramerSocket(DECODER)

    def unit(self, number: int) -> EmulatedUnit:
        """The unit with this number. Raises KeyError."""
        return self.units[number]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            header = await reader.readexactly(_HEADER)
            length = int.from_bytes(header[4:6], "big")
            if header[2:4] != b"\0\0" or not 2 <= length <= 254:
                return
            frame = header + await reader.readexactly(length - 1)
            _, number, transaction, request = self._framer.decode(frame)
            reply = await self._reply(number, transaction, request)
            if reply:
                writer.write(reply)
                await writer.drain()

    async def _reply(self, number: int, transaction: int, request: bytes) -> bytes:
        unit = self.units.get(number)
        if unit is None:
            return self._framer.encode(bytes([request[0] | 0x80, _GATEWAY_NO_RESPONSE]), number, transaction)
        if not unit.hears(request):
            return b""
        await asyncio.sleep(unit.latency)
        if unit.faults.garbage:
            return GARBAGE
        reply = answer(unit, request)
        return self._framer.encode(reply, number, transaction ^ (0x5555 if unit.garbles() else 0))
