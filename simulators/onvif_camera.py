"""A camera on two loopback ports: ONVIF (SOAP over HTTP) and its stream's RTSP."""

import asyncio
import base64
import calendar
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from protocols import head, onvif, soap
from protocols.errors import BadAnswer
from simulators.device import EmulatedDevice
from simulators.rtsp_server import PATH, RtspServer
from simulators.tcp_server import TcpServer

WINDOW_S = 5.0  # how far the stamp of a password's proof may be from the camera's clock
PROFILES = ("Profile_1", "Profile_2")
_NAMES = (
    'xmlns:env="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tptz="http://www.onvif.org/ver20/ptz/wsdl" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"'
)
_PREFIXES = {"tds": (
    "GetSystemDateAndTime", "GetDeviceInformation", "GetCapabilities", "SystemReboot"
), "trt": ("GetProfiles", "GetStreamUri"), "tptz": ("GotoPreset",)}  # fmt: skip


class _Fault(Exception):
    """A SOAP fault: ONVIF's subcode, and a reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the camera, switchable while it runs."""

    silent: bool = False  # it takes requests and answers nothing
    garbage: bool = False  # HTTP, but no SOAP
    no_utc: bool = False  # it tells a local time alone, as some makers' do
    no_ptz: bool = False
    no_capabilities: bool = False  # it does not tell where its services are
    wants_password: bool = False  # even for its clock
    wants_http_digest: bool = False  # HTTP's own Digest instead of the password in the message


