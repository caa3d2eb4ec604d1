"""The side of an emulated charger that is asked: a central system's calls IN, the charger's answers and deeds OUT."""

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]
from ocpp.routing import after, on  # type: ignore[import-untyped]
from ocpp.v16 import ChargePoint, call_result  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

if TYPE_CHECKING:
    from simulators.ocpp_charger import EmulatedCharger

AWAY = (OCPPError, WebSocketException, OSError, TimeoutError)  # the central system is gone, or does not take it


class Point(ChargePoint):  # type: ignore[misc]
    """What the central system can ask of it."""

    def __init__(self, *, charger: "EmulatedCharger", socket: ClientConnection) -> None:
        quiet = logging.getLogger("multipole.emulated-charger")
        quiet.setLevel(logging.CRITICAL)
        super().__init__(charger.device.address, socket, response_timeout=10, logger=quiet)
        self._charger = charger

    def _yes(self, able: bool = True) -> str:
        return "Accepted" if able and not self._charger.faults.rejects else "Rejected"

    @on("RemoteStartTransaction")  # type: ignore[untyped-decorator]
    async def on_start(self, **_: Any) -> Any:
        return call_result.RemoteStartTransaction(self._yes(self._charger.device.value("status") == "Preparing"))

    @after("RemoteStartTransaction")  # type: ignore[untyped-decorator]
    async def after_start(self, id_tag: str, **_: Any) -> None:
        if not self._charger.faults.rejects:
            with contextlib.suppress(*AWAY):
                await self._charger.start(id_tag)

    @on("RemoteStopTransaction")  # type: ignore[untyped-decorator]
    async def on_stop(self, transaction_id: int, **_: Any) -> Any:
        return call_result.RemoteStopTransaction(self._yes(transaction_id == self._charger.session))

    @after("RemoteStopTransaction")  # type: ignore[untyped-decorator]
    async def after_stop(self, transaction_id: int, **_: Any) -> None:
        if transaction_id == self._charger.session and not self._charger.faults.rejects:
            with contextlib.suppress(*AWAY):
                await self._charger.stop("Remote")

    @on("SetChargingProfile")  # type: ignore[untyped-decorator]
    async def on_limit(self, cs_charging_profiles: dict[str, Any], **_: Any) -> Any:
        yes = self._yes()
        if yes == "Accepted":
            (period,) = cs_charging_profiles["charging_schedule"]["charging_schedule_period"]
            self._charger.take_limit(float(period["limit"]))
        return call_result.SetChargingProfile(yes)

    @on("GetCompositeSchedule")  # type: ignore[untyped-decorator]
    async def on_schedule(self, duration: int, **_: Any) -> Any:
        period = {"startPeriod": 0, "limit": self._charger.limit}
        schedule = {"duration": duration, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
        return call_result.GetCompositeSchedule("Accepted", connector_id=1, charging_schedule=schedule)

    @on("ChangeAvailability")  # type: ignore[untyped-decorator]
    async def on_availability(self, type: str, **_: Any) -> Any:
        if self._charger.faults.rejects:
            return call_result.ChangeAvailability("Rejected")
        return call_result.ChangeAvailability("Scheduled" if self._charger.session else "Accepted")

    @after("ChangeAvailability")  # type: ignore[untyped-decorator]
    async def after_availability(self, type: str, **_: Any) -> None:
        with contextlib.suppress(*AWAY):
            await self._charger.operate(type == "Operative")

    @on("ChangeConfiguration")  # type: ignore[untyped-decorator]
    async def on_configuration(self, key: str, value: str, **_: Any) -> Any:
        self._charger.configured[key] = value
        return call_result.ChangeConfiguration(self._yes())

    @on("UnlockConnector")  # type: ignore[untyped-decorator]
    async def on_unlock(self, **_: Any) -> Any:
        return call_result.UnlockConnector("UnlockFailed" if self._charger.faults.rejects else "Unlocked")

    @on("TriggerMessage")  # type: ignore[untyped-decorator]
    async def on_trigger(self, **_: Any) -> Any:
        return call_result.TriggerMessage(self._yes())

    @after("TriggerMessage")  # type: ignore[untyped-decorator]
    async def after_trigger(self, requested_message: str, **_: Any) -> None:
        told = {
            "BootNotification": self._charger.tell_boot,
            "MeterValues": self._charger.tell_meter,
            "StatusNotification": self._charger.tell_status,
        }
        with contextlib.suppress(*AWAY):
            await told[requested_message]()
