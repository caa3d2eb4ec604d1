"""The page of one device: everything that its profile, its exchange and the vocabulary say about it, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from device_profiles import exchange_text, reach
from device_profiles.blocks import blocks
from device_profiles.bus_time import read_time
from device_profiles.placement import PLACED
from device_profiles.schema import Argument, Command, Golden, Location, Point, Profile
from device_profiles.site_snippet import device_name, snippet
from device_profiles.vocabulary import standard
from device_profiles.vocabulary_page import NAMES
from device_profiles.wording import choices

VERIFIED = {
    "excerpt": "its facts were seen quoted, not in the document itself. Check every point before you trust it",
    "third-party": "its facts come from other people's working code; we had no device",
    "manual": "its facts come from the maker's own document; we had no device",
    "bench": "read from a real device on a bench",
    "field": "runs on a pole",
}
PROTOCOLS = {
    "modbus": "Modbus RTU", "dlt645": "DL/T 645-2007", "hj212": "HJ 212-2017", "snmp": "SNMP",
    "onvif": "ONVIF and RTSP", "ocpp": "OCPP 1.6J", "multivision": "Multivision TCP", "sip": "SIP OPTIONS",
    "chirpstack": "LoRaWAN, by ChirpStack",
    "wired": "none: it hangs on a pole controller's own pins",
    "gateway": "none: the gateway counts by itself",
}  # fmt: skip
WIRING = {
    "dlt645": "RS-485, 2400 8E1 as the standard has it",
    "hj212": "the station dials in over TCP, or stands on a serial line of 9600 8N1",
    "snmp": "UDP port 161 of the device",
    "onvif": "HTTP port 80 and RTSP port 554 of the camera",
    "ocpp": "the charger dials in by WebSocket",
    "multivision": "TCP port 4010 of the control computer",
    "sip": "UDP port 5060 of the intercom",
    "chirpstack": "ChirpStack's MQTT broker; the sensor's radio is ChirpStack's affair",
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One profile with what stands beside it. `source`: link from the page to the profile's file."""

    profile: Profile
    golden: Golden | None
    source: str
    variants: tuple[Profile, ...] = ()

    @property
    def framing(self) -> str:
        return self.golden.framing if self.golden is not None else "rtu"

    @property
    def protocol(self) -> str:
        """In words, as `Modbus TCP`."""
        return "Modbus TCP" if self.framing == "tcp" else PROTOCOLS[self.profile.protocol]


def text(subject: Subject, links: Mapping[str, str]) -> str:
    """The page without its notes; links: title of a page that exists -> where it is."""
    profile = subject.profile
    parts = [
        f"# {profile.labels.en} · {profile.labels.zh}\n\n**{device(profile)}**\n",
        *_head(subject),
        *_section("Before you rely on it", (f"- {cell(caveat)}" for caveat in profile.caveats)),
        *_section("Other editions", _variants(subject)),
        *_section("Points", _points(profile, links)),
        *_section("Commands", _commands(subject)),
        *_section("In the site file", _site(subject)),
        *_section("Time on the bus", _times(subject)),
        *_section("What the points are called elsewhere", _elsewhere(profile)),
        *_section("An exchange", exchange_text.lines(subject.golden) if subject.golden else ()),
    ]
    return "\n".join(parts)


def device(profile: Profile) -> str:
    """Maker and model; a model that begins with its maker says it once."""
    return profile.model if profile.model.startswith(profile.maker) else f"{profile.maker} {profile.model}"


def cell(words: object) -> str:
    """Text as it may stand in a table."""
    return " ".join(str(words).split()).replace("|", "\\|").replace("<", "&lt;")


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [f"## {title}\n", *found, ""] if found else []


def _head(subject: Subject) -> Iterator[str]:
    profile = subject.profile
    yield "| | |\n|---|---|"
    yield f"| Profile | [`{profile.profile}`]({subject.source}), version {profile.version} |"
    yield f"| Function | {profile.function} |"
    yield f"| Protocol | {subject.protocol} |"
    if profile.protocol != "gateway":
        yield f"| {'Wiring' if profile.modbus is None else 'Factory settings'} | {_wiring(subject)} |"
    yield f"| Verified | **{profile.verified}**: {VERIFIED[profile.verified]} |"
    yield f"| Source | {cell(profile.source)} |\n"


