"""An emulated device in this process, for whoever has none on the desk."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_profiles.schema import Profile
from pole.broker import Broker
from simulators.device import EmulatedDevice

PERIOD_S = 2.0  # between two messages of a device that speaks by itself
ADDRESSES = {
    "dlt645": "202600000001", "hj212": "510107MULTIPOLE000001", "ocpp": "CP-0001", "chirpstack": "24e124136b000001",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Where the emulated device is: keys of a bus, as a site file has them, and its address on it."""

    bus: dict[str, Any]
    address: str = ""


@contextlib.asynccontextmanager
async def emulated(
    profile: Profile, *, framing: str, unit: int, channel: int = 0, listen: str = ""
) -> AsyncIterator[Stand]:
    """A device of this profile that answers. listen: where a device that dials in finds us.

    Raises ValueError where the profile cannot be emulated.
    """
    address = ADDRESSES.get(profile.protocol, "")
    device = EmulatedDevice(
        profile=profile, pole="bench", name=profile.profile, unit=unit, address=address, channel=channel
    )
    with tempfile.TemporaryDirectory() as folder:
        port, bus = _stand(profile.protocol, device, framing, Path(folder), listen)
        async with port as running:
            found = bus(running)
            yield Stand(bus=found.get("bus", {}), address=found.get("address", address))


def _stand(protocol: str, device: EmulatedDevice, framing: str, folder: Path, listen: str) -> tuple[Any, Any]:
    """An emulator that is not started, and what turns the started one into a Stand's fields."""
    path = folder / "port"
    match protocol:
        case "modbus" if framing == "serial":
            from simulators.rtu_port import RtuPort

            settings = device.modbus
            serial = {"baud": settings.baud, "parity": settings.parity, "stop_bits": settings.stop_bits}
            port = RtuPort(path=path, devices=[device], **serial)  # type: ignore[arg-type]
            return port, lambda _: {"bus": {"port": str(path), **serial}}
        case "modbus":
            from simulators.rtu_over_tcp import RtuOverTcpPort
            from simulators.tcp_port import TcpPort

            kind = RtuOverTcpPort if framing == "rtu" else TcpPort
            return kind(devices=[device]), lambda tcp: {"bus": {"host": tcp.host, "port": tcp.port, "framing": framing}}
        case "dlt645":
            from simulators.dlt645_meter import Dlt645Port

            return Dlt645Port(path=path, devices=[device]), lambda _: {"bus": {"port": str(path)}}
        case "snmp":
            from simulators.snmp_agent import SnmpAgent

            return SnmpAgent(device=device), _reached
        case "onvif":
            from simulators.onvif_camera import OnvifCamera

            return OnvifCamera(device=device), _reached
        case "multivision":
            from simulators.multivision_screen import MultivisionScreen

            return MultivisionScreen(devices=[device]), _reached
        case "sip":
            from simulators.sip_intercom import SipIntercom

            return SipIntercom(device=device), _reached
        case "hj212":
            from simulators.hj212_station import Hj212Station

            host, _, number = listen.rpartition(":")
            every = dict.fromkeys(("2011", "2051", "2061"), PERIOD_S)
            return Hj212Station(devices=[device], host=host, port=int(number), every=every), lambda _: {}
        case "ocpp":
            from simulators.ocpp_charger import EmulatedCharger

            return EmulatedCharger(device=device, url=f"ws://{listen}", period_s=PERIOD_S), lambda _: {}
        case "chirpstack":
            return _chirpstack(device, folder)
    raise ValueError(f"there is no emulator of {protocol} that needs nothing else: try it against the real thing")


def _chirpstack(device: EmulatedDevice, folder: Path) -> tuple[Any, Any]:
    """ChirpStack's messages come through a broker, which is a real one of our own."""
    from simulators.chirpstack_events import ChirpstackEvents

    broker = Broker(folder=folder / "broker", passwords={"chirpstack": "chirpstack", "bench": "bench"})
    connect = {"hostname": "127.0.0.1", "port": broker.port, "username": "chirpstack", "password": "chirpstack"}
    secret = folder / "bench.password"
    secret.write_text("bench\n", encoding="utf-8")
    keys = {"broker": f"mqtt://127.0.0.1:{broker.port}", "user": "bench", "password_file": secret}
    events = ChirpstackEvents(devices=[device], connect=connect, period_s=PERIOD_S)
    return _through(broker, events), lambda _: {"bus": keys}


@contextlib.asynccontextmanager
async def _through(broker: Broker, events: Any) -> AsyncIterator[Any]:
    await asyncio.to_thread(broker.start)
    try:
        async with events:
            yield events
    finally:
        await asyncio.to_thread(broker.kill)


def _reached(port: Any) -> dict[str, Any]:
    return {"bus": {}, "address": f"{port.host}:{port.port}"}
