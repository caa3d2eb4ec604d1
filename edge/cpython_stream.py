"""A TCP or TLS stream on CPython in the shape that MicroPython's asyncio has. No controller loads it."""

import asyncio
import socket
import ssl


class Stream:
    """`s` and `e` have a close(), `out_buf` is sent by drain(); the first drain() connects."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self.out_buf = b""
        self.s = self.e = self
        self._to = (host, port, context)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def drain(self) -> None:
        """Returns when it may go on. Raises OSError; ValueError for a certificate that is not right."""
        _, writer = self._streams or await self._connect()
        writer.write(bytes(self.out_buf))  # it keeps what it is given
        try:
            await writer.drain()
        except ConnectionResetError as error:
            raise _closed(error) from error

    async def readinto(self, view: memoryview) -> int:
        reader, _ = self._streams or await self._connect()
        try:
            data = await reader.read(len(view))
        except ssl.SSLError as error:
            raise OSError(f"tls {error.reason}") from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._streams:
            self._streams[1].transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port, context = self._to
        try:
            reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=4096)
        except ssl.SSLCertVerificationError as error:
            raise ValueError(error.verify_message) from error
        except ssl.SSLError as error:
            raise OSError(f"tls {error.reason}") from error
        except socket.gaierror as error:
            raise OSError("name") from error
        except ConnectionResetError as error:
            raise _closed(error) from error
        self._streams = reader, writer
        return self._streams


def _closed(error: OSError) -> OSError:
    """asyncio's own errors for an end of the connection have no number."""
    return OSError("closed") if error.errno is None else error
