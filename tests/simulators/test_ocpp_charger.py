"""The foreign central system is the `ocpp` library's own, which checks each message against OCPP's JSON schemas."""

import asyncio
import contextlib
import logging

import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import serve

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.ocpp_charger import CAR_A, EmulatedCharger

TIME = "2026-11-21T10:00:00Z"


class Central(ChargePoint):
    """Notes what a charger said; its library answers what breaks a schema with an error."""

    def __init__(self, socket, address):
        quiet = logging.getLogger("tests.central")
        quiet.setLevel(logging.CRITICAL)
        super().__init__(address, socket, response_timeout=20, logger=quiet)
        self.said = []
        self.broken = []

    async def _send(self, message):
        if message.startswith("[4"):
            self.broken.append(message)
        await super()._send(message)

    def of(self, name):
        return [more for said, more in self.said if said == name]

    @on("BootNotification")
    def on_boot(self, **more):
        self.said.append(("boot", more))
        return call_result.BootNotification(current_time=TIME, interval=60, status="Accepted")

    @on("Heartbeat")
    def on_heartbeat(self):
        self.said.append(("heartbeat", {}))
        return call_result.Heartbeat(current_time=TIME)

    @on("StatusNotification")
    def on_status(self, **more):
        self.said.append(("status", more))
        return call_result.StatusNotification()

    @on("MeterValues")
    def on_meter(self, **more):
        self.said.append(("meter", more))
        return call_result.MeterValues()

    @on("StartTransaction")
    def on_start(self, **more):
        self.said.append(("start", more))
        return call_result.StartTransaction(transaction_id=7, id_tag_info={"status": "Accepted"})

    @on("StopTransaction")
    def on_stop(self, **more):
        self.said.append(("stop", more))
        return call_result.StopTransaction()


