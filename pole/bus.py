"""`pole bus`: what hangs on a bus, and single registers of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pole.bus_target import Target

app = typer.Typer(no_args_is_help=True)

Port = Annotated[str, typer.Argument(metavar="PORT", help="A serial port (/dev/…), or host[:port] on the network.")]
Units = Annotated[str | None, typer.Option("--units", metavar="1-32,80", help="All where left out: 1 to 247.")]
Bauds = Annotated[list[int] | None, typer.Option("--baud", help="9600 where left out; may be given several times.")]
Parities = Annotated[list[str] | None, typer.Option("--parity", help="none, even or odd; may be given several times.")]
StopBits = Annotated[list[int] | None, typer.Option("--stop-bits", min=1, max=2, help="May be given several times.")]
AllRates = Annotated[
    bool, typer.Option("--all-rates", help="9600, 4800, 2400, 19200 and 115200, each with 8N1, 8E1 and 8N2.")
]
Framing = Annotated[str, typer.Option("--framing", help="tcp, or rtu for a converter that sends RTU frames over TCP.")]
Wait = Annotated[
    str | None, typer.Option("--wait", metavar="TIME", help="How long a unit may take to answer; 1s finds slow ones.")
]
Thorough = Annotated[
    bool, typer.Option("--thorough", help="Ask silent units in three more ways; it takes four times as long.")
]
Dlt645 = Annotated[bool, typer.Option("--dlt645", help="Ask for a DL/T 645 meter as well (serial ports).")]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write the fragment there.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
PoleName = Annotated[str, typer.Option("--pole", help="For the fragment: the pole that the devices hang on.")]
BusName = Annotated[str | None, typer.Option("--bus", help="For the fragment: the bus's name.")]

Words = Annotated[
    list[str],
    typer.Argument(metavar="PORT UNIT WHAT…", help="With --site: DEVICE WHAT… (pole/device, as the site file has it)."),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", metavar="NAME|FILE", help="Whose points and commands are meant by name.")
]
SiteFile = Annotated[
    Path | None, typer.Option("--site", metavar="FILE", help="A site file, in place of PORT and UNIT.")
]
Baud = Annotated[int | None, typer.Option("--baud", help="The profile's, or 9600, where left out.")]
Parity = Annotated[str | None, typer.Option("--parity", help="none, even or odd.")]
Stop = Annotated[int | None, typer.Option("--stop-bits", min=1, max=2)]
Channel = Annotated[int, typer.Option("--channel", help="For a profile with channels.")]
Type = Annotated[str, typer.Option("--type", help="Of registers by address: uint16, int32, float32, …")]
WordOrder = Annotated[str, typer.Option("--word-order", help="high_first or low_first.")]
Scale = Annotated[float, typer.Option("--scale", help="A register's value is its number * scale + offset.")]
Offset = Annotated[float, typer.Option("--offset")]
Every = Annotated[str | None, typer.Option("--every", metavar="TIME", help="Again and again, until Ctrl-C.")]


@app.callback()
def _verbs() -> None:
    """A bus: plan what it carries, find out what hangs on it, read and write single registers."""


@app.command()
def scan(
    port: Port, units: Units = None, baud: Bauds = None, parity: Parities = None, stop_bits: StopBits = None,
    all_rates: AllRates = False, framing: Framing = "tcp", wait: Wait = None, thorough: Thorough = False,
    dlt645: Dlt645 = False, output: Output = None, json: Json = False, pole: PoleName = "P0001", bus: BusName = None,
) -> None:  # fmt: skip
    """Find the units on a bus, recognise the devices, and write their part of the site file."""
    from device_profiles.schema import seconds
    from pole import bus_port, bus_scan

    try:
        ways = bus_port.buses(
            port, framing=framing, bauds=baud or (), parities=parity or (), stop_bits=stop_bits or (),
            all_rates=all_rates,
        )  # fmt: skip
        serial = port.startswith("/")
        if dlt645 and not serial:
            raise ValueError("--dlt645 needs a serial port (/dev/…)")
        if output is not None and output.exists():
            raise ValueError(f"--output {output} is there already: choose another name")
        if output is not None and not output.absolute().parent.is_dir():
            raise ValueError(f"--output {output}: there is no folder {output.absolute().parent}")
        asked = bus_port.units(units, serial=serial)
        patience = seconds(wait) if wait is not None else None
        bus_port.check_names(pole, bus)
    except ValueError as error:
        _fail(str(error))
    bus_scan.scan(
        ways, units=asked, wait=patience, thorough=thorough, dlt645=dlt645, output=output, as_json=json, pole=pole,
        bus=bus,
    )  # fmt: skip


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")],
    bus: Annotated[str | None, typer.Option("--bus", metavar="NAME", help="This bus alone.")] = None,
    json: Json = False,
) -> None:
    """What each bus will carry: load, real periods, what a dead device costs, and what to change."""
    from device_profiles.problems import FileProblem
    from pole import bus_plan

    try:
        fits = bus_plan.show(file, bus=bus, as_json=json)
    except (ValueError, FileProblem) as error:
        _fail(str(error))
    if not fits:
        raise typer.Exit(1)


@app.command()
def read(
    words: Words, profile: ProfileName = None, site: SiteFile = None, baud: Baud = None, parity: Parity = None,
    stop_bits: Stop = None, framing: Framing = "tcp", channel: Channel = 0, type: Type = "uint16",
    word_order: WordOrder = "high_first", scale: Scale = 1.0, offset: Offset = 0.0, every: Every = None,
    wait: Wait = None, json: Json = False,
) -> None:  # fmt: skip
    """Read points by name, or registers by address: raw words beside values."""
    from device_profiles.schema import seconds
    from pole import bus_points, signals
    from pole.bus_points import Numbers
    from pole.trial import rounds
    from pole.trial.way import Way

    _quiet_log()
    try:
        target = _target(words, profile, site, baud, parity, stop_bits, framing, channel)
        numbers = Numbers(type=type, word_order=word_order, scale=scale, offset=offset)
        asked = bus_points.asked(target.profile, target.what, numbers, seconds(wait) if wait else None)
        pause = seconds(every) if every else 0.0
        way = Way(profile=asked, given=target.given(), patience=0)
        last = signals.run_stoppable(rounds.shown(way, asked, once=every is None, as_json=json, pause=pause))
    except ValueError as error:
        _fail(str(error))
    if last is not None and len(last.shown) < len(asked.points):
        raise typer.Exit(1)


@app.command()
def write(
    words: Words, profile: ProfileName = None, site: SiteFile = None, baud: Baud = None, parity: Parity = None,
    stop_bits: Stop = None, framing: Framing = "tcp", channel: Channel = 0, type: Type = "uint16",
    word_order: WordOrder = "high_first", scale: Scale = 1.0, offset: Offset = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="A register is written without asking.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Write once: a profile's command (set_level=60), or a register that nothing checks (holding:0x10=5)."""
    from pole import bus_order, bus_write
    from pole.bus_points import Numbers

    _quiet_log()
    try:
        target = _target(words, profile, site, baud, parity, stop_bits, framing, channel)
        wanted = bus_order.order(target, Numbers(type=type, word_order=word_order, scale=scale, offset=offset))
        done = bus_write.write(target, wanted, is_sure=yes, as_json=json)
    except ValueError as error:
        _fail(str(error))
    if not done:
        raise typer.Exit(1)


def _target(
    words: list[str], profile: str | None, site: Path | None, baud: int | None, parity: str | None,
    stop_bits: int | None, framing: str, channel: int,
) -> "Target":  # fmt: skip
    from pole import bus_target

    if site is None:
        return bus_target.of_port(
            words, profile=profile, baud=baud, parity=parity, stop_bits=stop_bits, framing=framing, channel=channel
        )
    if profile or baud or parity or stop_bits or channel or framing != "tcp":
        raise ValueError("--site says how the device is reached, and what it is: leave the other options out")
    return bus_target.of_site(site, words)


def _quiet_log() -> None:
    import logging

    import structlog

    from pole import logs

    logs.set_up(as_json=False)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _fail(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    raise typer.Exit(2)