def _wiring(subject: Subject) -> str:
    modbus = subject.profile.modbus
    if modbus is None:
        return WIRING.get(subject.profile.protocol) or _pins(subject.profile)
    line = "network, port 502" if subject.framing == "tcp" else _line(subject.profile)
    channels = f", {modbus.channels} channels" if modbus.channels > 1 else ""
    return f"{line}, unit {modbus.unit}{channels}; at most {modbus.block} registers in a read"


def _pins(profile: Profile) -> str:
    assert profile.wired is not None
    kinds = {"pin": "a digital pin", "pwm": "a PWM output", "adc": "an ADC input", "i2c": "an I²C bus"}
    told = [
        f"{words}{' (optional)' if getattr(profile.wired, key) == 'optional' else ''}"
        for key, words in kinds.items()
        if getattr(profile.wired, key) is not None
    ]
    where = (
        f", address {choices(f'0x{each:02X}' for each in profile.wired.addresses)}" if profile.wired.addresses else ""
    )
    return f"{' and '.join(told)} of a controller{where}"


def _line(profile: Profile) -> str:
    modbus = profile.modbus
    assert modbus is not None
    return f"{modbus.baud} baud 8{modbus.parity[0].upper()}{modbus.stop_bits}"


def _variants(subject: Subject) -> Iterator[str]:
    if subject.variants:
        yield "The sources disagree, or there are several editions. Compare a value with the device's display.\n"
    for other in subject.variants:
        yield f"- [`{other.profile}`]({other.profile}.md), {cell(other.model)}. {_difference(subject.profile, other)}"


def _difference(here: Profile, there: Profile) -> str:
    shared = [name for name in here.points if name in there.points]
    moved = [name for name in shared if _place(here.points[name]) != _place(there.points[name])]
    parts = [
        f"`{name}` is {_reading(here.points[name])} here, {_reading(there.points[name])} there" for name in moved[:4]
    ]
    parts += [f"{len(moved) - 4} more points are read otherwise"] if len(moved) > 4 else []
    parts += _only("here", here, there) + _only("there", there, here)
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}." if parts else "The points are the same; see the caveats."


def _only(where: str, one: Profile, other: Profile) -> list[str]:
    names = [f"`{name}`" for name in one.points if name not in other.points]
    names += [f"the command `{name}`" for name in one.commands if name not in other.commands]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return [f"only {where}: {', '.join(names[:6])}{more}"] if names else []


def _place(point: Point) -> tuple[object, ...]:
    return tuple(getattr(point, key) for key in PLACED)


def _reading(point: Point) -> str:
    return " ".join(part for part in (where(point), scale(point)) if part)


def _points(profile: Profile, links: Mapping[str, str]) -> Iterator[str]:
    yield "| point | what | 中文 | unit | where | scale | range | poll |\n|---|---|---|---|---|---|---|---|"
    for name, point in profile.points.items():
        own = " ¹" if point.own else ""
        also = f" ({point.function})" if point.function not in (None, profile.function) else ""
        poll = f"{point.poll}{', event' if point.event else ''}"
        cells = (f"`{name}`{own}", f"{point.labels.en}{also}", point.labels.zh, point.unit and f"`{point.unit}`")
        yield f"| {' | '.join(map(cell, (*cells, where(point), scale(point), _range(point), poll)))} |"
    if any(point.own for point in profile.points.values()):
        word = f"[the vocabulary]({links['vocabulary']})" if "vocabulary" in links else "the vocabulary"
        yield f"\n¹ The maker's own, not in {word}."


def where(point: Point) -> str:
    """Register or item, as people look it up in a manual."""
    if point.at is not None:
        return _register(point.at)
    if point.item is not None:
        item = point.item
        return f"`{item.name}`" + (f" byte {item.byte or 0}, {item.number}" if item.number else "")
    if point.i2c is not None:
        sent = f"`{point.i2c.write}`, then " if point.i2c.write else ""
        return f"{sent}byte {point.i2c.byte} of {point.i2c.read}, {point.i2c.number}"
    if point.counter is not None:
        return f"counter `{point.counter}`"
    return "contact" if point.input is not None else "volts" if point.adc is not None else f"lamp: {point.lamp}"


def _register(at: Location) -> str:
    step = f" + {at.step} a channel" if at.step else ""
    bit = f" bit {at.bit}" if at.bit is not None else ""
    order = ", low word first" if at.word_order == "low_first" else ""
    kind = f", {at.type}" if at.type != "bool" else ""
    return f"{at.table} {at.address} (0x{at.address:04X}){bit}{step}{kind}{order}"


