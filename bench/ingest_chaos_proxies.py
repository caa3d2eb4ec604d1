"""A proxy before the store that answers in its place, spoils what is written, or says nothing."""

import asyncio
import gzip
from collections import deque

from simulators.tcp_server import TcpServer

# Beside the lines that are really written: a text into a field of numbers. The real server stores the others and
# answers 400 "partial write: field type conflict … dropped=1". It is of now, as they are: types are of a shard's time.
POISON = b'\nair,area=load,pole=POISON,device=air-1 wind_speed="x"'
PARTIAL = b"partial write"

ANSWERS = {
    "429": (429, {"Retry-After": "1"}, b'{"error":"too many requests"}'),
    "500": (500, {}, b'{"error":"engine: internal"}'),
    "503": (503, {"Retry-After": "1"}, b'{"error":"unavailable"}'),
    "timeout": (408, {}, b'{"error":"timeout"}'),
}
# cut-before: nothing reaches the store; cut-inside: half of the request does; cut-after: all of it, and nobody hears
# so; hang: no answer for two seconds, and then the connection ends
KINDS = (*ANSWERS, "partial", "cut-before", "cut-inside", "cut-after", "hang")
HANG_S = 2.0


class BadStore(TcpServer):
    """An HTTP proxy before InfluxDB. faults: kinds for the next writes, one each; met counts those that happened.

    A partial write has happened when the store says so: one that was down took nothing in part.
    """

    def __init__(self, *, to: int) -> None:
        super().__init__()
        self.faults: deque[str] = deque()
        self.met: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._to = to

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await self._one(reader, writer):
            await writer.drain()
        writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A request; False: this connection ends."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        fault = None
        # an empty write asks only whether the store is there
        if head.startswith(b"POST /write") and body and self.faults:
            fault = self.faults.popleft()
            self.met[fault] += fault != "partial"
        if fault in ANSWERS:
            writer.write(_answer(fault))
            return True
        if fault == "partial":
            head, body = _poisoned(head, body)
        elif fault == "hang":
            await asyncio.sleep(HANG_S)
            return False
        elif fault == "cut-before":
            return False
        answer = await self._forward(head, body[: len(body) // 2] if fault == "cut-inside" else body, fault)
        if (fault is not None and fault.startswith("cut")) or answer is None:
            return False
        self.met["partial"] += fault == "partial" and PARTIAL in answer
        writer.write(answer)
        return True

    async def _forward(self, head: bytes, body: bytes, fault: str | None) -> bytes | None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            return None
        try:
            writer.write(head + body)
            if fault == "cut-inside":
                await writer.drain()
                return None
            found = await reader.readuntil(b"\r\n\r\n")
            if b"transfer-encoding: chunked" in found.lower():
                return found + await reader.readuntil(b"0\r\n\r\n")
            return found + await reader.readexactly(_length(found))
        except (OSError, EOFError):
            return None
        finally:
            writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _poisoned(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    packed = b"content-encoding: gzip" in head.lower()
    text = (gzip.decompress(body) if packed else body) + POISON
    poisoned = gzip.compress(text) if packed else text
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    lines.insert(1, b"Content-Length: %d" % len(poisoned))
    return b"\r\n".join(lines), poisoned


def _answer(kind: str) -> bytes:
    status, headers, body = ANSWERS[kind]
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} x\r\n{told}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
