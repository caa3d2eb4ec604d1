"""PORT, as the command line says it: a serial port or a device on the network -> a bus, as a site file has it."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from device_profiles import site_buses
from device_profiles.site_buses import SerialBus, TcpBus
from device_profiles.wording import suggestion
from wire.names import NAME_RULE, is_name

BY_ID = Path("/dev/serial/by-id")
USUAL_BAUDS = (9600, 4800, 2400, 19200, 115200)
USUAL_FRAMES = (("none", 1), ("even", 1), ("none", 2))
LAST_SERIAL_UNIT, LAST_UNIT = 247, 255
DIRECT_UNIT = 255  # a Modbus TCP device that is no gateway (Modbus Messaging on TCP/IP 1.0b, 4.4.2)


def keys(port: str, framing: str) -> dict[str, Any]:
    """`/dev/…` or `host[:port]` -> a bus's keys. Raises ValueError."""
    if framing not in ("tcp", "rtu"):
        raise ValueError(f"--framing {framing} is not one of tcp or rtu")
    if port.startswith("/"):
        return {"port": port}
    whole = next((each for each in (Path("/dev", port), Path(port).absolute()) if each.is_char_device()), None)
    if whole is not None or "/" in port:
        near = f". Did you mean {whole}?" if whole else ""
        raise ValueError(f"{port} is neither a path from the root (/dev/…) nor host:port{near}")
    host, colon, number = port.rpartition(":")
    if colon and not number.isdigit():
        raise ValueError(f"{port} is neither a path (/dev/…) nor host:port")
    return {"host": host if colon else port, "framing": framing} | ({"port": int(number)} if colon else {})


def bus(wanted: Mapping[str, Any]) -> site_buses.AnyBus:
    """A bus's keys -> the bus. Raises ValueError with one sentence."""
    try:
        found: site_buses.AnyBus = TypeAdapter(site_buses.Bus).validate_python(dict(wanted))
        return found
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][-1]) if first["loc"] else "the bus"
        if first["type"] == "extra_forbidden":
            known = [name for arm in site_buses.AnyBus.__subclasses__() for name in arm.model_fields]
            raise ValueError(
                f"such a device has no {key}.{suggestion(key, known)} docs/site.md lists the keys"
            ) from None
        raise ValueError(f"{key}: {first['msg'].removeprefix('Value error, ')}") from None


def buses(
    port: str,
    *,
    framing: str,
    bauds: Sequence[int] = (),
    parities: Sequence[str] = (),
    stop_bits: Sequence[int] = (),
    all_rates: bool = False,
) -> list[SerialBus] | list[TcpBus]:
    """The ways to try, one after another: each rate with each frame. Raises ValueError."""
    common = keys(port, framing)
    if "host" in common:
        if bauds or parities or stop_bits or all_rates:
            raise ValueError(f"{port} is on a network: it has no --baud, --parity, --stop-bits and no --all-rates")
        return [found for found in [bus(common)] if isinstance(found, TcpBus)]
    frames: Sequence[tuple[str, int]] = USUAL_FRAMES if all_rates else (("none", 1),)
    if parities or stop_bits:
        frames = tuple((parity, bits) for parity in parities or ("none",) for bits in stop_bits or (1,))
    rates = bauds or (USUAL_BAUDS if all_rates else (9600,))
    ways = [
        bus(common | {"baud": baud, "parity": parity, "stop_bits": bits})
        for baud in dict.fromkeys(rates)
        for parity, bits in dict.fromkeys(frames)
    ]
    return [way for way in ways if isinstance(way, SerialBus)]


def units(text: str | None, *, serial: bool) -> list[int]:
    """`1-32,80` -> unit ids, each once, in this order. None: all. Raises ValueError."""
    if text is None:
        return [*range(1, LAST_SERIAL_UNIT + 1), *([] if serial else [DIRECT_UNIT])]
    least, most = (1, LAST_SERIAL_UNIT) if serial else (0, LAST_UNIT)
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"--units {text!r}: {part.strip()!r} is neither a unit id nor a range, as in 1-32,80")
        low, high = int(first), int(last or first)
        if not least <= low <= high <= most:
            raise ValueError(f"--units {text!r}: {part.strip()!r} is not within {least} to {most}, lowest first")
        found.extend(range(low, high + 1))
    return list(dict.fromkeys(found))


def check_names(pole: str, bus: str | None) -> None:
    """Raises ValueError where one of them cannot stand in a site file."""
    for option, name in (("--pole", pole), ("--bus", bus)):
        if name is not None and not is_name(name):
            raise ValueError(f"{option} {name!r}: {NAME_RULE}")


def lasting(port: str) -> str:
    """The name that a port keeps when adapters are plugged in another order, where it has one."""
    with contextlib.suppress(OSError):
        for link in sorted(BY_ID.iterdir()):
            if link.resolve() == Path(port).resolve():
                return str(link)
    return port


def settings(way: SerialBus | TcpBus) -> str:
    """`9600 8N1`; on a network how it speaks."""
    if isinstance(way, SerialBus):
        return f"{way.baud} 8{way.parity[0].upper()}{way.stop_bits}"
    return "Modbus TCP" if way.framing == "tcp" else "RTU over TCP"
