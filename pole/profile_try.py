"""`pole profile try`: a profile against a device, live."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from device_profiles.schema import Profile
    from pole.trial.outcome import Round
    from pole.trial.way import Way

SOURCE_LEAST = 10  # characters; the schema's own limit

File = Annotated[Path, typer.Argument(help="The profile's file.")]
PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PATH|HOST[:PORT]", help="A serial port (/dev/…), or a device on the network."),
]
BaudOption = Annotated[int | None, typer.Option("--baud", help="Where it is not the factory setting.")]
ParityOption = Annotated[str | None, typer.Option("--parity", help="none, even or odd.")]
StopOption = Annotated[int | None, typer.Option("--stop-bits", min=1, max=2)]
UnitOption = Annotated[int | None, typer.Option("--unit", min=0, max=255, help="Modbus unit id.")]
ChannelOption = Annotated[int, typer.Option("--channel", min=0, help="For a profile with channels.")]
FramingOption = Annotated[
    str, typer.Option("--framing", help="tcp, or rtu for a converter that sends RTU frames over TCP.")
]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="Meter number, station, charge point, DevEUI: who is meant.")
]
ListenOption = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where stations (hj212) or chargers (ocpp) dial in.")
]
BrokerOption = Annotated[
    str | None, typer.Option("--broker", metavar="URL", help="ChirpStack's broker: mqtt://host:1883.")
]
UserOption = Annotated[str | None, typer.Option("--user")]
PasswordOption = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Its first line is the password.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other key of such a bus in a site file.")
]
EmulateOption = Annotated[
    str | None,
    typer.Option("--emulate", metavar="FILE|PROFILE", help="No device? Try against an emulated one of this profile."),
]
OnceOption = Annotated[bool, typer.Option("--once", help="One reading, then leave.")]
JsonOption = Annotated[bool, typer.Option("--json", help="A JSON document for each reading, one a line.")]
EveryOption = Annotated[str, typer.Option("--every", metavar="TIME")]
WaitOption = Annotated[
    str, typer.Option("--wait", metavar="TIME", help="How long a device that speaks by itself is waited for.")
]
RecordOption = Annotated[
    bool, typer.Option("--record", help="Write one reading as the golden file beside the profile.")
]
SourceOption = Annotated[str | None, typer.Option("--source", help="For --record: whose device, where, when.")]
YesOption = Annotated[bool, typer.Option("--yes", help="For --record: overwrite without asking.")]


def try_profile(
    file: File, port: PortOption = None, baud: BaudOption = None, parity: ParityOption = None,
    stop_bits: StopOption = None, unit: UnitOption = None, channel: ChannelOption = 0, framing: FramingOption = "tcp",
    address: AddressOption = None, listen: ListenOption = None, broker: BrokerOption = None, user: UserOption = None,
    password_file: PasswordOption = None, settings: SetOption = None, emulate: EmulateOption = None,
    once: OnceOption = False, as_json: JsonOption = False, every: EveryOption = "2s", wait: WaitOption = "90s",
    record: RecordOption = False, source: SourceOption = None, yes: YesOption = False,
) -> None:  # fmt: skip
    """Read a device as a profile says: raw words beside values, and what looks wrong."""
    import logging

    import structlog

    from device_profiles import loader
    from device_profiles.schema import seconds
    from pole import logs, signals
    from pole.trial import rounds
    from pole.trial.way import Given, Way

    logs.set_up(as_json=False)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    profile = loader.load(file, draft=True)
    given = Given(
        port=port, baud=baud, parity=parity, stop_bits=stop_bits, unit=unit, channel=channel, framing=framing,
        address=address, listen=listen, broker=broker, user=user, password_file=password_file,
        settings=tuple(settings or ()), stand_in=_stand_in(emulate), record=record,
    )  # fmt: skip
    try:
        pause, patience = seconds(every), seconds(wait)
        way = Way(profile=profile, given=given, patience=patience)
        if record and source is None and emulate is None:
            source = _asked_source()
        if record:
            _check_record(profile, source, channel)
        last = signals.run_stoppable(rounds.shown(way, profile, once=once or record, as_json=as_json, pause=pause))
    except ValueError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        return
    if last is None:
        return
    if not last.answered:
        raise typer.Exit(1)
    if record:
        _record(file, profile, last, way, source, yes)


def _stand_in(emulate: str | None) -> "Profile | None":
    from device_profiles import loader

    if emulate is None:
        return None
    path = Path(emulate)
    return loader.load(path, draft=True) if path.suffix == ".yaml" else loader.profile(emulate)


def _asked_source() -> str:
    if not sys.stdin.isatty():
        raise ValueError("--record needs --source: whose device was it, where and when, in 10 characters or more")
    return str(typer.prompt("Whose device is this, where and when (goes into the file as its source)"))


def _check_record(profile: "Profile", source: str | None, channel: int) -> None:
    if source is not None and len(source.strip()) < SOURCE_LEAST:
        raise ValueError(f"--source {source!r} is too short: whose device was it, where and when")
    if channel:
        raise ValueError("a golden file shows channel 0: record without --channel")


def _record(file: Path, profile: "Profile", done: "Round", way: "Way", source: str | None, yes: bool) -> None:
    from pole.trial import golden

    path = golden.beside(file)
    _doubt(done, yes)
    done = way.recorded(done)
    try:
        text = golden.text(profile, done, framing=way.framing, source=way.source(source), recorded=way.is_real)
    except ValueError as error:
        _fail(str(error), 1)
    changes = golden.difference(path, text)
    if path.exists() and changes:
        print(changes, end="")
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"overwrite {path}?")):
            _fail(f"{path} is left as it was; --yes overwrites it", 1)
    path.write_text(text, encoding="utf-8")
    count = len(done.exchanges)
    print(f"wrote {path}: {count} exchange{'' if count == 1 else 's'}; then: pole profile check {file}")


def _doubt(done: "Round", yes: bool) -> None:
    """What looks wrong is not recorded unasked: a golden file says what is right."""
    doubtful = [name for name, each in done.shown.items() if each.hints]
    if not doubtful or yes:
        return
    told = f"{', '.join(doubtful)}: looks wrong, see above"
    if not (sys.stdin.isatty() and typer.confirm(f"{told}. Record it as it is?")):
        _fail(f"{told}. Mend the profile first; --yes records it as it is", 1)


def _fail(reason: str, code: int) -> NoReturn:
    print(reason, file=sys.stderr)
    raise typer.Exit(code)
