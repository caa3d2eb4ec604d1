"""What one controller is given of a site: a site and its profiles IN, the files of its folder OUT.

    config.json      what the agent starts from: identity, uplink, hardware, inputs, sensors, lamp; never a secret
    plan.bin         what is asked on its buses (device_profiles/compact.py)
    birth.json       its birth without "ep", "version" and "time", and without the first brace
    commands.jsonl   what its devices may be told, a line for each action (device_profiles/command_lines.py)

A UART stands in config.json under the name of the bus that it is: so do its section of plan.bin, and its commands.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from device_profiles import command_lines, compact, controller_checks, sensor_rows
from device_profiles.announcement import announced
from device_profiles.schema import Profile
from device_profiles.site_buses import UartBus, UplinkBus
from device_profiles.site_controllers import Controller, Ethernet, offset_minutes
from device_profiles.site_model import Device, Site
from device_profiles.wording import Fault

OWN_PROFILE = "controller"  # of what a controller counts about itself, under its own name on its pole
KILOBYTE = 1024
MICRO = 1_000_000
STEPS = {"": 0, "dawn": 1, "dusk": 2}  # kinds of a lamp's steps (edge/lamp.py)
MOST_POINTS = 120
MOST_PLAN = 2560  # bytes of memory
MOST_SHOWN = 3
ELSEWHERE = "Hang some on a gateway, or on another controller."
SILENCE_S = 300  # of contacts, where there are none


def part(site: Site, node: str, profiles: Mapping[str, Profile]) -> dict[str, bytes]:
    """File name -> content. node: one of the site's controllers; the site is without contradictions."""
    controller = site.controllers[node]
    named = [(device.pole, device.device, device.profile) for device in site.devices_of(node)]
    birth = announced([*named, (controller.pole, node, OWN_PROFILE)], profiles)
    return {
        "config.json": _json(config(site, node, profiles)),
        "plan.bin": plan(site, node, profiles),
        "birth.json": _json(birth)[1:],
        "commands.jsonl": b"".join(_json(line) + b"\n" for line in command_lines.lines(site, node, profiles)),
    }


def plan(site: Site, node: str, profiles: Mapping[str, Profile]) -> bytes:
    """plan.bin, with a section for each of its buses. Raises compact.Unfit for what a controller cannot do."""
    lines = {name: bus.line for name, bus in site.buses_of(node).items() if isinstance(bus, UartBus)}
    return compact.plan(lines, [device for device in site.devices_of(node) if device.bus in lines], profiles)