def scale(point: Point) -> str:
    """`× 0.1 - 40`; nothing where the raw number is the value."""
    held = point.at or point.item or point.adc or point.i2c
    if held is None:
        return ""
    times = f"× {held.scale:.6g}" if held.scale != 1 else ""
    plus = f"{'+' if held.offset > 0 else '-'} {abs(held.offset):g}" if held.offset else ""
    return f"{times} {plus}".strip()


def _range(point: Point) -> str:
    codes = ", ".join(f"{code} {meaning}" for code, meaning in point.values.items())
    bounds = f"{point.range[0]:.12g} to {point.range[1]:.12g}" if point.range is not None and not codes else ""
    kind = {"bool": "yes or no", "text": "text"}.get(point.kind, "")
    never = f"raw {', '.join(map(str, point.invalid))} is no value" if point.invalid else ""
    return "; ".join(part for part in (codes or bounds or kind, never) if part)


def _commands(subject: Subject) -> Iterator[str]:
    profile = subject.profile
    if not profile.commands:
        return
    yield "| command | what | 中文 | argument | written to | done when |\n|---|---|---|---|---|---|"
    for name, command in profile.commands.items():
        argument = ", ".join(_argument(key, each) for key, each in command.args.items()) or "none"
        written = _written(command)
        cells = (f"`{name}`", command.labels.en, command.labels.zh, argument, written, _done(command))
        yield f"| {' | '.join(map(cell, cells))} |"
    first, command = next(iter(profile.commands.items()))
    words = "".join(f" {key}={_example(each)}" for key, each in command.args.items())
    yield f"\n    pole send P0001 {device_name(profile)} {first}{words} --site site.yaml"


def _written(command: Command) -> str:
    if command.write is not None:
        return _register(command.write)
    return f"`{command.item.name}`" if command.item is not None else f"lamp: {command.lamp}"


def _argument(name: str, argument: Argument) -> str:
    if argument.range is not None:
        unit = f" {argument.unit}" if argument.unit else ""
        return f"`{name}`: {argument.range[0]:g} to {argument.range[1]:g}{unit}"
    assert argument.length is not None
    return f"`{name}`: text of {argument.length[0]} to {argument.length[1]} characters"


def _example(argument: Argument) -> str:
    if argument.range is None:
        return "'Hello'"
    return f"{argument.range[0] if argument.range[0] >= 1 else argument.range[1]:g}"


def _done(command: Command) -> str:
    if command.read_back is None:
        return "the device confirms"
    if command.expect is not None:
        return f"`{command.read_back}` shows {command.expect}"
    within = f" within {command.tolerance:g}" if command.tolerance else ""
    return f"`{command.read_back}` shows it{within}"


def _site(subject: Subject) -> Iterator[str]:
    if subject.profile.protocol != "gateway":
        yield f"```yaml\n{snippet(subject.profile, subject.framing)}```"


def _times(subject: Subject) -> Iterator[str]:
    profile = subject.profile
    if profile.modbus is None:
        return
    line = None if subject.framing == "tcp" else reach.factory_line(profile.modbus)
    speed = "on the network" if line is None else f"at {_line(profile)}"
    yield f"| poll group | every | reads | registers or bits | time {speed} | share of the bus |"
    yield "|---|---|---|---|---|---|"
    for name, group in profile.polls.items():
        reads = blocks(profile, name)
        taken = sum(read_time(line, block.table, block.count, profile.modbus.latency) for block in reads)
        count = ", ".join(str(block.count) for block in reads)
        cells = (name, _period(group.every), len(reads), count, f"{taken * 1000:.0f} ms", f"{taken / group.every:.1%}")
        yield f"| {' | '.join(map(cell, cells))} |"
    if profile.modbus.channels > 1:
        yield "\nFor one channel; channels of one unit that stand side by side share their reads."


def _period(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min" if seconds < 7200 else f"{seconds / 3600:g} h"


def _elsewhere(profile: Profile) -> Iterator[str]:
    rows = []
    for name in profile.points:
        known = standard(profile.function_of(name), name)
        names = [getattr(known.names, key) for key in NAMES] if known is not None else []
        if any(names):
            rows.append(f"| `{name}` | {' | '.join(f'`{each}`' if each else '' for each in names)} |")
    if rows:
        yield f"| point | {' | '.join(NAMES.values())} |\n|---|{'---|' * len(NAMES)}"
        yield from rows
