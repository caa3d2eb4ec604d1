"""A node's way to the broker, which can be cut: a TCP proxy on loopback."""

import asyncio

from simulators.tcp_server import TcpServer


class Proxy(TcpServer):
    """vanish() breaks what is connected and refuses the rest, restore() lets it through again; the port stays."""

    def __init__(self, *, host: str, port: int) -> None:
        """host, port: where it leads to."""
        super().__init__()
        self._to = host, port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, further = await asyncio.open_connection(*self._to)
        pumps = [asyncio.create_task(_pump(reader, further)), asyncio.create_task(_pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            further.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
