"""Checks of a site that need more than one of its lines."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from device_profiles import bus_load, controller_checks, controller_part, node_checks, own_devices
from device_profiles.bus_plan import FULL
from device_profiles.bus_relief import ENOUGH, unit_name
from device_profiles.schema import Profile
from device_profiles.site_buses import AnyBus, LocalBus, SerialBus, UartBus, UplinkBus, WiredBus
from device_profiles.site_model import Device, Site
from device_profiles.wording import Fault, Keys, suggestion

PLAN = "`pole bus plan` with this file says what to change."
BUS_NAME_MOST = 60  # `bus-` and it are the name of a device
WORST_SHOWN = 3
HOLDERS_SHOWN = 4
KNOWN_SHOWN = 8
_PORT = r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
_HOST = (r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)" + _PORT, "a host, or host:port, as in 10.0.0.7:161")
_HOST_4 = (r"[A-Za-z0-9._-]+" + _PORT, "a host or an IPv4 address, with or without a port, as in 10.0.0.7:161")
_SCREEN = (_HOST[0] + r"(#\d{1,2})?", "a host, host:port, or host:port#id of a screen, as in 10.0.0.7:4010#02")
ADDRESSES = {  # protocol -> what an address is, as a pattern and in words
    "dlt645": (r"\d{12}", "the 12 digits of the meter's number"),
    "hj212": (r"[0-9A-Za-z_-]{1,40}", "a station's MN, at most 40 letters, digits, _ and -"),
    "snmp": _HOST_4, "onvif": _HOST, "multivision": _SCREEN, "sip": _HOST,
    "ocpp": (r"[A-Za-z0-9._*=:+|@-]{1,48}", "a charge point's identity, at most 48 characters"),
    "chirpstack": (r"[0-9A-Fa-f]{16}", "a DevEUI, 16 hexadecimal digits"),
}  # fmt: skip


def faults(site: Site, profiles: Mapping[str, Profile]) -> list[Fault]:
    """(key path, text) for each contradiction in a site that fits the schema."""
    return [
        *_names(site, profiles),
        *node_checks.faults(site),
        *_ports(site),
        *_devices(site, profiles),
        *_units(site, profiles),
        *controller_checks.faults(site, profiles),
    ]


def doubts(site: Site, profiles: Mapping[str, Profile]) -> list[Fault]:
    """(key path, text) for what is allowed but probably not meant; for a site without faults."""
    return [
        *_unused(site),
        *_busy(site, profiles),
        *_factory_settings(site, profiles),
        *controller_checks.doubts(site, profiles),
    ]


def overloads(site: Site, profiles: Mapping[str, Profile]) -> list[Fault]:
    """(key path, text) for each bus that cannot carry its polls, and each controller without room; for a site without
    faults.
    """
    full = [
        (("buses", name), f"the bus cannot carry its polls: they need {load:.0%} of its time. {worst} {PLAN}")
        for name, load, worst in _loads(site, profiles)
        if load > FULL
    ]
    return [*full, *controller_part.excess(site, profiles)]


def load_of(site: Site, bus: str, profiles: Mapping[str, Profile]) -> float:
    """The share of its time that a bus spends on polls."""
    return bus_load.load(bus_load.polled(site.devices_on(bus), profiles, site.buses[bus].line))


def _names(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """A name that is not there is one mistake, however often it is used: it stands at its first use."""
    on_buses = [name for name, profile in profiles.items() if profile.protocol != "gateway"]
    known: dict[str, Collection[str]] = {
        "pole": site.poles, "gateway": site.gateways, "controller": site.controllers, "bus": site.buses,
        "profile": on_buses,
    }  # fmt: skip
    used: dict[tuple[str, str], list[Keys]] = {}
    for keys, what, name in _uses(site):
        if name not in known[what]:
            used.setdefault((what, name), []).append(keys)
    for (what, name), places in used.items():
        again = f" It stands in {len(places)} places." if len(places) > 1 else ""
        if what == "profile":
            yield places[0], _no_profile(name, profiles, on_buses) + again
        else:
            yield places[0], f"'{name}' is not a {what} of this file.{_near(name, known[what])}{again}"
    for name, bus in site.buses.items():
        if bus.owner is None and len(site.gateways) != 1:
            yield ("buses", name), f"gateway is missing. {_whose(site)}"


def _whose(site: Site) -> str:
    if not site.gateways:
        return f"This file has none: give the bus a controller, one of {', '.join(site.controllers)}."
    return f"There are several: say which of {', '.join(site.gateways)}."


def _uses(site: Site) -> Iterator[tuple[Keys, str, str]]:
    """Where in the file a name is used, what it should be, and the name."""
    for node, gateway in site.gateways.items():
        yield ("gateways", node, "pole"), "pole", gateway.pole
    for node, controller in site.controllers.items():
        yield ("controllers", node, "pole"), "pole", controller.pole
        if controller.through is not None:
            yield ("controllers", node, "through"), "bus", controller.through
    for name, bus in site.buses.items():
        if bus.owner is not None:
            kind = "controller" if isinstance(bus, LocalBus) else "gateway"
            yield ("buses", name, kind), kind, bus.owner
    for index, device in enumerate(site.devices):
        for what in ("pole", "bus", "profile"):
            yield ("devices", index, what), what, getattr(device, what)


def _no_profile(name: str, profiles: Iterable[str], on_buses: Iterable[str]) -> str:
    if name in profiles:
        return f"'{name}' is not on a bus: a node adds its own device by itself. Delete this device."
    return f"'{name}' is not a known profile.{suggestion(name, on_buses)} `pole profile list` shows all."


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return suggestion(name, names) or (
        f" Known are {', '.join(names[:KNOWN_SHOWN])}." if names else " There is none yet."
    )


def _ports(site: Site) -> Iterator[Fault]:
    taken: dict[tuple[str, str], str] = {}
    for name, bus in site.buses.items():
        node = site.node_of(name)
        if bus.end is None:
            continue
        if (node, bus.end) in taken:
            key = next(key for key in ("host", "listen", "port", "uart") if getattr(bus, key, None) is not None)
            first = taken[node, bus.end]
            remedy = "Put the devices of both on one bus."
            if _spoken(bus) != _spoken(site.buses[first]):
                remedy = f"One speaks {_spoken(site.buses[first])}, the other {_spoken(bus)}: give each its own."
            yield ("buses", name, key), f"'{bus.end}' is already the bus {first} of {node}. {remedy}"
        taken.setdefault((node, bus.end), name)


def _spoken(bus: AnyBus) -> str:
    return str(bus.protocol)  # type: ignore[attr-defined]  # each kind of bus has its own


def _devices(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    named: dict[str, int] = {}
    own = {each.id: each.what for each in own_devices.of_all(site)}
    for name in site.buses:
        if len(name) > BUS_NAME_MOST:
            text = f"'{name}' has {len(name)} characters, and a bus's name at most {BUS_NAME_MOST}. Shorten it."
            yield ("buses", name), text
    for index, device in enumerate(site.devices):
        if device.id in named:
            first = f"devices[{named[device.id]}]"
            yield (
                ("devices", index, "device"),
                f"'{device.id}' is already {first}. Give each device of a pole its own name.",
            )
        named.setdefault(device.id, index)
        if device.id in own:
            yield (
                ("devices", index, "device"),
                f"'{device.device}' is {own[device.id]} on this pole. Choose another name.",
            )
        bus = site.buses.get(device.bus)
        if bus is not None and device.profile in profiles:
            yield from _place(site, index, device, bus, profiles[device.profile])
        if device.profile in profiles:
            yield from _channel(index, device, profiles[device.profile])


def _place(site: Site, index: int, device: Device, bus: AnyBus, profile: Profile) -> Iterator[Fault]:
    """A device stands on a bus that speaks its protocol, at a unit (Modbus) or an address."""
    spoken = _spoken(bus)
    if profile.protocol not in (spoken, "gateway"):
        text = (
            f"{profile.profile} speaks {profile.protocol}, but {device.bus} is a bus of {spoken}. Choose another bus."
        )
        yield ("devices", index, "bus"), f"{text} {_hangs(bus, profile)}".rstrip()
        return
    if isinstance(bus, WiredBus):
        yield from controller_checks.wired(site, index, device, bus, profile)
        return
    yield from controller_checks.not_wired(index, device)
    wanted, unwanted = ("unit", "address") if spoken == "modbus" else ("address", "unit")
    if getattr(device, unwanted) is not None:
        yield ("devices", index, unwanted), f"a device of {spoken} has no {unwanted}. Write its {wanted} instead."
    elif getattr(device, wanted) is None:
        yield ("devices", index), f"{wanted} is missing. It says where the device answers on {device.bus}."
    elif isinstance(bus, SerialBus | UartBus) and device.unit is not None and not 1 <= device.unit <= 247:
        yield ("devices", index, "unit"), f"{device.unit} is out of range: a unit id on a serial line is 1 to 247."
    elif device.address is not None and (rule := ADDRESSES.get(spoken)) and not re.fullmatch(rule[0], device.address):
        yield ("devices", index, "address"), f"'{device.address}' is not {rule[1]}."


def _hangs(bus: AnyBus, profile: Profile) -> str:
    """What may hang there, where the protocol's name does not say it."""
    if isinstance(bus, UplinkBus):
        return "This one carries the packs of controllers, and has no devices."
    if isinstance(bus, LocalBus):
        return (
            "A controller reads Modbus RTU on its UARTs, and wired devices on its pins; all others hang on a gateway."
        )
    return "A wired device hangs on the pins of a controller." if profile.protocol == "wired" else ""


