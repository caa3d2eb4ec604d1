"""`pole bus`: what hangs on a bus, and single registers of it."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

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
Dlt645 = Annotated[bool, typer.Option("--dlt645", help="Ask for a DL/T 645 meter as well (serial ports).")]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write the fragment there.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
PoleName = Annotated[str, typer.Option("--pole", help="For the fragment: the pole that the devices hang on.")]
BusName = Annotated[str | None, typer.Option("--bus", help="For the fragment: the bus's name.")]


@app.callback()
def _verbs() -> None:
    """A bus: find out what hangs on it, read and write single registers."""


@app.command()
def scan(
    port: Port, units: Units = None, baud: Bauds = None, parity: Parities = None, stop_bits: StopBits = None,
    all_rates: AllRates = False, framing: Framing = "tcp", wait: Wait = None, dlt645: Dlt645 = False,
    output: Output = None, json: Json = False, pole: PoleName = "P0001", bus: BusName = None,
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
        asked = bus_port.units(units, serial=serial)
        patience = seconds(wait) if wait is not None else None
        bus_port.check_names(pole, bus)
    except ValueError as error:
        _fail(str(error))
    bus_scan.scan(
        ways, units=asked, wait=patience, dlt645=dlt645, output=output, as_json=json, pole=pole, bus=bus
    )  # fmt: skip


def _fail(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    raise typer.Exit(2)
