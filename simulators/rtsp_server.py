"""The stream's side of an emulated camera: RTSP OPTIONS and DESCRIBE on a loopback port, with Digest or Basic."""

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from protocols import digest, head, rtsp
from simulators.tcp_server import TcpServer

REALM = "IP Camera(E0001)"
PATH = "/Streaming/Channels/101"
SDP = (
    "v=0\r\no=- 1763683200 1 IN IP4 127.0.0.1\r\ns=Media Presentation\r\nt=0 0\r\na=control:*\r\n"
    "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
    "m=audio 0 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=control:trackID=2\r\n"
)


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the stream, switchable while it runs."""

    silent: bool = False
    status: int | None = None  # this status to every DESCRIBE
    no_video: bool = False  # a description with sound alone
    late: bool = False  # first an answer to the request before
    garbage: bool = False
    schemes: tuple[str, ...] = ("Digest",)  # what the camera asks for: Digest, Digest-SHA-256, Basic


class RtspServer(TcpServer):
    """alive, latency: the truth now. described: how often the stream was described to somebody."""

    def __init__(
        self,
        *,
        user: str,
        password: str,
        alive: Callable[[], bool],
        latency: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self.faults = Faults()
        self.described = 0
        self.requests: deque[str] = deque(maxlen=100)
        self._user = user
        self._password = password
        self._alive = alive
        self._latency = latency

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received, nonce = b"", secrets.token_hex(16)
        while part := await reader.read(4096):
            received += part
            while found := head.split(received):
                message, received = found
                self.requests.append(message.reason)
                if not self.faults.silent:
                    writer.write(await self._answer(message, nonce))
            await writer.drain()

    async def _answer(self, asked: head.Message, nonce: str) -> bytes:
        if self.faults.garbage:
            return b"\x00\x01\x02 no RTSP at all\r\n\r\n"
        sequence = rtsp.sequence(asked) or 0
        method, _, rest = asked.reason.partition(" ")
        before = _response(200, sequence - 1, "Public: OPTIONS\r\n") if self.faults.late else b""
        if method == "OPTIONS":
            return before + _response(200, sequence, "Public: OPTIONS, DESCRIBE\r\n")
        if method != "DESCRIBE":
            return before + _response(405, sequence)
        if self._user and not self._proves(asked, method, rest.rpartition(" ")[0], nonce):
            return before + _response(
                401, sequence, "".join(self._challenge(name, nonce) for name in self.faults.schemes)
            )
        await asyncio.sleep(self._latency())
        if self.faults.status or not self._alive() or PATH not in rest:
            return before + _response(self.faults.status or 404, sequence)
        self.described += 1
        sdp = SDP.replace("m=video", "m=application") if self.faults.no_video else SDP
        kind = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
        return before + _response(200, sequence, kind) + sdp.encode()

    def _challenge(self, scheme: str, nonce: str) -> str:
        if scheme == "Basic":
            return f'WWW-Authenticate: Basic realm="{REALM}"\r\n'
        algorithm = ', algorithm=SHA-256, qop="auth"' if scheme == "Digest-SHA-256" else ""
        return f'WWW-Authenticate: Digest realm="{REALM}", nonce="{nonce}"{algorithm}, stale="FALSE"\r\n'

    def _proves(self, asked: head.Message, method: str, uri: str, nonce: str) -> bool:
        told = asked.one("authorization")
        found = digest.challenges([told])
        if not found:
            return False
        if found[0].scheme == "basic":
            return "Basic" in self.faults.schemes and told == _basic(self._user, self._password)
        told_parts = found[0].parameters
        hashed = hashlib.sha256 if "Digest-SHA-256" in self.faults.schemes else hashlib.md5

        def of(*parts: str) -> str:
            return hashed(":".join(parts).encode()).hexdigest()

        middle = [told_parts.get(key, "") for key in ("nc", "cnonce", "qop")] if "qop" in told_parts else []
        wanted = of(of(self._user, REALM, self._password), nonce, *middle, of(method, uri))
        return told_parts.get("response") == wanted and told_parts.get("nonce") == nonce


def _basic(user: str, password: str) -> str:
    return digest.authorization(
        [digest.Challenge("basic")], user=user, password=password, method="", uri="", cnonce="", basic=True
    )


def _response(status: int, sequence: int, headers: str = "") -> bytes:
    reason = {200: "OK", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed"}.get(status, "Error")
    return f"RTSP/1.0 {status} {reason}\r\nCSeq: {sequence}\r\n{headers}\r\n".encode()
