"""An emulated charger: dials in to a central system and speaks OCPP 1.6J, with the client side of the `ocpp` library.

    Available --plug--> Preparing --start--> Charging --stop--> Finishing --unplug--> Available

What it tells is what its EmulatedDevice holds: the state machine pins the state, the current and the energy there.
"""

import asyncio
import base64
import contextlib
import datetime
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ocpp.v16 import call  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from simulators.device import EmulatedDevice
from simulators.ending import ended
from simulators.ocpp_point import AWAY, Point

CAR_A = 16.0  # what the emulated car draws where the limit allows it
NO_TAG = "LOCAL"
_UNITS = {"Energy": "Wh", "Power": "W", "Current": "A", "Voltage": "V"}


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the charger, switchable while it runs. All false: it works."""

    silent: bool = False  # connected, but says nothing by itself
    garbage: bool = False  # a text that is no OCPP before each message
    rejects: bool = False  # every command


class EmulatedCharger:
    """period_s: between meter values and heartbeats. plugged: a car is there from the start."""

    def __init__(
        self,
        *,
        device: EmulatedDevice,
        url: str,
        password: str = "",
        period_s: float = 10.0,
        plugged: bool = True,
    ) -> None:
        self.device = device
        self.faults = Faults()
        self.limit = 32.0
        self.configured: dict[str, str] = {}
        self.dialled = 0
        self._url = f"{url}/{device.address}"
        self._headers = {"Authorization": f"Basic {_basic(device.address, password)}"} if password else {}
        self._period_s = period_s
        self._tasks: list[asyncio.Task[None]] = []
        self._point: Point | None = None
        self._session = 0
        self._available = True
        self._turned_at = 0.0
        self._phases = 3 if "current_l1" in device.points else 1
        self._hold("max_current", self.limit)
        self._become("Preparing" if plugged else "Available")

    async def restore(self) -> None:
        """The charger has power and network: it dials in until it is heard."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._dial(), name=f"charger {self.device.address}")]

    async def vanish(self) -> None:
        """Its network is gone. What it holds stays."""
        tasks, self._tasks = self._tasks, []
        await ended(*tasks)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def plug(self) -> None:
        """A car comes."""
        self._become("Preparing")
        await self.tell_status()

    async def unplug(self) -> None:
        """It goes; a session that runs ends."""
        await self.stop("EVDisconnected")
        self._become("Available")
        await self.tell_status()

    async def follow(self, *, plugged: bool, charging: bool) -> None:
        """What drivers do: a car is there or not, and takes power or does not."""
        status = self.device.value("status")
        with contextlib.suppress(*AWAY):  # what it could not tell, it tells with its next status
            if plugged and status == "Available":
                await self.plug()
            elif not plugged and status in ("Preparing", "Charging", "Finishing"):
                await self.unplug()
            if charging and not self._session:
                await self.start()
            elif not charging:
                await self.stop()

    async def fail(self, error: str) -> None:
        """It breaks, with one of OCPP's error codes; NoError mends it."""
        await self.stop("Other")
        self._hold("error", error)
        self._become("Available" if error == "NoError" else "Faulted")
        await self.tell_status()

    async def start(self, tag: str = NO_TAG) -> None:
        """A session begins, as with a card at the charger."""
        if self._session or self.device.value("status") != "Preparing" or self._point is None:
            return
        answer = await self._point.call(
            call.StartTransaction(connector_id=1, id_tag=tag, meter_start=self._energy_wh(), timestamp=_now())
        )
        if answer is None:  # refused
            return
        self._session = answer.transaction_id
        self._become("Charging")
        await self.tell_status()
        await self.tell_meter()

    async def stop(self, reason: str = "Local") -> None:
        """The session that runs ends."""
        if not self._session or self._point is None:
            return
        session, self._session = self._session, 0
        self._become("Finishing")
        await self._point.call(
            call.StopTransaction(transaction_id=session, meter_stop=self._energy_wh(), timestamp=_now(), reason=reason)
        )
        await self.tell_status()
        await self.tell_meter()

    async def tell_meter(self) -> None:
        """One MeterValues of all that it measures."""
        self._turn()
        told = {"timestamp": _now(), "sampled_value": self._samples()}
        session = {"transaction_id": self._session} if self._session else {}
        if self._point is not None:
            await self._point.call(call.MeterValues(connector_id=1, meter_value=[told], **session))

    def take_limit(self, limit: float) -> None:
        """The current that it allows from now on."""
        self._turn()
        self.limit = limit
        self._hold("max_current", limit)
        self._turn()

    async def operate(self, operative: bool) -> None:
        """Into service, or out of it once no session runs."""
        self._available = operative
        if not self._session:
            self._become("Available" if operative else "Unavailable")
            await self.tell_status()

    @property
    def session(self) -> int:
        """The number of the session that runs, 0 where none does."""
        return self._session

    async def _dial(self) -> None:
        while True:
            with contextlib.suppress(*AWAY):
                async with connect(
                    self._url, subprotocols=[Subprotocol("ocpp1.6")], additional_headers=self._headers,
                    open_timeout=5, close_timeout=1, compression=None,
                ) as socket:  # fmt: skip
                    self.dialled += 1
                    await self._speak(socket)
            self._point = None
            await asyncio.sleep(0.2)

    async def _speak(self, socket: ClientConnection) -> None:
        """Until the connection ends: who waits for an answer does not notice that by itself."""
        self._point = Point(charger=self, socket=socket)
        listening = asyncio.create_task(self._point.start(), name="charger listens")
        telling = asyncio.create_task(self._tell(self._point, socket), name="charger tells")
        try:
            await asyncio.wait([listening, telling], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(listening, telling)

    async def _tell(self, point: Point, socket: ClientConnection) -> None:
        await self.tell_boot()
        await self.tell_status()
        await self.tell_meter()
        while True:
            await asyncio.sleep(self._period_s)
            if not self.faults.silent:
                if self.faults.garbage:
                    await socket.send('[2,"half a message')
                await point.call(call.Heartbeat())
                await self.tell_meter()

    async def tell_boot(self) -> None:
        """Who it is, as at its start."""
        if self._point is None:
            return
        await self._point.call(
            call.BootNotification(
                charge_point_model="Emulated", charge_point_vendor="Multipole",
                firmware_version=str(self.device.value("firmware")),
                charge_point_serial_number=str(self.device.value("serial_number")),
            )
        )  # fmt: skip

    async def tell_status(self) -> None:
        """The status of its connector."""
        if self._point is not None and not self.faults.silent:
            status, error = str(self.device.value("status")), str(self.device.value("error"))
            await self._point.call(
                call.StatusNotification(connector_id=1, error_code=error, status=status, timestamp=_now())
            )

    def _become(self, status: str) -> None:
        if status == "Available" and not self._available:
            status = "Unavailable"
        self._turn()
        self._hold("status", status)
        self._hold("charging", status == "Charging")
        self._hold("connected", status in ("Preparing", "Charging", "Finishing"))
        self._hold("fault", status == "Faulted")
        self._hold("transaction", self._session)
        self._turn()

    def _turn(self) -> None:
        """The meter's disk goes on: energy since the last look, and what is drawn now."""
        now = time.monotonic()
        if self._turned_at:
            grown = float(self.device.value("power") or 0) * (now - self._turned_at) / 3_600_000
            self._hold("energy_total", float(self.device.value("energy_total") or 0) + grown)
        self._turned_at = now
        current = min(self.limit, CAR_A) if self.device.value("status") == "Charging" else 0.0
        names = [f"current_l{n}" for n in (1, 2, 3)] if self._phases == 3 else ["current"]
        for name in names:
            self._hold(name, current)
        self._hold("power", 230.0 * current * self._phases)

    def _hold(self, point: str, value: float | bool | str) -> None:
        if point in self.device.points and self.device.value(point) != value:
            self.device.hold(point, value)

    def _energy_wh(self) -> int:
        self._turn()
        return round(float(self.device.value("energy_total") or 0) * 1000)

    def _samples(self) -> list[dict[str, str]]:
        samples = []
        for name, raw in self.device.raws().items():
            kind, _, measurand = name.partition(".")
            if kind != "meter":
                continue
            measurand, phase = (measurand[:-3], measurand[-2:]) if measurand[-3:-1] == ".L" else (measurand, "")
            sample = {"value": str(raw), "measurand": measurand, "unit": _UNITS[measurand.partition(".")[0]]}
            samples.append(sample | ({"phase": phase} if phase else {}))
        return samples


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
