"""Asks cameras how they are, and tells them to turn or to restart: ONVIF items and commands IN, raw values OUT.

Each call begins with the camera's clock, which needs no password and says whether it answers at all. The proof of the
password is stamped with that clock: a camera whose clock is wrong refuses any other.
"""

import asyncio
import datetime
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

import httpx

from gateway.asked import rtsp_probe
from gateway.asked.soap_client import Answer, SoapClient
from protocols import address as addresses
from protocols import onvif, rtsp, soap
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from protocols.onvif import Operation, Raw

WAIT_S = 4.0  # one request; a call has seven at most, so it ends within 28 s
HELD_S = 600.0  # after a refused password: many cameras lock the account after a few
KNOWN_S = 900.0  # how long the camera's services and its stream's URI are believed
STREAM = ("stream_alive", "stream_ms")


@dataclass(kw_only=True)
class _Camera:
    host: str
    port: int
    skew: float = 0.0  # its clock minus ours, seconds
    held_until: float = 0.0
    known_until: float = 0.0
    places: dict[str, httpx.URL] = field(default_factory=dict)  # service -> where
    profiles: list[onvif.Profile] = field(default_factory=list)
    stream: tuple[str, int] | None = None  # URI without credentials, port

    def forget(self) -> None:
        self.known_until, self.stream = 0.0, None


