"""What a node tells of its devices when it connects: the birth of wire.messages."""

from collections.abc import Iterable, Mapping

from device_profiles.announcement import Named, announced
from device_profiles.schema import Profile
from device_profiles.site_model import Site, bus_device

OWN_DEVICE = "gateway"  # the name of a gateway's own device on its pole
OWN_PROFILE = "gateway"
BUS_PROFILE = "bus"  # each bus is a device of the gateway's pole


def devices_of(site: Site, node: str) -> list[Named]:
    """The devices that the node polls, itself, and its buses."""
    devices = [(device.pole, device.device, device.profile) for device in site.devices_of(node)]
    return devices + own_devices(site, node)


def own_devices(site: Site, node: str) -> list[Named]:
    """What the node tells of itself."""
    pole = site.gateways[node].pole
    return [(pole, OWN_DEVICE, OWN_PROFILE), *((pole, bus_device(bus), BUS_PROFILE) for bus in site.buses_of(node))]


def birth(
    *,
    site: Site,
    node: str,
    profiles: Mapping[str, Profile],
    epoch: str,
    version: str,
    now_ms: int,
    former: Iterable[Named] = (),
) -> dict[str, object]:
    """former: devices that left the site while readings of theirs are still in the spool."""
    left = [device for device in former if device[2] in profiles]
    return {"ep": epoch, "version": version, "time": now_ms} | announced(devices_of(site, node), profiles, left)
