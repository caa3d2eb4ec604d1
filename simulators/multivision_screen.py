"""The control computer of LED screens on a loopback port: it answers the Multivision protocol for each of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from protocols import multivision
from protocols.errors import BadAnswer
from simulators.device import EmulatedDevice
from simulators.tcp_server import TcpServer


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the computer, switchable while it runs."""

    silent: bool = False  # it takes everything and answers nothing
    deaf: bool = False  # it answers, but sets nothing
    other_screen: bool = False  # its answers carry the next screen's id
    garbage: bool = False  # bytes that are no frame
    slow: float = 0.0  # seconds before each answer


class MultivisionScreen(TcpServer):
    """Screens by the ids at the end of their addresses (host:port#02). requests: the frames that came."""

    def __init__(self, *, devices: list[EmulatedDevice], host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.screens = {multivision.place(device.address or host)[2]: device for device in devices}
        self.faults = Faults()
        self.requests = 0

    def heal(self) -> None:
        """Everything works again."""
        self.faults = Faults()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        while part := await reader.read(4096):
            received += part
            try:
                while True:
                    frame, received = multivision.split(received)
                    if frame is None:
                        break
                    await self._take(frame, writer)
            except BadAnswer:
                received = b""
            await writer.drain()

    async def _take(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            asked = multivision.decode(frame)
        except BadAnswer:
            return
        self.requests += 1
        device = self.screens.get(asked.screen)
        if device is None or self.faults.silent:
            return
        if asked.kind == "S" and not self.faults.deaf:
            _set(device, asked)
        if asked.kind != "G" or asked.verb not in device.raws():
            return
        await asyncio.sleep(self.faults.slow)
        if self.faults.garbage:
            writer.write(b"\xde\xad\x01LED?\x00\xbe\xef\r")
            return
        screen = (asked.screen + self.faults.other_screen) % 100
        writer.write(multivision.encode("R", asked.verb, screen, device.raws()[asked.verb]))


def _set(device: EmulatedDevice, told: multivision.Frame) -> None:
    for name, argument in _commands(device, told):
        try:
            device.command(name, argument)
        except ValueError:
            return  # out of range: a screen says nothing to it


def _commands(device: EmulatedDevice, told: multivision.Frame) -> Iterator[tuple[str, float | bool | str]]:
    for name, command in device.profile.commands.items():
        item = command.item
        if item is None or item.name != told.verb:
            continue
        if item.type == "text":
            yield name, told.value
        elif item.type == "bool":
            yield name, told.value == "1"
        else:
            value = multivision.raw(told.value)
            if isinstance(value, int):
                yield name, value * item.scale + item.offset
