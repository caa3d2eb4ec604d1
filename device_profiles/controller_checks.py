"""Checks of a controller's hardware: its pins, who uses them, the wired devices on them, and its lamp."""

from collections.abc import Iterator, Mapping

from device_profiles import board_pins
from device_profiles.node_checks import unknown
from device_profiles.schema import Profile
from device_profiles.site_buses import UartBus, WiredBus
from device_profiles.site_controllers import HARDWARE, Controller
from device_profiles.site_model import HARDWARE_KEYS, Device, Site
from device_profiles.wording import Fault

PINS_OF = {"uarts": ("tx", "rx"), "i2cs": ("sda", "scl")}


def faults(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """(key path, text) for each contradiction in the controllers of a site that fits the schema."""
    for node, controller in site.controllers.items():
        for keys, text in _hardware(controller, _driven(site, node, profiles)):
            yield ("controllers", node, *keys), text
    yield from _uarts(site)
    yield from _shared(site, profiles)
    for node, controller in site.controllers.items():
        yield from _lamp(site, node, controller, profiles)


def doubts(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """(key path, text) for what is allowed but probably not meant; for a site without faults."""
    for node, controller in site.controllers.items():
        keys = ("controllers", node)
        used = _used(site, node, controller)
        for section in HARDWARE:
            for name in getattr(controller, section):
                if (section, name) not in used:
                    yield (*keys, section, name), f"nothing uses this {section[:-1]}."
        driven = _driven(site, node, profiles)
        for use in board_pins.uses(controller, driven):
            if controller.board == "esp32" and use.pin in board_pins.ESP32_STRAPPING and use.role in ("output", "pwm"):
                text = f"{use.pin} decides how an ESP32 starts, and moves while it does: {use.who} would too."
                yield (*keys, *use.keys), f"{text} 4, 13, 14, 16 to 19, 21 to 23, 25 to 27, 32 and 33 are free of that."
        if controller.broker is not None and controller.board in board_pins.PORTS and controller.ntp is None:
            yield keys, "ntp is missing: until somebody tells it the time, its readings wait on its disk."


def _hardware(controller: Controller, driven: set[str]) -> Iterator[Fault]:
    """Pins that are not there, cannot do what is asked, or have two users."""
    found = list(board_pins.uses(controller, driven))
    for use in found:
        if why := board_pins.refusal(controller, use):
            yield use.keys, why
    for later, earlier in board_pins.clashes(controller, found):
        yield later.keys, f"{later.pin} is already {earlier.who}. Give each its own pin."
    for name, pin in controller.pins.items():
        if controller.board == "esp32" and pin.pull != "none" and pin.pin in board_pins.ESP32_INPUTS:
            text = f"'{pin.pull}', but GPIO {pin.pin} has no pull resistors (34 to 39 have none)."
            yield ("pins", name, "pull"), f"{text} Solder one, and delete this key, or choose another pin."
    yield from _ports(controller)
    yield from board_pins.shared_pwms(controller)


def _ports(controller: Controller) -> Iterator[Fault]:
    for section, known in board_pins.PORTS.get(controller.board, {}).items():
        for name, held in getattr(controller, section).items():
            if held.port not in known:
                text = f"{held.port!r} is not a port of {controller.board}: it has {', '.join(map(str, known))}."
                yield (section, name, "port"), text
            for role in PINS_OF[section]:
                if getattr(held, role) is None:
                    yield (section, name), f"{role} is missing. It says at which pin of {controller.board} this is."
    for section in PINS_OF:
        taken: dict[int | str, str] = {}
        for name, held in getattr(controller, section).items():
            if controller.board == "linux" and isinstance(held.port, int):
                path = "/dev/ttyS1" if section == "uarts" else "/dev/i2c-1"
                yield (section, name, "port"), f"{held.port} is a number: on linux write the path, as in {path}."
            if held.port in taken and controller.board != "simulated":
                yield (section, name, "port"), f"{held.port!r} is already {taken[held.port]}. Give each its own port."
            taken.setdefault(held.port, name)


def _driven(site: Site, node: str, profiles: Mapping[str, Profile]) -> set[str]:
    """Names of pins that a device drives."""
    devices = [device for device in _known(site, node, profiles) if device.pin is not None]
    return {str(device.pin) for device in devices if profiles[device.profile].commands}


def _known(site: Site, node: str, profiles: Mapping[str, Profile]) -> list[Device]:
    """A controller's devices, those left out whose profile there is not."""
    return [device for device in site.devices_of(node) if device.profile in profiles]


def _used(site: Site, node: str, controller: Controller) -> set[tuple[str, str]]:
    used = {("uarts", bus.uart) for bus in site.buses_of(node).values() if isinstance(bus, UartBus)}
    if controller.uart is not None:
        used.add(("uarts", controller.uart))
    for device in site.devices_of(node):
        used |= {(f"{kind}s", name) for kind, name in device.hardware.items()}
    return used


def _uarts(site: Site) -> Iterator[Fault]:
    """A bus stands on a UART that there is, and not on the uplink's. Two buses on one are told with all other ports."""
    for name, bus in site.buses.items():
        controller = site.controllers.get(bus.owner or "")
        if not isinstance(bus, UartBus) or controller is None:
            continue
        if bus.uart not in controller.uarts:
            yield ("buses", name, "uart"), unknown(bus.uart, "uart", list(controller.uarts))
        elif bus.uart == controller.uart:
            yield ("buses", name, "uart"), f"'{bus.uart}' is the controller's uplink. Give the bus a uart of its own."


def _shared(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """One pin is one device's; chips on one I²C differ in their addresses."""
    taken: dict[tuple[str, ...], int] = {}
    for index, device in enumerate(site.devices):
        if not isinstance(site.buses.get(device.bus), WiredBus):
            continue
        node = site.node_of(device.bus)
        needs = profiles[device.profile].wired if device.profile in profiles else None
        for key, name in device.hardware.items():
            if needs is None or getattr(needs, key) is None:
                continue  # which is told by itself
            unit = address(device, profiles.get(device.profile)) if key == "i2c" else None
            place = (node, key, name, str(unit))
            if place in taken:
                first = site.devices[taken[place]]
                at = f" at the address 0x{unit:02X}" if unit is not None else ""
                text = f"'{name}' is already used by devices[{taken[place]}] ({first.id}){at}."
                remedy = "Give each chip an address of its own." if key == "i2c" else "Give each its own."
                yield ("devices", index, key), f"{text} {remedy}"
            taken.setdefault(place, index)


def address(device: Device, profile: Profile | None) -> int | None:
    """Where a chip answers on its I²C bus; None for what is none."""
    if device.unit is not None or profile is None or profile.wired is None:
        return device.unit
    return next(iter(profile.wired.addresses), None)


def wired(site: Site, index: int, device: Device, bus: WiredBus, profile: Profile) -> Iterator[Fault]:
    """A wired device names the hardware of its controller that its profile needs, and no other."""
    controller = site.controllers.get(bus.controller)
    needs = profile.wired
    if controller is None or needs is None:
        return
    for key in HARDWARE_KEYS:
        name, need = getattr(device, key), getattr(needs, key)
        known = list(getattr(controller, f"{key}s"))
        if name is None and need == "needed":
            hint = f" {bus.controller} has {', '.join(known)}." if known else f" Add one to {key}s of {bus.controller}."
            yield ("devices", index), f"{key} is missing. It says which {key} of {bus.controller} this is.{hint}"
        elif name is not None and need is None:
            wanted = ", ".join(each for each in HARDWARE_KEYS if getattr(needs, each) is not None)
            yield ("devices", index, key), f"{profile.profile} uses no {key}, but {wanted}. Delete this key."
        elif name is not None and name not in known:
            yield ("devices", index, key), unknown(name, key, known)
    yield from _address(index, device, profile)
    if device.address is not None:
        yield ("devices", index, "address"), "a wired device has no address. Delete it."


def _address(index: int, device: Device, profile: Profile) -> Iterator[Fault]:
    addresses = profile.wired.addresses if profile.wired is not None else ()
    if device.unit is None or device.unit in addresses:
        return
    known = ", ".join(f"0x{each:02X}" for each in addresses)
    text = f"{profile.profile} has no address 0x{device.unit:02X}. It has {known}." if known else "a wired device has"
    yield ("devices", index, "unit"), text if known else f"{text} no unit. Delete it."


def not_wired(index: int, device: Device) -> Iterator[Fault]:
    """Devices on all other buses name no hardware."""
    for kind in device.hardware:
        text = f"{device.bus} is no bus of `protocol: wired`, whose devices name a {kind}. Delete this key."
        yield ("devices", index, kind), text


def _lamp(site: Site, node: str, controller: Controller, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    keys = ("controllers", node, "lamp")
    lamps = [device for device in _known(site, node, profiles) if is_lamp(profiles[device.profile])]
    wired_lamps = [device for device in lamps if profiles[device.profile].protocol == "wired"]
    if controller.lamp is None:
        for device in wired_lamps[:1]:
            text = f"lamp is missing. {device.id} is a lamp on its pins: say when it burns, under lamp."
            yield keys[:2], text
        return
    found = [device for device in lamps if device.device == controller.lamp.device and device.pole == controller.pole]
    if not found:
        names = [device.device for device in lamps if device.pole == controller.pole]
        yield (*keys, "device"), unknown(controller.lamp.device, "lamp", names)
    if len(wired_lamps) > 1:
        text = f"{', '.join(device.id for device in wired_lamps)} are lamps on its pins: a controller drives one."
        yield keys, text
    if controller.utc_offset is None and any(step.at[0].isdigit() for step in controller.lamp.schedule):
        yield keys[:2], "utc_offset is missing. The lamp's schedule has local times: write it, as in +08:00."


def lamp_of(site: Site, node: str) -> Device | None:
    """The device that a controller drives by its schedule; None where it has none."""
    controller = site.controllers[node]
    if controller.lamp is None:
        return None
    wanted = f"{controller.pole}/{controller.lamp.device}"
    return next((device for device in site.devices_of(node) if device.id == wanted), None)


def is_lamp(profile: Profile) -> bool:
    """A lamp can be dimmed, or at least switched, and says what it does."""
    return profile.function == "lighting" and "set_level" in profile.commands
