"""ONVIF as far as a camera's health and two commands need it: operations OUT, values IN.

Sources: ONVIF Core, Media and PTZ service specifications (WSDL ver10/device, ver10/media, ver20/ptz). The stream itself
is RTSP (`rtsp`). Items of a profile:

    reachable      the ONVIF service answers, be it with a refusal
    answer_ms      its answer time to GetSystemDateAndTime
    clock_skew_s   its clock minus ours, whole seconds: it tells no fractions
    maker, model, firmware, serial   GetDeviceInformation, texts
    stream_alive   RTSP DESCRIBE of its first profile gave a video stream
    stream_ms      time from opening that connection to the description

and of a command: goto_preset (the preset's token) and reboot.
"""

import datetime
import email.utils
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from protocols import head, rtsp, soap
from protocols.errors import BadAnswer, Refused
from protocols.soap import child, local, text

Raw = int | float | bool | str | bytes

DEVICE_PATH = "/onvif/device_service"  # the one address that every device has (Core, 5.1.1)
INFORMATION = {"maker": "Manufacturer", "model": "Model", "firmware": "FirmwareVersion", "serial": "SerialNumber"}
ITEMS = ("reachable", "answer_ms", "clock_skew_s", *INFORMATION, "stream_alive", "stream_ms")
COMMANDS = ("goto_preset", "reboot")
MOST_TOKEN = 64  # tt:ReferenceToken (ONVIF schema)

_NAMESPACES = {
    "device": "http://www.onvif.org/ver10/device/wsdl",
    "media": "http://www.onvif.org/ver10/media/wsdl",
    "ptz": "http://www.onvif.org/ver20/ptz/wsdl",
}
_SCHEMA = "http://www.onvif.org/ver10/schema"
_MOST_TEXT = 100


@dataclass(frozen=True)
class Operation:
    """One request: which service it goes to, and its XML."""

    service: str
    name: str
    inner: str = ""

    @property
    def action(self) -> str:
        return f"{_NAMESPACES[self.service]}/{self.name}"

    @property
    def body(self) -> str:
        return f'<{self.name} xmlns="{_NAMESPACES[self.service]}">{self.inner}</{self.name}>'


@dataclass(frozen=True)
class Profile:
    """One of a camera's media profiles."""

    token: str
    has_video: bool
    has_ptz: bool


GET_TIME = Operation("device", "GetSystemDateAndTime")
GET_INFORMATION = Operation("device", "GetDeviceInformation")
GET_SERVICES = Operation("device", "GetCapabilities", "<Category>All</Category>")
GET_PROFILES = Operation("media", "GetProfiles")
REBOOT = Operation("device", "SystemReboot")


def get_stream_uri(profile: str) -> Operation:
    """profile: its token."""
    setup = (
        f'<StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
        f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
    )
    return Operation("media", "GetStreamUri", f"{setup}<ProfileToken>{escape(profile)}</ProfileToken>")


def goto_preset(profile: str, preset: str) -> Operation:
    """profile, preset: their tokens. Raises ValueError where the preset's is none."""
    if not 0 < len(preset) <= MOST_TOKEN or not preset.isprintable():
        raise ValueError(f"a preset has 1 to {MOST_TOKEN} printable characters")
    tokens = f"<ProfileToken>{escape(profile)}</ProfileToken><PresetToken>{escape(preset)}</PresetToken>"
    return Operation("ptz", "GotoPreset", tokens)


def result(operation: Operation, document: bytes) -> Element:
    """The response's element. Raises Refused for a fault, BadAnswer where another operation is answered."""
    answer = soap.answer(document)
    if local(answer) != f"{operation.name}Response":
        raise BadAnswer("late", f"{head.printable(local(answer), 40)} answered {operation.name}")
    return answer


def device_time(answer: Element) -> int:
    """GetSystemDateAndTimeResponse -> seconds since 1970 UTC. Raises BadAnswer: some tell a local time only."""
    utc = child(answer, "SystemDateAndTime", "UTCDateTime")
    if utc is None:
        raise BadAnswer("header", "the camera tells no UTC time")
    year, month, day = (_number(child(utc, "Date", part)) for part in ("Year", "Month", "Day"))
    hour, minute, second = (_number(child(utc, "Time", part)) for part in ("Hour", "Minute", "Second"))
    if not 1970 <= year < 3000:
        raise BadAnswer("header", f"the camera's year is {year}")
    try:
        told = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.UTC)
    except ValueError as error:
        raise BadAnswer("header", f"the camera's time is none: {error}") from None
    return int(told.timestamp())