def excess(site: Site, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """(key path, text) for each controller that has more to do than it has memory for; for a site without faults."""
    for node in site.controllers:
        keys = ("controllers", node)
        points = {device.id: len(profiles[device.profile].points) for device in site.devices_of(node)}
        if (count := sum(points.values())) > MOST_POINTS:
            most = sorted(points, key=lambda name: -points[name])[:MOST_SHOWN]
            text = f"its devices have {count} points, and a controller reads at most {MOST_POINTS}."
            yield keys, f"{text} Most are of {', '.join(f'{name} ({points[name]})' for name in most)}. {ELSEWHERE}"
            continue
        try:
            size = compact.memory(plan(site, node, profiles))
            list(command_lines.lines(site, node, profiles))
        except compact.Unfit as error:
            yield keys, str(error)
        else:
            if size > MOST_PLAN:
                text = f"its polls take {size} bytes of memory, and a controller has room for {MOST_PLAN}."
                yield keys, f"{text} {ELSEWHERE}"


def config(site: Site, node: str, profiles: Mapping[str, Profile]) -> dict[str, Any]:
    """config.json, as edge/ reads it. Durations are in seconds, positions in millionths of a degree."""
    controller = site.controllers[node]
    latitude, longitude = site.poles[controller.pole].position
    devices = site.devices_of(node)
    return {
        "v": 1,
        "area": site.area,
        "node": node,
        "board": controller.board,
        "pole": controller.pole,
        "self": f"{controller.pole}/{node}",
        "position": [round(latitude * MICRO), round(longitude * MICRO)],
        "utc_offset": offset_minutes(controller.utc_offset) if controller.utc_offset else 0,
        "uplink": _uplink(site, node, controller),
        "network": _network(controller),
        "ntp": controller.ntp,
        "journal": controller.journal_kilobytes * KILOBYTE,
        "uarts": _uarts(site, node, controller),
        **_hardware(controller),
        "buses": [name for name, bus in site.buses_of(node).items() if isinstance(bus, UartBus)],
        "silence": _silence(devices, profiles),
        "inputs": [row for device in devices for row in _inputs(device, profiles[device.profile])],
        "sensors": [row for device in devices for row in sensor_rows.rows(device, profiles[device.profile])],
        "lamp": _lamp(site, node, controller, profiles),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _uplink(site: Site, node: str, controller: Controller) -> dict[str, Any]:
    if controller.broker is None:
        return {"kind": "serial", "uart": controller.through, "address": controller.address}
    address = urlsplit(controller.broker)
    tls = address.scheme == "mqtts"
    port = address.port or (8883 if tls else 1883)
    return {"kind": "mqtt", "host": address.hostname, "port": port, "user": site.user_of(node), "tls": tls}


def _network(controller: Controller) -> dict[str, Any] | None:
    if controller.wifi is not None:
        country = {"country": controller.wifi.country} if controller.wifi.country else {}
        return {"kind": "wifi", "ssid": controller.wifi.ssid, **country}
    return _ethernet(controller.ethernet) if controller.ethernet is not None else None


def _ethernet(held: Ethernet) -> dict[str, Any]:
    pins = {"mdc": held.mdc, "mdio": held.mdio, "power": held.power, "ref_clk": held.clock}
    told = {name: pin for name, pin in pins.items() if pin is not None}
    clock = {"ref_clk_out": True} if held.clock else {}
    return {"kind": "ethernet", "phy": held.phy, "phy_addr": held.phy_address, **told, **clock}


def _uarts(site: Site, node: str, controller: Controller) -> dict[str, dict[str, Any]]:
    used = {name: (bus.uart, bus) for name, bus in site.buses_of(node).items() if isinstance(bus, UartBus)}
    lines: dict[str, tuple[str, UartBus | UplinkBus]] = {**used}
    uplink = site.buses[controller.through] if controller.through is not None else None
    if isinstance(uplink, UplinkBus) and controller.through is not None and controller.uart is not None:
        lines[controller.through] = controller.uart, uplink
    return {
        name: _told(controller.uarts[uart].model_dump()) | {"baud": bus.baud} | _unusual(bus)
        for name, (uart, bus) in lines.items()
    }


def _unusual(bus: UartBus | UplinkBus) -> dict[str, Any]:
    """What is left out is no parity and one stop bit: each key takes room in a controller's heap."""
    parity = {"parity": bus.parity} if bus.parity != "none" else {}
    return {**parity, "stop_bits": 2} if bus.stop_bits == 2 else parity


def _hardware(controller: Controller) -> dict[str, Any]:
    pins = {
        name: {"pin": pin.pin}
        | ({"pull": pin.pull} if pin.pull != "none" else {})
        | ({"invert": True} if pin.invert else {})
        for name, pin in controller.pins.items()
    }
    return {
        "pins": pins,
        "pwms": {name: {"pin": pwm.pin, "freq": pwm.hertz} for name, pwm in controller.pwms.items()},
        "adcs": {name: {"pin": adc.pin} for name, adc in controller.adcs.items()},
        "i2cs": {
            name: _told({"port": i2c.port, "sda": i2c.sda, "scl": i2c.scl, "freq": i2c.hertz})
            for name, i2c in controller.i2cs.items()
        },
    }


def _told(keys: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _inputs(device: Device, profile: Profile) -> list[list[object]]:
    return [
        [device.id, name, device.pin, point.event]
        for name, point in profile.points.items()
        if point.input is not None
    ]  # fmt: skip


def _silence(devices: list[Device], profiles: Mapping[str, Profile]) -> int:
    """All contacts are told again after one time: the shortest that a profile asks for."""
    used = [profiles[device.profile] for device in devices]
    asked = [
        profile.polls[point.poll].silence
        for profile in used
        for point in profile.points.values()
        if point.input is not None
    ]
    return max(1, round(min(asked, default=SILENCE_S)))


def _lamp(site: Site, node: str, controller: Controller, profiles: Mapping[str, Profile]) -> dict[str, Any] | None:
    lamp = controller.lamp
    if lamp is None:
        return None
    device = controller_checks.lamp_of(site, node)
    assert device is not None
    steps = []
    for step in lamp.schedule:
        kind = step.at[:4] if step.at[:4] in STEPS else ""
        steps.append([STEPS[kind], _minutes(step.at, kind), step.level])
    return {
        "device": device.id,
        "schedule": steps,
        "hold": round(lamp.hold),
        "fail": lamp.fail,
        "output": _output(device, profiles[device.profile]),
    }


def _minutes(at: str, kind: str) -> int:
    if kind:
        return int(at[4:].removesuffix("m") or 0)
    hours, minutes = at.split(":")
    return int(hours) * 60 + int(minutes)


def _output(device: Device, profile: Profile) -> list[object]:
    if profile.protocol != "wired":
        return ["modbus", command_lines.level_written(device, profile)]
    if device.pwm is None:
        return ["relay", device.pin]
    return ["pwm", device.pwm, *([device.pin] if device.pin is not None else [])]
