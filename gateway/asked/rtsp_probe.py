"""Asks a camera to describe its stream: an RTSP URI IN, the answer OUT. None is set up. Bounded in time and size."""

import asyncio
import secrets

from protocols import digest, head, rtsp
from protocols.errors import BadAnswer, LineDown, Timeout

MOST_OTHERS = 16  # messages that are not our answer, before we give up


async def describe(
    *, host: str, port: int, uri: str, user: str, password: str, basic: bool, wait: float
) -> head.Message:
    """The answer to DESCRIBE, after the proof of a password where one is asked for.

    uri: without credentials. basic: the password may travel readable, where nothing else is offered. wait: seconds for
    all of it. Raises Timeout, LineDown, BadAnswer, and Refused where the camera asks for what we do not give.
    """
    try:
        async with asyncio.timeout(wait):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                answer = await _exchange(reader, writer, uri, 1, "")
                if answer.status != 401 or not user:
                    return answer
                proof = digest.authorization(
                    digest.challenges(answer.all("www-authenticate")), user=user, password=password, method="DESCRIBE",
                    uri=uri, cnonce=secrets.token_hex(8), basic=basic,
                )  # fmt: skip
                return await _exchange(reader, writer, uri, 2, proof)
            finally:
                writer.transport.abort()  # a camera that floods is not waited for
    except TimeoutError:
        raise Timeout(f"RTSP: no answer in {wait:g} s") from None
    except OSError as error:
        raise LineDown(f"RTSP: {error.strerror or error}") from None


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uri: str, sequence: int, proof: str
) -> head.Message:
    headers = {"Accept": "application/sdp", "User-Agent": "multipole"} | ({"Authorization": proof} if proof else {})
    writer.write(rtsp.request("DESCRIBE", uri, sequence, headers))
    await writer.drain()
    received, others = b"", 0
    while others < MOST_OTHERS:
        found = head.split(received)
        if found is None:
            part = await reader.read(4096)
            if not part:
                raise BadAnswer("short", f"RTSP: the connection ended after {len(received)} bytes")
            received += part
            continue
        message, received = found
        if message.status >= 200 and rtsp.sequence(message) in (sequence, None):
            return message
        others += 1  # an answer to something else, or a request of the camera's own
    raise BadAnswer("late", f"RTSP: {others} messages, and none answers")
