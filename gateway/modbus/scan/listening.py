"""What a serial line does by itself: another master, noise, an adapter that sends back what it sent."""

import asyncio
from dataclasses import dataclass

from device_profiles.bus_time import Line as Settings
from gateway.modbus.scan.probe import REQUEST
from gateway.serial_port import SerialPort
from protocols import modbus

LISTEN_S = 0.5
ECHO_S = 0.05  # beyond the time on the wire: an adapter delivers in portions
REQUEST_FRAME = 8  # characters of a read
_READS = range(1, 5)
_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Heard:
    """unasked: bytes that came before anybody was asked. asked_by_others: units that another master reads."""

    unasked: bytes = b""
    asked_by_others: tuple[int, ...] = ()
    echoes: bool = False

    def sentences(self) -> list[str]:
        told = []
        if self.asked_by_others:
            units = ", ".join(map(str, self.asked_by_others))
            told.append(f"another master reads unit {units} on this line: stop it, or both get spoilt answers")
        elif self.unasked:
            shown = self.unasked[:_SHOWN].hex(" ")
            told.append(
                f"{len(self.unasked)} bytes came without a question ({shown}): another master, noise, or wrong settings"
            )
        if self.echoes:
            told.append("the adapter sends back what it sends (echo): this is allowed for")
        return told


async def listen(*, port: str, settings: Settings, unit: int) -> Heard:
    """Half a second of silence, then one read of this unit. Raises LineDown."""
    line = SerialPort(port=port, baud=settings.baud, parity=settings.parity, stop_bits=settings.stop_bits)
    try:
        line.open()
        await asyncio.sleep(LISTEN_S)
        unasked = bytes(line.received)
        frame = modbus.rtu(unit, REQUEST)
        line.send(frame)
        await asyncio.sleep(len(frame) * settings.character + ECHO_S)
        echoes = line.received.startswith(frame)
    finally:
        line.close()
    return Heard(unasked=unasked, asked_by_others=_requests(unasked), echoes=echoes)


def _requests(received: bytes) -> tuple[int, ...]:
    """Units of the reads in these bytes."""
    units: list[int] = []
    for start in range(len(received) - REQUEST_FRAME + 1):
        frame = received[start : start + REQUEST_FRAME]
        if frame[1] in _READS and modbus.rtu(frame[0], frame[1:-2]) == frame:
            units.append(frame[0])
    return tuple(dict.fromkeys(units))