class OnvifAsker:
    one_by_one = False

    def __init__(
        self, *, user: str | None = None, password: str | None = None, basic: bool = False, wait: float = WAIT_S
    ) -> None:
        """basic: RTSP may send the password readable, to cameras that take nothing else."""
        self._user = user or ""
        self._password = password or ""
        self._basic = basic
        self._wait = wait
        self._soap = SoapClient(user=self._user, password=self._password, wait=wait)
        self._cameras: dict[str, _Camera] = {}

    async def ask(self, address: str, names: Sequence[str]) -> Mapping[str, Raw | DeviceError]:
        """Item -> raw, or what went wrong. Raises DeviceError where nothing came and `reachable` is not asked."""
        camera = self._camera(address)
        try:
            found = await self._greet(camera)
        except (Timeout, LineDown) as error:
            camera.forget()
            if "reachable" not in names:
                raise
            return {name: error for name in names if name in onvif.ITEMS} | {"reachable": False}
        parts: tuple[tuple[Sequence[str], Callable[[_Camera], Awaitable[Mapping[str, Raw | DeviceError]]]], ...] = (
            (tuple(onvif.INFORMATION), self._information),
            (STREAM, self._stream),
        )
        for items, part in parts:
            if not set(items).isdisjoint(names):
                try:
                    found |= await part(camera)
                except DeviceError as error:
                    found |= dict.fromkeys(items, error)
        return {name: found[name] for name in names if name in found}

    async def tell(
        self, address: str, name: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """goto_preset (raw: the preset's token, or the number that is it) or reboot. Raises DeviceError.

        before() is called when all is known that the command needs; what it raises stops it.
        """
        camera = self._camera(address)
        await self._greet(camera)
        if name == "reboot":
            before()
            await self._call(camera, onvif.REBOOT)
            camera.forget()
            return
        if name != "goto_preset":
            raise Refused(0, f"a camera knows {' and '.join(onvif.COMMANDS)}, not {name}")
        await self._learn(camera)
        try:
            operation = onvif.goto_preset(_profile(camera, "has_ptz").token, _token(raw))
        except ValueError as error:
            raise Refused(0, str(error)) from None
        before()
        await self._call(camera, operation)

    async def close(self) -> None:
        await self._soap.close()

    def _camera(self, address: str) -> _Camera:
        if address not in self._cameras:
            try:
                host, port = addresses.split(address, 80)
            except ValueError as error:
                raise LineDown(str(error)) from None
            self._cameras[address] = _Camera(host=host, port=port)
        return self._cameras[address]

    async def _greet(self, camera: _Camera) -> dict[str, Raw | DeviceError]:
        """reachable, answer_ms, clock_skew_s. Raises DeviceError where no ONVIF service answers."""
        started = time.monotonic()
        found: dict[str, Raw | DeviceError] = {"reachable": True}
        try:
            element, answer = await self._call(camera, onvif.GET_TIME, signed=False)
        except Refused:  # some makers want the password even here
            try:
                element, answer = await self._call(camera, onvif.GET_TIME)
            except Refused as error:
                return found | {"answer_ms": _since(started), "clock_skew_s": error}
        found["answer_ms"] = _since(started)
        try:
            found["clock_skew_s"] = skew = onvif.skew(onvif.device_time(element), answer.sent, answer.received)
            camera.skew = skew
        except BadAnswer as error:
            found["clock_skew_s"] = error
        return found

    async def _information(self, camera: _Camera) -> dict[str, Raw]:
        element, _ = await self._call(camera, onvif.GET_INFORMATION)
        return onvif.information(element)

    async def _stream(self, camera: _Camera) -> dict[str, Raw | DeviceError]:
        self._check_hold(camera)
        uri, port = await self._learned_stream(camera)
        started = time.monotonic()
        try:
            answer = await rtsp_probe.describe(
                host=camera.host, port=port, uri=uri, user=self._user, password=self._password, basic=self._basic,
                wait=self._wait,
            )  # fmt: skip
        except (Timeout, LineDown) as error:
            camera.forget()
            return {"stream_alive": False, "stream_ms": error}
        alive = rtsp.is_alive(answer)
        if alive is None:
            if answer.status == 401 and self._user:
                self._hold(camera)
            raise Refused(answer.status, f"RTSP {answer.status} {answer.reason}: nothing is known of the stream")
        if not alive:
            camera.forget()
            return {"stream_alive": False, "stream_ms": Timeout(f"no video: RTSP {answer.status} {answer.reason}")}
        return {"stream_alive": True, "stream_ms": _since(started)}

    async def _learned_stream(self, camera: _Camera) -> tuple[str, int]:
        await self._learn(camera)
        if camera.stream is None:
            operation = onvif.get_stream_uri(_profile(camera, "has_video").token)
            camera.stream = rtsp.place(onvif.stream_uri((await self._call(camera, operation))[0]))
        return camera.stream

    async def _learn(self, camera: _Camera) -> None:
        """Where the camera's services are, and its profiles."""
        now = asyncio.get_running_loop().time()
        if now < camera.known_until:
            return
        camera.forget()
        try:
            told = onvif.services((await self._call(camera, onvif.GET_SERVICES))[0])
        except Refused as error:
            if error.code == soap.DENIED:
                raise
            told = dict.fromkeys(("media", "ptz"), "")  # simple cameras answer everything at one address
        camera.places = {
            service: _url(camera.host, *onvif.place(url, camera.host, camera.port)) for service, url in told.items()
        }
        camera.profiles = onvif.profiles((await self._call(camera, onvif.GET_PROFILES))[0])
        camera.known_until = now + KNOWN_S

    async def _call(self, camera: _Camera, operation: Operation, signed: bool = True) -> tuple[Element, Answer]:
        """Raises DeviceError. After a refused password nothing signed leaves for some minutes."""
        security = ""
        if signed and self._user:
            self._check_hold(camera)
            security = self._security(camera)
        place = camera.places.get(operation.service)
        if place is None:
            if operation.service != "device":
                raise Refused(0, f"the camera has no {operation.service} service")
            place = _url(camera.host, camera.port, onvif.DEVICE_PATH)
        try:
            answer = await self._soap.post(place, operation, security, proving=signed)
            return _result(operation, answer), answer
        except Refused as error:
            if error.code == soap.DENIED and security:
                self._hold(camera)
            raise

    def _security(self, camera: _Camera) -> str:
        moment = datetime.datetime.fromtimestamp(time.time() + camera.skew, datetime.UTC)
        return soap.username_token(
            user=self._user, password=self._password, created=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            nonce=secrets.token_bytes(16),
        )  # fmt: skip

    def _hold(self, camera: _Camera) -> None:
        camera.held_until = asyncio.get_running_loop().time() + HELD_S

    def _check_hold(self, camera: _Camera) -> None:
        left = camera.held_until - asyncio.get_running_loop().time()
        if left > 0:
            text = f"user and password were refused; not sent again for {left:.0f} s, lest the camera lock the account"
            raise Refused(soap.DENIED, text)


def _result(operation: Operation, answer: Answer) -> Element:
    try:
        return onvif.result(operation, answer.document)
    except BadAnswer as error:
        if answer.status == 200:
            raise
        raise BadAnswer("header", f"HTTP {answer.status} to {operation.name}, {error}") from None


def _profile(camera: _Camera, wanted: str) -> onvif.Profile:
    if not camera.profiles:
        raise BadAnswer("header", "the camera tells no media profile")
    return next((profile for profile in camera.profiles if getattr(profile, wanted)), camera.profiles[0])


def _token(raw: Raw | None) -> str:
    if raw is None or isinstance(raw, bool | bytes):
        raise ValueError("a preset is a number or a text")
    return str(int(raw)) if isinstance(raw, int | float) else raw


def _url(host: str, port: int, path: str) -> httpx.URL:
    return httpx.URL(scheme="http", host=host, port=port, raw_path=path.encode("ascii"))


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
