"""One SOAP request over HTTP: an ONVIF operation IN, the response's XML OUT. Bounded in time and in size.

The password travels as a digest only, in the message (WS-UsernameToken) and, where the camera asks for that, in HTTP
(RFC 7616); never readable.
"""

import asyncio
import email.utils
import secrets
import time
from dataclasses import dataclass

import httpx

from protocols import digest, soap
from protocols.errors import BadAnswer, LineDown, Refused, Timeout
from protocols.onvif import Operation


@dataclass(frozen=True, kw_only=True)
class Answer:
    """sent, received: our clock around the exchange, in seconds since 1970."""

    status: int
    challenges: tuple[str, ...]
    document: bytes
    sent: float
    received: float


class SoapClient:
    """Each request has a connection of its own: a late answer reaches nobody, and a camera's few places stay free."""

    def __init__(self, *, user: str, password: str, wait: float) -> None:
        """user: empty where the cameras ask for none. wait: seconds for one request, all of it."""
        self._user = user
        self._password = password
        self._wait = wait
        self._http = httpx.AsyncClient(
            trust_env=False,  # a proxy is for the internet, cameras are not
            verify=False,  # there is no TLS here, so no store of authorities is loaded
            timeout=None,  # the whole is bounded below, drips included
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "multipole", "Accept-Encoding": "identity", "Connection": "close"},
        )

    async def post(self, url: httpx.URL, operation: Operation, security: str = "", *, proving: bool = True) -> Answer:
        """proving: HTTP may ask for the password, and gets its digest.

        Raises Timeout, LineDown, BadAnswer, and Refused with the code soap.DENIED for user and password.
        """
        document = soap.envelope(operation.body, security)
        try:
            async with asyncio.timeout(self._wait):
                answer = await self._exchange(url, operation, document, "")
                if answer.status != 401 or not answer.challenges:
                    return answer
                proof = self._proof(answer.challenges, url, proving)
                answer = await self._exchange(url, operation, document, proof)
        except TimeoutError:
            raise Timeout(f"no answer to {operation.name} in {self._wait:g} s") from None
        except httpx.RemoteProtocolError as error:
            raise BadAnswer("header", f"no HTTP: {error}") from None
        except httpx.HTTPError as error:
            raise LineDown(f"{operation.name}: {error or type(error).__name__}") from None
        if answer.status == 401:
            raise Refused(soap.DENIED, "the device takes neither user nor password (HTTP Digest)")
        return answer

    async def close(self) -> None:
        await self._http.aclose()

    def _proof(self, challenges: tuple[str, ...], url: httpx.URL, proving: bool) -> str:
        if not proving:
            raise Refused(soap.DENIED, "the device asks for a password first")
        if not self._user:
            raise Refused(soap.DENIED, "the device asks for a user, and the bus has none")
        return digest.authorization(
            digest.challenges(challenges), user=self._user, password=self._password, method="POST",
            uri=url.raw_path.decode("ascii"), cnonce=secrets.token_hex(8),
        )  # fmt: skip

    async def _exchange(self, url: httpx.URL, operation: Operation, document: bytes, proof: str) -> Answer:
        headers = {
            "Content-Type": f'application/soap+xml; charset=utf-8; action="{operation.action}"',
            "Date": email.utils.formatdate(usegmt=True),  # a recorded exchange tells by it how far the clocks are apart
        }
        if proof:
            headers["Authorization"] = proof
        sent = time.time()
        async with self._http.stream("POST", url, content=document, headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > soap.MOST_BODY:
                    raise BadAnswer("length", f"an answer of more than {soap.MOST_BODY} bytes")
            return Answer(
                status=response.status_code,
                challenges=tuple(response.headers.get_list("www-authenticate")),
                document=bytes(body),
                sent=sent,
                received=time.time(),
            )
