"""What a charger can be told, as OCPP 1.6 calls: an item's name and a raw value IN, the charger's consent OUT.

A session that was started or stopped from afar is done when the charger tells its start or its end; its mere
acceptance only says that it will try (OCPP 1.6, 5.11 and 5.12).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ocpp.v16 import call  # type: ignore[import-untyped]
from ocpp.v16.enums import AvailabilityType, ChargingRateUnitType, ResetType  # type: ignore[import-untyped]

from gateway.heard.ocpp_station import Station
from protocols import ocpp
from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

Raw = int | float | bool | str | bytes
Before = Callable[[], None]  # called before the first call leaves; what it raises stops that

FOLLOW_S = 15.0  # from the consent to the session's start or end: cable lock, handshake with the car
PROFILE = {"charging_profile_id": 1, "stack_level": 0}
SCHEDULE_S = 60  # of the schedule that is asked back
_SLACK_A = 0.05  # limits have one decimal (OCPP 1.6, 7.14)


async def carry_out(
    station: Station,
    item: str,
    raw: Raw | None,
    *,
    follow_s: float = FOLLOW_S,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Returns when the charger did it. Raises DeviceError, Refused where the charger or OCPP does not allow it."""
    connector, what = ocpp.split(item)
    action = _ACTIONS.get(what)
    if action is None:
        raise Refused(0, f"a charger takes {', '.join(sorted(_ACTIONS))}; not {what[:64]}")
    await action(station, connector, raw, follow_s, before)


async def _remote_start(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    if connector == 0:
        raise Refused(0, "a session starts on a connector, from 1")
    await _consent(station, before, call.RemoteStartTransaction(id_tag="MULTIPOLE", connector_id=connector), "Accepted")
    if not await station.until(lambda memory: memory.transaction(connector) > 0, follow_s):
        raise Timeout(f"accepted, but no session began within {follow_s:g} s: is a vehicle plugged in?")


async def _remote_stop(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    number = station.memory.transaction(connector)
    if not number:
        raise Refused(0, f"no session runs on connector {connector}")
    await _consent(station, before, call.RemoteStopTransaction(transaction_id=number), "Accepted")
    if not await station.until(lambda memory: memory.transaction(connector) != number, follow_s):
        raise Timeout(f"accepted, but the session did not end within {follow_s:g} s")


async def _current_limit(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    limit = round(_number(raw), 1)
    purpose = "TxDefaultProfile" if connector else "ChargePointMaxProfile"
    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": limit}]}
    profile = {
        **PROFILE,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Absolute",
        "charging_schedule": schedule,
    }
    await _consent(
        station, before, call.SetChargingProfile(connector_id=connector, cs_charging_profiles=profile), "Accepted"
    )
    in_force = await _schedule(station, connector)
    station.learn({ocpp.item(connector, "current_limit"): limit if in_force is None else in_force})
    if in_force is not None and in_force > limit + _SLACK_A:
        raise Refused(0, f"{limit:g} A accepted, but the charger's own schedule says {in_force:g} A")


async def _schedule(station: Station, connector: int) -> float | None:
    """The limit that the charger says is in force, in A; None where it does not say."""
    unit = ChargingRateUnitType.amps
    try:
        answer = await station.ask(
            call.GetCompositeSchedule(connector_id=connector, duration=SCHEDULE_S, charging_rate_unit=unit)
        )
        schedule = answer["chargingSchedule"]
        limit = schedule["chargingSchedulePeriod"][0]["limit"]
        return _number(limit) if schedule["chargingRateUnit"] == "A" else None
    except (DeviceError, LookupError, TypeError):
        return None


async def _availability(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    if not _number(raw) and station.memory.transaction(connector):
        await _remote_stop(station, connector, None, follow_s, before)  # else it would only be scheduled
        before = _begun
    kind = AvailabilityType.operative if _number(raw) else AvailabilityType.inoperative
    await _consent(station, before, call.ChangeAvailability(connector_id=connector, type=kind), "Accepted", "Scheduled")


async def _unlock(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    if connector == 0:
        raise Refused(0, "a connector is unlocked, from 1")
    await _consent(station, before, call.UnlockConnector(connector_id=connector), "Unlocked")


async def _reset(station: Station, connector: int, raw: Raw | None, follow_s: float, before: Before) -> None:
    await _consent(station, before, call.Reset(type=ResetType.soft), "Accepted")


def _begun() -> None:
    """What was begun in time is brought to its end."""


async def _consent(station: Station, before: Before, request: Any, *yes: str) -> None:
    answer = await station.ask(request, before)
    status = answer.get("status")
    if status not in yes:
        raise Refused(0, f"the charger answers {type(request).__name__} with {str(status)[:64]}")


def _number(raw: object) -> float:
    if not isinstance(raw, int | float) or not -1e9 < raw < 1e9:
        raise BadAnswer("header", f"{str(raw)[:64]!r} is no number")
    return float(raw)


_ACTIONS: dict[str, Callable[[Station, int, Raw | None, float, Before], Awaitable[None]]] = {
    "availability": _availability,
    "current_limit": _current_limit,
    "remote_start": _remote_start,
    "remote_stop": _remote_stop,
    "reset": _reset,
    "unlock": _unlock,
}