class OnvifCamera(TcpServer):
    """preset, reboots: what it was told. refused: proofs of the password that it did not take."""

    def __init__(
        self,
        *,
        device: EmulatedDevice,
        host: str = "127.0.0.1",
        port: int = 0,
        rtsp_port: int = 0,
        user: str = "admin",
        password: str = "",
    ) -> None:
        """user, password: what it asks for; an empty password: nothing."""
        super().__init__(host=host, port=port)
        self.device = device
        self.faults = Faults()
        self.rtsp = RtspServer(
            user=user if password else "", password=password, host=host, port=rtsp_port,
            alive=lambda: bool(self.device.raws().get("stream_alive", True)),
            latency=lambda: float(self.device.raws().get("stream_ms", 0)) / 1000,
        )  # fmt: skip
        self.preset = ""
        self.reboots = self.refused = 0
        self.dates: deque[str] = deque(maxlen=100)
        self._user = user
        self._password = password
        self._nonces: deque[str] = deque(maxlen=1000)

    def clock(self) -> float:
        """The camera's own time, seconds since 1970."""
        return time.time() + float(self.device.raws().get("clock_skew_s", 0))

    async def restore(self) -> None:
        await self.rtsp.restore()
        await super().restore()

    async def vanish(self) -> None:
        await self.rtsp.vanish()
        await super().vanish()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        while part := await reader.read(4096):
            received += part
            while found := head.split(received):
                asked, received = found
                if self.faults.silent or self.device.raws().get("reachable") is False:
                    continue
                await asyncio.sleep(float(self.device.raws().get("answer_ms", 0)) / 1000)
                writer.write(self._answer(asked))
                await writer.drain()

    def _answer(self, asked: head.Message) -> bytes:
        self.dates.append(asked.one("date"))
        if self.faults.garbage:
            return _http(200, "<html>It works!</html>")
        if self.faults.wants_http_digest and not asked.one("authorization"):
            challenge = 'WWW-Authenticate: Digest realm="camera", qop="auth", nonce="62fb10dacb7f08aa31fc"\r\n'
            return _http(401, "", challenge)
        try:
            operation, security = _opened(asked.body)
            return _http(200, _envelope(self._response(operation, security)))
        except _Fault as fault:
            code = f"<env:Value>ter:{fault.code}</env:Value>"
            return _http(400, _envelope(
                f"<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode>{code}</env:Subcode></env:Code>"
                f'<env:Reason><env:Text xml:lang="en">{escape(str(fault))}</env:Text></env:Reason></env:Fault>'
            ))  # fmt: skip

    def _response(self, operation: Element, security: Element | None) -> str:
        name = soap.local(operation)
        if self._password and (name != "GetSystemDateAndTime" or self.faults.wants_password):
            self._check(security)
        prefix = next((prefix for prefix, names in _PREFIXES.items() if name in names), None)
        hidden = (prefix == "tptz" and self.faults.no_ptz) or (
            name == "GetCapabilities" and self.faults.no_capabilities
        )
        if prefix is None or hidden:
            raise _Fault("ActionNotSupported", "Optional Action Not Implemented")
        inner = {
            "GetSystemDateAndTime": self._time,
            "GetDeviceInformation": self._information,
            "GetCapabilities": self._capabilities,
            "GetProfiles": self._profiles,
            "GetStreamUri": lambda: self._stream_uri(operation),
            "GotoPreset": lambda: self._goto(operation),
            "SystemReboot": self._reboot,
        }[name]()
        return f"<{prefix}:{name}Response>{inner}</{prefix}:{name}Response>"

    def _check(self, security: Element | None) -> None:
        token = soap.child(security, "UsernameToken") if security is not None else None
        user, told, nonce, created = (
            soap.text(soap.child(token, part)) if token is not None else ""
            for part in ("Username", "Password", "Nonce", "Created")
        )
        right = token is not None and user == self._user and nonce not in self._nonces
        right = right and told == soap.digest(base64.b64decode(nonce or "="), created, self._password)
        if not right or abs(_stamp(created) - self.clock()) > WINDOW_S:
            self.refused += token is not None
            raise _Fault("NotAuthorized", "Sender not Authorized")
        self._nonces.append(nonce)

    def _time(self) -> str:
        now = time.gmtime(self.clock())
        kind = "LocalDateTime" if self.faults.no_utc else "UTCDateTime"
        hour = f"<tt:Hour>{now.tm_hour}</tt:Hour><tt:Minute>{now.tm_min}</tt:Minute><tt:Second>{now.tm_sec}</tt:Second>"
        day = f"<tt:Year>{now.tm_year}</tt:Year><tt:Month>{now.tm_mon}</tt:Month><tt:Day>{now.tm_mday}</tt:Day>"
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
            f"<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone><tt:{kind}><tt:Time>{hour}</tt:Time>"
            f"<tt:Date>{day}</tt:Date></tt:{kind}></tds:SystemDateAndTime>"
        )

    def _information(self) -> str:
        raws = self.device.raws()
        told = {tag: escape(str(raws.get(item, ""))) for item, tag in onvif.INFORMATION.items()}
        return "".join(f"<tds:{tag}>{value}</tds:{tag}>" for tag, value in told.items())

    def _capabilities(self) -> str:
        # as behind address translation: the camera knows another host for itself than we do
        at = "http://192.168.1.64/onvif"
        ptz = "" if self.faults.no_ptz else f"<tt:PTZ><tt:XAddr>{at}/PTZ</tt:XAddr></tt:PTZ>"
        return (
            f"<tds:Capabilities><tt:Device><tt:XAddr>{at}/device_service</tt:XAddr></tt:Device>"
            f"<tt:Media><tt:XAddr>{at}/Media</tt:XAddr></tt:Media>{ptz}</tds:Capabilities>"
        )

    def _profiles(self) -> str:
        ptz = "" if self.faults.no_ptz else '<tt:PTZConfiguration token="PTZ_1"/>'
        return "".join(
            f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{token}</tt:Name>'
            f'<tt:VideoSourceConfiguration token="Video_1"/>{ptz}</trt:Profiles>'
            for token in PROFILES
        )

    def _stream_uri(self, operation: Element) -> str:
        if soap.text(soap.child(operation, "ProfileToken")) not in PROFILES:
            raise _Fault("NoProfile", "Profile not exist")
        uri = f"rtsp://admin:12345@192.168.1.64:{self.rtsp.port}{PATH}?transportmode=unicast"
        return f"<trt:MediaUri><tt:Uri>{escape(uri)}</tt:Uri><tt:Timeout>PT60S</tt:Timeout></trt:MediaUri>"

    def _goto(self, operation: Element) -> str:
        preset = soap.text(soap.child(operation, "PresetToken"))
        if soap.text(soap.child(operation, "ProfileToken")) not in PROFILES:
            raise _Fault("NoProfile", "Profile not exist")
        try:
            self.device.command("goto_preset", float(preset))
        except (ValueError, KeyError):
            raise _Fault("NoToken", "The requested preset does not exist") from None
        self.preset = preset
        return ""

    def _reboot(self) -> str:
        self.reboots += 1
        return "<tds:Message>Device is rebooting</tds:Message>"


def _opened(document: bytes) -> tuple[Element, Element | None]:
    try:
        root = soap.parsed(document)
    except BadAnswer as error:
        raise _Fault("WellFormed", str(error)) from None
    body = soap.child(root, "Body")
    if body is None or not len(body):
        raise _Fault("WellFormed", "no Body")
    return body[0], soap.child(root, "Header", "Security")


def _stamp(created: str) -> float:
    try:
        return calendar.timegm(time.strptime(created, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0.0


def _envelope(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope {_NAMES}><env:Body>{inner}</env:Body></env:Envelope>'


def _http(status: int, body: str, headers: str = "") -> bytes:
    reason = {200: "OK", 400: "Bad Request", 401: "Unauthorized"}[status]
    content = body.encode()
    return (
        f"HTTP/1.1 {status} {reason}\r\nServer: gSOAP/2.8\r\n{headers}"
        f"Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content