@contextlib.asynccontextmanager
async def central_system():
    """(url, the charge points that dialled in)."""
    points, tasks = [], []

    async def handler(socket):
        points.append(Central(socket, socket.request.path))
        tasks.append(asyncio.current_task())
        with contextlib.suppress(Exception):
            await points[-1].start()

    async with serve(handler, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", points


def emulated(profile="ocpp16"):
    return EmulatedDevice(profile=loader.profiles()[profile], pole="P1", name="charger-1", address="CP-1")


async def until(true, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def values(point):
    """(measurand, phase) -> value, unit of the last MeterValues."""
    samples = point.of("meter")[-1]["meter_value"][0]["sampled_value"]
    return {(each["measurand"], each.get("phase", "")): (float(each["value"]), each["unit"]) for each in samples}


@pytest.mark.parametrize("profile", ["ocpp16", "ocpp16-3phase"])
def test_a_session_from_afar(profile):
    async def scenario():
        device = emulated(profile)
        async with central_system() as (url, points), EmulatedCharger(device=device, url=url, period_s=0.1) as charger:
            await until(lambda: points and points[0].of("meter"))
            (point,) = points
            assert point.of("boot")[0]["charge_point_serial_number"] == device.value("serial_number")
            assert point.of("status")[-1]["status"] == "Preparing"
            assert values(point)["Power.Active.Import", ""] == (0, "W")
            answer = await point.call(call.RemoteStartTransaction(id_tag="X", connector_id=1))
            assert answer.status == "Accepted"
            await until(lambda: point.of("status")[-1]["status"] == "Charging")
            assert point.of("start")[0]["id_tag"] == "X"
            await until(lambda: values(point)["Power.Active.Import", ""][0] > 0)
            phases = ("L1", "L2", "L3") if profile == "ocpp16-3phase" else ("",)
            assert values(point)["Power.Active.Import", ""] == (230 * CAR_A * len(phases), "W")
            assert all(values(point)["Current.Import", phase] == (CAR_A, "A") for phase in phases)
            assert point.of("meter")[-1]["transaction_id"] == charger.session == device.value("transaction") == 7
            again = await point.call(call.RemoteStartTransaction(id_tag="X", connector_id=1))
            wrong = await point.call(call.RemoteStopTransaction(transaction_id=8))
            assert (again.status, wrong.status) == ("Rejected", "Rejected")
            assert (await point.call(call.RemoteStopTransaction(transaction_id=7))).status == "Accepted"
            await until(lambda: point.of("status")[-1]["status"] == "Finishing")
            assert point.of("stop")[0]["reason"] == "Remote"
            assert point.of("stop")[0]["meter_stop"] >= point.of("start")[0]["meter_start"]
            assert point.broken == []

    asyncio.run(scenario())


def test_it_does_what_drivers_do():
    async def scenario():
        device = emulated()
        async with central_system() as (url, points), EmulatedCharger(device=device, url=url, plugged=False) as charger:
            await until(lambda: points and points[0].of("meter"))
            for plugged, charging, status in (
                (False, False, "Available"), (True, False, "Preparing"), (True, True, "Charging"),
                (True, True, "Charging"), (True, False, "Finishing"), (False, False, "Available"),
            ):  # fmt: skip
                await charger.follow(plugged=plugged, charging=charging)
                assert device.value("status") == status
                assert bool(charger.session) == charging
            assert len(points[0].of("start")) == len(points[0].of("stop")) == 1
            await charger.follow(plugged=True, charging=True)
            await charger.follow(plugged=False, charging=False)
            assert (device.value("status"), len(points[0].of("stop"))) == ("Available", 2)

    asyncio.run(scenario())


def test_a_limit_holds_and_is_told():
    async def scenario():
        device = emulated()
        async with central_system() as (url, points), EmulatedCharger(device=device, url=url, period_s=0.1) as charger:
            await until(lambda: points and points[0].of("status"))
            await charger.start()
            period = {"startPeriod": 0, "limit": 7.5}
            profile = {
                "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]},
            }  # fmt: skip
            asked = call.SetChargingProfile(connector_id=1, cs_charging_profiles=profile)
            assert (await points[0].call(asked)).status == "Accepted"
            await until(lambda: values(points[0])["Current.Import", ""][0] == 7.5)
            assert device.value("max_current") == 7.5
            told = await points[0].call(call.GetCompositeSchedule(connector_id=1, duration=60))
            assert told.charging_schedule["charging_schedule_period"][0]["limit"] == 7.5
            charger.faults.rejects = True
            assert (await points[0].call(asked)).status == "Rejected"
            assert points[0].broken == []

    asyncio.run(scenario())


def test_cars_come_and_go_and_it_breaks():
    async def scenario():
        device = emulated()
        async with central_system() as (url, points), EmulatedCharger(device=device, url=url, plugged=False) as charger:
            await until(lambda: points and points[0].of("status"))
            assert device.value("status") == "Available"
            await charger.plug()
            await charger.start()
            await charger.unplug()
            await charger.fail("GroundFailure")
            assert (device.value("fault"), device.value("error")) == (True, "GroundFailure")
            await charger.fail("NoError")
            said = [told["status"] for told in points[0].of("status")]
            assert said == ["Available", "Preparing", "Charging", "Finishing", "Available", "Faulted", "Available"]
            assert points[0].of("stop")[0]["reason"] == "EVDisconnected"

    asyncio.run(scenario())


def test_it_dials_again_and_again():
    async def scenario():
        async with central_system() as (url, points), EmulatedCharger(device=emulated(), url=url) as charger:
            await until(lambda: points)
            await points[0]._connection.close()
            await until(lambda: len(points) == 2)
            await charger.vanish()
            await asyncio.sleep(0.3)
            assert len(points) == 2
            await charger.restore()
            await until(lambda: len(points) == 3)
            charger.faults.silent = True

    asyncio.run(scenario())


def test_who_is_silent_says_nothing_by_itself():
    async def scenario():
        async with central_system() as (url, points):
            charger = EmulatedCharger(device=emulated(), url=url, period_s=0.05)
            async with charger:
                await until(lambda: points and points[0].of("heartbeat"))
                charger.faults.silent = True
                await asyncio.sleep(0.2)
                before = len(points[0].said)
                await asyncio.sleep(0.3)
                assert len(points[0].said) == before

    asyncio.run(scenario())
