"""Which codec reads what a protocol's devices say. Each is imported when it is needed: some stand on a library."""

from collections.abc import Callable, Mapping

from device_profiles import wired
from device_profiles.items import Raw
from protocols.errors import DeviceError

Items = Mapping[str, Raw | DeviceError]


def items_of(protocol: str) -> Callable[[bytes, bytes], Items]:
    """(what was sent, what came) -> every item in it. The function raises errors.BadAnswer."""
    match protocol:
        case "chirpstack":
            from protocols import chirpstack

            return chirpstack.items
        case "dlt645":
            from protocols import dlt645

            return dlt645.items
        case "hj212":
            from protocols import hj212

            return hj212.items
        case "multivision":
            from protocols import multivision

            return multivision.items
        case "ocpp":
            from protocols import ocpp

            return ocpp.items
        case "onvif":
            from protocols import onvif

            return onvif.items
        case "sip":
            from protocols import sip

            return sip.items
        case "snmp":
            from protocols import snmp

            return snmp.items
        case "wired":
            return wired.told
    raise ValueError(f"{protocol} has no codec")