def skew(told: int, sent: float, received: float) -> int:
    """The camera's clock minus ours, in whole seconds.

    told: its seconds, which it cuts off; sent, received: ours, around the exchange. It read its clock about midway.
    """
    return round(told + 0.5 - (sent + received) / 2)


def information(answer: Element) -> dict[str, Raw]:
    """GetDeviceInformationResponse -> maker, model, firmware, serial, as far as they are told."""
    told = {item: head.printable(text(child(answer, tag)), _MOST_TEXT) for item, tag in INFORMATION.items()}
    return {item: words for item, words in told.items() if words}


def services(answer: Element) -> dict[str, str]:
    """GetCapabilitiesResponse -> the URL of each service that we use, as far as the camera has it."""
    tags = {"media": "Media", "ptz": "PTZ"}
    told = {service: text(child(answer, "Capabilities", tag, "XAddr")) for service, tag in tags.items()}
    return {service: url for service, url in told.items() if url}


def place(url: str, host: str, port: int) -> tuple[int, str]:
    """A service's URL as the camera tells it -> (port, path) on the host that the site names.

    The camera's host is not believed: behind address translation it is wrong, and a hostile one leads us elsewhere.
    """
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > rtsp.MOST_URI:
        raise BadAnswer("header", "a service's URL has characters that no URL has, or is too long")
    try:
        parts = urlsplit(url)
        told = parts.port or port
    except ValueError:
        raise BadAnswer("header", "a service's URL cannot be read") from None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return (told if parts.hostname == host.lower() else port), path if path.startswith("/") else DEVICE_PATH


def profiles(answer: Element) -> list[Profile]:
    """GetProfilesResponse -> the media profiles, in the camera's order: the first is usually its main stream."""
    found = []
    for below in answer:
        token = below.get("token", "")
        if local(below) == "Profiles" and 0 < len(token) <= MOST_TOKEN:
            tags = {local(part) for part in below}
            found.append(Profile(token, "VideoSourceConfiguration" in tags, "PTZConfiguration" in tags))
    return found


def stream_uri(answer: Element) -> str:
    """GetStreamUriResponse -> the RTSP URI, as told; it may hold credentials. Raises BadAnswer."""
    uri = text(child(answer, "MediaUri", "Uri"))
    if not uri:
        raise BadAnswer("header", "the camera tells no stream URI")
    return uri


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """One exchange -> its items. HTTP with SOAP, or RTSP, both with their heads. Raises BadAnswer.

    clock_skew_s needs our clock: the request's Date header, which the gateway really sends. Times are not in it.
    """
    asked, answered = _message(request), _message(response)
    if asked.status or not answered.status:
        raise BadAnswer("header", "an exchange is a request and its response")
    if " RTSP/1." in asked.reason:
        alive = rtsp.is_alive(answered) if asked.reason.startswith("DESCRIBE ") else None
        return {} if alive is None else {"stream_alive": alive}
    try:
        answer = soap.answer(answered.body)
    except Refused:
        return {"reachable": True}
    found: dict[str, Raw] = {"reachable": True}
    sent = _date(asked.one("date"))
    if local(answer) == "GetSystemDateAndTimeResponse" and sent is not None:
        found["clock_skew_s"] = device_time(answer) - sent
    return found | information(answer) if local(answer) == "GetDeviceInformationResponse" else found


def _message(written: bytes) -> head.Message:
    first, _, body = written.partition(b"\r\n\r\n")
    message = head.head(first[: head.MOST_HEAD])
    return head.Message(message.status, message.reason, message.headers, body)


def _date(written: str) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(written).timestamp())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _number(element: Element | None) -> int:
    digits = text(element)
    if not head.number(digits):
        raise BadAnswer("header", f"the camera's time has {head.printable(digits, 20)!r} where a number stands")
    return int(digits)
