"""Which driver a bus of the site file gets. A protocol's library is imported by the gateway that needs it alone."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles import site_buses
from device_profiles.schema import Profile
from device_profiles.site_model import Device
from gateway.asked.polling import Asker, Polling
from gateway.driver import Driver, OnReadings
from gateway.heard.hearing import Durable, Hearing, Listener
from gateway.modbus.learned import Learned
from gateway.modbus.modbus_driver import ModbusDriver
from gateway.modbus.serial_line import SerialLine
from gateway.modbus.tcp_line import RtuOverTcpLine, TcpLine

if TYPE_CHECKING:
    from gateway.controllers.line import Line as ControllersLine
    from gateway.identity import Node


def driver(
    *,
    name: str,
    bus: site_buses.AnyBus,
    devices: Sequence[Device],
    profiles: Mapping[str, Profile],
    on_readings: OnReadings,
    now_ms: Callable[[], int],
    durable: Durable,
    log: Any,
    learned: Learned | None = None,
    controllers: "Callable[[], Mapping[int, Node]]" = dict,
) -> Driver:
    """The driver of one bus and its devices; nothing is opened yet. durable: see `hearing`; learned: kept nowhere
    where it is left out; controllers: who they are, on a line of theirs.
    """
    if isinstance(bus, site_buses.UplinkBus):
        from gateway.controllers.controllers_driver import ControllersDriver

        return ControllersDriver(
            name=name, line=controllers_line(bus), controllers=controllers(), now_ms=now_ms, log=log
        )  # fmt: skip
    common: dict[str, Any] = {
        "name": name, "devices": devices, "profiles": profiles, "on_readings": on_readings, "now_ms": now_ms,
        "log": log,
    }  # fmt: skip
    if isinstance(bus, site_buses.SerialBus | site_buses.TcpBus):
        return ModbusDriver(line=line(bus), dead_share=bus.dead_share, learned=learned or Learned(), **common)
    if isinstance(bus, site_buses.Hj212Bus | site_buses.OcppBus | site_buses.ChirpstackBus):
        known = {device.where.lower() for device in devices}
        return Hearing(listener=listener(bus, known), durable=durable, **common)
    return Polling(asker=asker(bus), **common)


def way(bus: site_buses.AnyBus) -> "SerialLine | TcpLine | ControllersLine | Listener | Asker":
    """What reaches the devices of a bus; nothing is opened yet. Raises ModuleNotFoundError."""
    match bus:
        case site_buses.SerialBus() | site_buses.TcpBus():
            return line(bus)
        case site_buses.UplinkBus():
            return controllers_line(bus)
        case site_buses.Hj212Bus() | site_buses.OcppBus() | site_buses.ChirpstackBus():
            return listener(bus)
    return asker(bus)


def line(bus: site_buses.SerialBus | site_buses.TcpBus) -> SerialLine | TcpLine:
    """The way to the Modbus devices of a bus; nothing is opened yet."""
    if isinstance(bus, site_buses.SerialBus):
        return SerialLine(port=bus.port, baud=bus.baud, parity=bus.parity, stop_bits=bus.stop_bits)
    kind = RtuOverTcpLine if bus.framing == "rtu" else TcpLine
    return kind(host=bus.host, port=bus.port)


def controllers_line(bus: site_buses.UplinkBus) -> "ControllersLine":
    """The way to the controllers of a bus; nothing is opened yet."""
    from gateway.controllers.line import Line

    return Line(port=bus.port, baud=bus.baud, parity=bus.parity, stop_bits=bus.stop_bits)


def asker(bus: site_buses.AnyBus) -> Asker:
    """What asks the devices of a bus; nothing is opened yet. Raises TypeError for a bus whose devices are not asked."""
    match bus:
        case site_buses.Dlt645Bus():
            from gateway.asked.dlt645_asker import Dlt645Asker

            return Dlt645Asker(port=bus.port, baud=bus.baud, parity=bus.parity, stop_bits=bus.stop_bits)
        case site_buses.SnmpBus():
            from gateway.asked.snmp_asker import SnmpAsker

            return SnmpAsker(
                version=bus.version, community=first_line(bus.community_file) or "public", user=bus.user,
                password=first_line(bus.password_file), privacy_password=first_line(bus.privacy_file), auth=bus.auth,
                cipher=bus.cipher,
            )  # fmt: skip
        case site_buses.OnvifBus():
            from gateway.asked.onvif_asker import OnvifAsker

            return OnvifAsker(user=bus.user, password=first_line(bus.password_file), basic=bus.rtsp_basic)
        case site_buses.MultivisionBus():
            from gateway.asked.multivision_asker import MultivisionAsker

            return MultivisionAsker()
        case site_buses.SipBus():
            from gateway.asked.sip_asker import SipAsker

            return SipAsker()
    raise TypeError(f"no driver for {type(bus).__name__}")


def listener(
    bus: site_buses.Hj212Bus | site_buses.OcppBus | site_buses.ChirpstackBus, known: Collection[str] | None = None
) -> Listener:
    """What hears the devices of a bus that speak by themselves; nothing is opened yet.

    known: addresses in small letters, where only these are to be heard and confirmed.
    """
    match bus:
        case site_buses.Hj212Bus():
            from gateway.heard.hj212_listener import Hj212Listener

            return Hj212Listener(
                listen=bus.listen, port=bus.port, baud=bus.baud, edition=bus.edition,
                password=first_line(bus.password_file), known=known,
            )  # fmt: skip
        case site_buses.OcppBus():
            from gateway.heard.ocpp_listener import OcppListener

            return OcppListener(listen=bus.listen, password=first_line(bus.password_file), known=known)
        case site_buses.ChirpstackBus():
            from gateway.heard.chirpstack_listener import ChirpstackListener

            return ChirpstackListener(
                broker=bus.broker, user=bus.user, password=first_line(bus.password_file), ca=bus.ca,
                application=bus.application, known=known,
            )  # fmt: skip


def first_line(path: Path | None) -> str | None:
    """The first line of a secret's file; None where there is no file to read."""
    return path.read_text(encoding="utf-8").partition("\n")[0].strip() if path else None
