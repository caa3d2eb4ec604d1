"""The way to a device: what the command line gives IN, something that reads rounds OUT."""

import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from device_profiles import site_buses
from device_profiles.schema import Profile
from gateway import drivers
from pole import bus_port
from pole.broker import free_port
from pole.trial.advice import advice
from pole.trial.outcome import Round
from pole.trial.recorder import FRAMINGS, Recorder
from pole.trial.registers import RegisterTrial

LISTENING = ("hj212", "ocpp", "chirpstack")
SERIAL = ("dlt645",)


class Trial(Protocol):
    """A device that can be read again and again."""

    framing: str

    async def round(self) -> Round: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Given:
    """The options, as they were typed."""

    port: str | None = None
    baud: int | None = None
    parity: str | None = None
    stop_bits: int | None = None
    unit: int | None = None
    channel: int = 0
    framing: str = "tcp"
    address: str | None = None
    listen: str | None = None
    broker: str | None = None
    user: str | None = None
    password_file: Path | None = None
    settings: tuple[str, ...] = ()
    stand_in: Profile | None = None
    record: bool = False


class Way:
    """One device, real or emulated. `where` and `framing` are known once it is open."""

    def __init__(self, *, profile: Profile, given: Given, patience: float) -> None:
        """patience: seconds that a device which speaks by itself is waited for. Raises ValueError."""
        if profile.protocol == "gateway":
            raise ValueError("a gateway counts by itself and hangs on no wire: there is nothing to try")
        if profile.protocol == "wired":
            raise ValueError("a wired device hangs on the pins of a controller: only its agent can try it")
        if given.framing not in ("tcp", "rtu"):
            raise ValueError(f"--framing {given.framing} is not one of tcp or rtu")
        if given.stand_in is not None and given.stand_in.protocol != profile.protocol:
            raise ValueError(f"{given.stand_in.profile} speaks {given.stand_in.protocol}, not {profile.protocol}")
        self._profile = profile
        self._given = given
        self._patience = patience
        self.is_real = given.stand_in is None
        self.where = ""
        self.framing = "rtu"
        self._serial = False
        self._settings = ""
        self._recorder: Recorder | None = None
        self._unit = given.unit if given.unit is not None else (profile.modbus.unit if profile.modbus else 0)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Trial]:
        """Raises ValueError where the options do not lead to a device."""
        async with contextlib.AsyncExitStack() as stack:
            keys, address = self._asked()
            if self._given.stand_in is not None:
                keys, address = await self._emulated(stack, keys)
            described = bus_port.bus(keys).describe()
            if self._given.record and self._profile.protocol != "modbus":
                self._recorder = Recorder(self._profile)
                keys, address = await self._recorder.tap(stack, keys, address)
                self.framing = FRAMINGS.get(self._profile.protocol, "text")
            trial = self._trial(bus_port.bus(keys), address, described)
            if self._given.stand_in is not None:
                self.where = f"an emulated {self._given.stand_in.profile}, {self.where}"
            stack.push_async_callback(trial.close)
            yield trial

    def recorded(self, done: Round) -> Round:
        """What goes into a golden file: of Modbus the round's own frames, of others what the tap kept."""
        if self._recorder is None:
            return done
        exchanges, shown = self._recorder.result()
        return Round(shown=shown, asked=done.asked, exchanges=exchanges)

    def source(self, said: str | None) -> str:
        """What a golden file says of where it comes from."""
        if self._given.stand_in is None:
            return str(said)
        stand_in = self._given.stand_in.profile
        computed = f"Computed by the emulator of {stand_in} on {datetime.date.today()}: no device was asked"
        return f"{computed}. {said}" if said else computed

    def advice(self, done: Round) -> list[str]:
        """What to check where nothing answered."""
        error = next((each.error for each in done.asked if each.error is not None), None)
        if done.answered or error is None:
            return []
        lines = advice(self._profile.protocol, error, serial=self._serial, settings=self._settings, unit=self._unit)
        return ["Nothing answers. Check:", *(f"  - {line}" for line in lines)]

    def _asked(self) -> tuple[dict[str, Any], str]:
        """The keys of a bus as a site file has them, and the device's address on it."""
        given, protocol = self._given, self._profile.protocol
        keys: dict[str, Any] = {} if protocol == "modbus" else {"protocol": protocol}
        address = given.address or ""
        if given.port is not None and (given.port.startswith("/") or protocol == "modbus"):
            keys |= self._modbus_port(given.port) if protocol == "modbus" else {"port": given.port}
        elif given.port is not None:
            address = given.port
        for key in ("baud", "parity", "stop_bits", "listen", "broker", "user"):
            if getattr(given, key) is not None:
                keys[key] = getattr(given, key)
        if given.password_file is not None:
            keys["password_file"] = given.password_file.absolute()
        keys |= dict(_setting(text) for text in given.settings)
        if given.stand_in is None:
            self._complete(keys, address)
        return keys, address

    def _complete(self, keys: Mapping[str, Any], address: str) -> None:
        protocol = self._profile.protocol
        if protocol == "modbus" and not keys.keys() & {"port", "host"}:
            raise ValueError("where is the device? Say --port /dev/ttyUSB0, or --port 10.0.0.7:502, or --emulate")
        if protocol in SERIAL and "port" not in keys:
            raise ValueError("where is the device? Say --port /dev/ttyUSB0, or --emulate")
        if protocol in SERIAL and not address:
            raise ValueError("which meter? Say --address with the 12 digits of its number")
        if protocol in LISTENING and not keys.keys() & {"listen", "broker", "port"}:
            wanted = "--broker mqtt://host:1883" if protocol == "chirpstack" else "--listen 0.0.0.0:9000"
            raise ValueError(f"a device of {protocol} speaks by itself: say {wanted}")
        if protocol not in (*LISTENING, *SERIAL, "modbus") and not address:
            raise ValueError("where is the device? Say --port with its host, as in --port 10.0.0.7, or --emulate")

    def _modbus_port(self, port: str) -> dict[str, Any]:
        defaults = self._profile.modbus
        assert defaults is not None
        keys = bus_port.keys(port, self._given.framing)
        if "host" in keys:
            return keys
        return keys | {"baud": defaults.baud, "parity": defaults.parity, "stop_bits": defaults.stop_bits}

    async def _emulated(self, stack: contextlib.AsyncExitStack, keys: dict[str, Any]) -> tuple[dict[str, Any], str]:
        from pole.trial.emulator import emulated

        assert self._given.stand_in is not None
        serial = self._given.port is None and self._given.framing == "tcp"
        if self._profile.protocol in LISTENING:
            keys.setdefault("listen", f"127.0.0.1:{free_port()}")
        stand = await stack.enter_async_context(emulated(
            self._given.stand_in, framing="serial" if serial else self._given.framing, unit=self._unit or 1,
            channel=self._given.channel,
            listen=keys.get("listen", ""),
        ))  # fmt: skip
        if self._profile.protocol == "chirpstack":
            del keys["listen"]
        return keys | stand.bus, stand.address

    def _trial(self, bus: site_buses.AnyBus, address: str, described: str) -> Trial:
        self.where = described
        if bus.line is not None:
            self._serial = True
            self._settings = " ".join(bus.describe().split()[1:3])
        if isinstance(bus, site_buses.SerialBus | site_buses.TcpBus):
            self.framing = "rtu" if isinstance(bus, site_buses.SerialBus) else bus.framing
            self.where = f"{self.where}, unit {self._unit}"
            return RegisterTrial(
                profile=self._profile, line=drivers.line(bus), framing=self.framing, unit=self._unit,
                channel=self._given.channel,
            )  # fmt: skip
        from pole.trial.items import AskedTrial, HeardTrial

        self.where = f"{self.where}, {address or 'any device'}"
        if isinstance(bus, site_buses.Hj212Bus | site_buses.OcppBus | site_buses.ChirpstackBus):
            return HeardTrial(
                profile=self._profile, listener=drivers.listener(bus), address=address, wait=self._patience
            )
        return AskedTrial(profile=self._profile, asker=drivers.asker(bus), address=address)


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"--set {text!r} is no setting: write KEY=VALUE, as in --set version=3")
    return key, int(value) if value.isdigit() else value
