"""Which device is meant: PORT and UNIT from the command line, or a device of a site file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device_profiles import loader, site
from device_profiles.schema import Profile
from device_profiles.site_buses import AnyBus, LocalBus, SerialBus, TcpBus
from device_profiles.site_model import Device
from device_profiles.wording import suggestion
from pole import bus_port
from pole.trial.way import Given


@dataclass(frozen=True, kw_only=True)
class Target:
    """One device, and what is asked of it."""

    bus: SerialBus | TcpBus
    unit: int
    channel: int
    profile: Profile | None
    what: tuple[str, ...]

    def given(self) -> Given:
        """The same as the options of a trial."""
        if isinstance(self.bus, SerialBus):
            return Given(
                port=self.bus.port, baud=self.bus.baud, parity=self.bus.parity, stop_bits=self.bus.stop_bits,
                unit=self.unit, channel=self.channel,
            )  # fmt: skip
        return Given(port=self.bus.end, framing=self.bus.framing, unit=self.unit, channel=self.channel)

    @property
    def where(self) -> str:
        return f"unit {self.unit} at {self.bus.describe()}"


def of_port(
    words: Sequence[str],
    *,
    profile: str | None,
    baud: int | None,
    parity: str | None,
    stop_bits: int | None,
    framing: str,
    channel: int,
) -> Target:
    """PORT UNIT WHAT… Settings that are left out are the profile's own. Raises ValueError, FileProblem."""
    if len(words) < 2:
        raise ValueError("say PORT and UNIT, as in /dev/ttyUSB0 5, or --site FILE and the device's name")
    port, number, *what = words
    if not number.isdecimal() or not 0 <= int(number) <= bus_port.LAST_UNIT:
        raise ValueError(f"{number!r} is no unit id: 1 to 247, on a network 0 to 255")
    known = _profile(profile)
    defaults = known.modbus if known is not None else None
    keys = bus_port.keys(port, framing)
    if "host" not in keys:
        keys |= {"baud": baud or (defaults.baud if defaults else 9600)}
        keys |= {"parity": parity or (defaults.parity if defaults else "none")}
        keys |= {"stop_bits": stop_bits or (defaults.stop_bits if defaults else 1)}
        if not 1 <= int(number) <= bus_port.LAST_SERIAL_UNIT:
            raise ValueError(f"{number} is no unit id on a serial line: 1 to 247")
    elif baud or parity or stop_bits:
        raise ValueError(f"{port} is on a network: it has no --baud, --parity and --stop-bits")
    _check_channel(known, channel)
    return Target(bus=_modbus(bus_port.bus(keys), port), unit=int(number), channel=channel, profile=known,
                  what=tuple(what))  # fmt: skip


def of_site(path: Path, words: Sequence[str]) -> Target:
    """DEVICE WHAT…, the device as pole/device, or by its own name where that is not used twice. Raises as above."""
    if not words:
        raise ValueError("say which device, as pole/device")
    found = site.load(path)
    device = _device(found, words[0])
    bus = found.buses[device.bus]
    profile = loader.profile(device.profile)
    if device.unit is None:
        raise ValueError(f"{device.id} is no Modbus device: see pole profile try, which reads any")
    return Target(bus=_modbus(bus, device.bus), unit=device.unit, channel=device.channel, profile=profile,
                  what=tuple(words[1:]))  # fmt: skip


def _device(found: site.Site, name: str) -> Device:
    matches = [each for each in found.devices if name in (each.id, each.device)]
    if len(matches) > 1:
        raise ValueError(f"{name} is on several poles: say {' or '.join(each.id for each in matches[:3])}")
    if not matches:
        raise ValueError(f"the site has no device {name}.{suggestion(name, [each.id for each in found.devices])}")
    return matches[0]


def _modbus(bus: AnyBus, name: str) -> SerialBus | TcpBus:
    if not isinstance(bus, SerialBus | TcpBus):
        where = f"hangs on the controller {bus.owner}, which alone reaches it" if isinstance(bus, LocalBus) else ""
        raise ValueError(f"{name} {where or 'is no Modbus bus'}")
    return bus


def _profile(name: str | None) -> Profile | None:
    """A shipped profile, or one's own file."""
    if name is None:
        return None
    path = Path(name)
    found = loader.load(path, draft=True) if path.suffix == ".yaml" else loader.profile(name)
    if found.modbus is None:
        raise ValueError(f"{name} speaks {found.protocol}, not Modbus: see pole profile try")
    return found


def _check_channel(profile: Profile | None, channel: int) -> None:
    most = profile.modbus.channels if profile is not None and profile.modbus is not None else 1
    if not 0 <= channel < most:
        raise ValueError(f"--channel {channel}: channels are 0 to {most - 1}")
