"""The way to the broker, which can be cut for all or for one."""

import asyncio

from pole.fleet.depth_proxy import Proxy


class Cuts(Proxy):
    """cut() ends the connections that come from some ports; who was cut may come again at once."""

    def __init__(self, *, host: str, port: int) -> None:
        super().__init__(host=host, port=port)
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        self._writers[port] = writer
        try:
            await super().serve(reader, writer)
        finally:
            self._writers.pop(port, None)

    def cut(self, ports: set[int]) -> int:
        """How many there were."""
        found = ports & self._writers.keys()
        for port in found:
            self._writers[port].transport.abort()
        return len(found)
