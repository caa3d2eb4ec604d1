"""An emulated device's listening socket: it comes and goes, and its port stays."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class TcpServer:
    """Listens on `host`:`port`; port 0 is a free one, and stays the same over vanish and restore."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        raise NotImplementedError

    async def restore(self) -> None:
        """The device is reachable."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """The device is off the network: connections break, new ones are refused."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
            ):
                await self.serve(reader, writer)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        writer.close()
                        await writer.wait_closed()
        finally:
            self._connections.discard(task)
            writer.transport.abort()