def _channel(index: int, device: Device, profile: Profile) -> Iterator[Fault]:
    channels = profile.modbus.channels if profile.modbus else 1
    given = "channel" in device.model_fields_set
    if channels == 1 and given:
        yield ("devices", index, "channel"), f"{profile.profile} has no channels. Delete this key."
    elif channels > 1 and not given:
        text = f"channel is missing. {profile.profile} has {channels} of them: say which, 0 to {channels - 1}."
        yield ("devices", index), text
    elif device.channel >= channels:
        text = f"{device.channel} is out of range: {profile.profile} has the channels 0 to {channels - 1}."
        yield ("devices", index, "channel"), text


def _units(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """One unit id or address on a bus is one device, unless it is one box with several channels."""
    holders: dict[tuple[str, str], list[tuple[int, Device]]] = {}
    for index, device in enumerate(site.devices):
        if isinstance(site.buses.get(device.bus), WiredBus):
            continue  # its place are pins
        if device.profile in profiles and not list(_channel(index, device, profiles[device.profile])):
            holders.setdefault((device.bus, device.where.lower()), []).append((index, device))
    for (bus, place), held in holders.items():
        if len({device.profile for _, device in held}) > 1 or not _has_channels(held[0][1], profiles):
            if len(held) > 1 and held[0][1].unit is None:
                yield _shared("address", place, bus, held, "Give each its own.")
            elif len(held) > 1:
                yield _shared("unit", place, bus, held, f"Unit {_free(site, bus)} is free.")
            continue
        channels: dict[int, list[tuple[int, Device]]] = {}
        for index, device in held:
            channels.setdefault(device.channel, []).append((index, device))
        for channel, both in channels.items():
            if len(both) > 1:
                yield _shared("channel", channel, bus, both, "Choose another channel or unit.")


def _has_channels(device: Device, profiles: Mapping[str, Profile]) -> bool:
    modbus = profiles[device.profile].modbus
    return modbus is not None and modbus.channels > 1


def _shared(key: str, number: object, bus: str, held: list[tuple[int, Device]], remedy: str) -> Fault:
    """One message for all devices that want one place on a bus; it stands at the second of them."""
    names = [f"devices[{index}] ({device.id}, {device.profile})" for index, device in held]
    more = f" and {len(names) - HOLDERS_SHOWN} more" if len(names) > HOLDERS_SHOWN else ""
    text = f"{number} on {bus} is claimed by {', '.join(names[:HOLDERS_SHOWN])}{more}. {remedy}"
    return ("devices", held[1][0], key), text


def _free(site: Site, bus: str) -> int:
    used = {device.unit for device in site.devices_on(bus)}
    return next(unit for unit in range(1, 249) if unit not in used)


def _loads(site: Site, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, float, str]]:
    """Each bus with its load, and in words what takes most of it."""
    for name, bus in site.buses.items():
        devices = site.devices_on(name)
        units = sorted(bus_load.polled(devices, profiles, bus.line), key=lambda unit: -unit.load)
        worst = ", ".join(unit_name(unit) for unit in units[:WORST_SHOWN])
        yield name, bus_load.load(units), f"{len(devices)} devices, most by {worst}."


