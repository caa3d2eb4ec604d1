"""What a scan found, as the part of a site file: its bus, its devices, and in comments what cannot stand there."""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from device_profiles.schema import Profile
from device_profiles.site_buses import SerialBus
from pole.bus_meter import Meter
from pole.bus_port import lasting, settings
from pole.bus_survey import Present, Survey, Way, garbled_sentence

_DEFAULTS = {"parity": "none", "stop_bits": 1}


def fragment(survey: Survey, *, pole: str, bus: str | None) -> str:
    """YAML; `pole site check` takes it once its buses and devices stand in a site file that has the pole."""
    way = _main(survey)
    here = [each for each in survey.presents if each.way == way]
    elsewhere = [each for each in survey.presents if each.way != way]
    known = [each for each in here if each.verdict.candidates]
    meters = [] if known else survey.meters
    name = bus or ("meters-1" if meters else "rs485-1" if isinstance(way, SerialBus) else "tcp-1")
    names = _Names(survey.profiles)
    lines = [*_head(survey), "buses:"]
    lines.append(f"  {name}: {_flow(_meter_bus(meters[0]) if meters else bus_keys(way))}")
    lines.append("devices:" if known or any(each.profiles for each in meters) else "devices: []")
    for present in here:
        lines.extend(_device(present, pole, name, names))
    for meter in meters:
        lines.extend(_meter(meter, pole, name, names))
    lines.extend(_aside(elsewhere, way, survey, [] if meters else survey.meters))
    return "\n".join(lines) + "\n"


def bus_keys(way: Way) -> dict[str, Any]:
    """What a site file says of this bus, without what goes without saying."""
    if isinstance(way, SerialBus):
        keys: dict[str, Any] = {"port": lasting(way.port), "baud": way.baud}
        return keys | {key: getattr(way, key) for key, usual in _DEFAULTS.items() if getattr(way, key) != usual}
    keys = {"host": way.host} | ({"port": way.port} if way.port != 502 else {})
    return keys | ({"framing": way.framing} if way.framing != "tcp" else {})


class _Names:
    """`air-1`, `air-2`: devices by their function."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = profiles
        self._used: Counter[str] = Counter()

    def next(self, profile: str) -> str:
        function = self.profiles[profile].function
        self._used[function] += 1
        return f"{function}-{self._used[function]}"


def _main(survey: Survey) -> Way:
    """Where most devices are; the first way where there is none."""
    counts = Counter(survey.ways.index(each.way) for each in survey.presents)
    return survey.ways[max(range(len(survey.ways)), key=lambda index: (counts[index], -index))]


def _head(survey: Survey) -> Iterator[str]:
    found = len(survey.presents) + len(survey.meters)
    part = "" if survey.is_whole else ", stopped before its end"
    yield f"# pole bus scan, {datetime.date.today()}{part}: {found} device{'' if found == 1 else 's'}"
    yield "# Put this into the site file; set pole and device names as they hang there."
    for note in survey.notes:
        yield f"# {note}"


def _device(present: Present, pole: str, bus: str, names: _Names) -> Iterator[str]:
    yield f"  # unit {present.unit}: {present.sentence()}"
    if not present.verdict.candidates:
        return
    profile = present.verdict.candidates[0].profile
    keys = {"pole": pole, "device": names.next(profile), "profile": profile, "bus": bus, "unit": present.unit}
    defaults = names.profiles[profile].modbus
    if defaults is not None and defaults.channels > 1:
        keys["channel"] = 0
        yield f"  # one line for each channel that is used: 0 to {defaults.channels - 1}"
    yield f"  - {_flow(keys)}"


def _meter(meter: Meter, pole: str, bus: str, names: _Names) -> Iterator[str]:
    yield f"  # {meter.address}: {meter.sentence()}"
    if meter.profiles:
        profile = meter.profiles[0]
        keys = {"pole": pole, "device": names.next(profile), "profile": profile, "bus": bus, "address": meter.address}
        yield f"  - {_flow(keys)}"


def _meter_bus(meter: Meter) -> dict[str, Any]:
    keys: dict[str, Any] = {"protocol": "dlt645", "port": lasting(meter.port)}
    return keys | ({"baud": meter.baud} if meter.baud != 2400 else {})


def _aside(elsewhere: Sequence[Present], way: Way, survey: Survey, meters: Sequence[Meter]) -> Iterator[str]:
    """What cannot share this bus."""
    for present in elsewhere:
        yield f"# at {settings(present.way)}, unit {present.unit}: {present.sentence()}"
        yield f"#   set this device to {settings(way)} first: a bus has one rate"
    for _, garbled in survey.garbled:
        yield f"# {garbled_sentence(garbled)}"
    for meter in meters:
        yield f"# DL/T 645 at {meter.baud} 8E1, {meter.address}: {meter.sentence()}"
        yield "#   give it a port of its own: a bus has one protocol"


def _flow(keys: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(keys), default_flow_style=True, sort_keys=False, width=10_000).strip()
