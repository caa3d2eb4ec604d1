"""A serial device server: Modbus RTU frames, CRC and all, over a TCP connection."""

import asyncio

from pymodbus.framer import FramerRTU

from simulators.device import EmulatedDevice
from simulators.modbus_answers import DECODER, answer
from simulators.rtu_port import request_length
from simulators.tcp_port import GARBAGE, TcpPort

_LONGEST = 256  # characters of an RTU frame (Modbus over Serial Line V1.02, 2.5.1)


class RtuOverTcpPort(TcpPort):
    """As TcpPort; units that are not there are silent, as on a serial line."""

    def __init__(self, *, devices: list[EmulatedDevice], host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(devices=devices, host=host, port=port)
        self._rtu = FramerRTU(DECODER)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        while data := await reader.read(_LONGEST):
            received = (received + data)[-_LONGEST:]
            if len(received) != request_length(received):
                continue
            frame, received = received, b""
            if FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
                writer.write(await self._spoken(frame[0], frame[1:-2]))
                await writer.drain()

    async def _spoken(self, number: int, request: bytes) -> bytes:
        unit = self.units.get(number)
        if unit is None or not unit.hears(request):
            return b""
        await asyncio.sleep(unit.latency)
        frame = self._rtu.encode(answer(unit, request), number, 0)
        if unit.garbles():
            frame = frame[:-1] + bytes([frame[-1] ^ 0x55])
        return GARBAGE if unit.faults.garbage else frame