def _unused(site: Site) -> Iterator[Fault]:
    for name, bus in site.buses.items():
        if isinstance(bus, UplinkBus) and not site.controllers_on(name):
            yield ("buses", name), "no controller reaches its gateway through this bus."
        elif not isinstance(bus, UplinkBus) and not site.devices_on(name):
            yield ("buses", name), "no device is on this bus."
    for section, nodes in (("gateways", site.gateways), ("controllers", site.controllers)):
        for node in nodes:
            if not site.buses_of(node):
                yield (section, node), f"no bus belongs to this {section[:-1]}."
    poles: dict[str, str] = {}
    for name in site.poles:
        if name.lower() in poles:
            yield ("poles", name), f"differs from {poles[name.lower()]} only by capital letters."
        poles.setdefault(name.lower(), name)


def _busy(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    for name, load, worst in _loads(site, profiles):
        if load > ENOUGH:
            text = f"polls need {load:.0%} of the bus's time; little is left for repeats and commands. {worst} {PLAN}"
            yield ("buses", name), text


def _factory_settings(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    said: set[tuple[str, str]] = set()
    for index, device in enumerate(site.devices):
        bus, modbus = site.buses[device.bus], profiles[device.profile].modbus
        if not isinstance(bus, SerialBus | UartBus) or modbus is None or (device.bus, device.profile) in said:
            continue
        factory, here = (modbus.baud, modbus.parity, modbus.stop_bits), (bus.baud, bus.parity, bus.stop_bits)
        if factory != here:
            said.add((device.bus, device.profile))
            text = f"{device.profile} leaves the factory with {_settings(*factory)}, but {device.bus} has "
            yield ("devices", index, "profile"), text + f"{_settings(*here)}. Set the device before you connect it."


def _settings(baud: int, parity: str, stop_bits: int) -> str:
    return f"{baud} 8{parity[0].upper()}{stop_bits}"
