"""`pole flash`: a bare controller at a serial port becomes the controller of a pole."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pole.flash import FlashError
    from pole.flash.sheet import Sheet
    from pole.flash.steps import Steps

SheetsFolder = Annotated[Path, typer.Option("--sheets", metavar="FOLDER", help="Where the acceptance sheet is saved.")]
SiteFile = Annotated[Path, typer.Option("--site", metavar="FILE", help="The site file.")]
Node = Annotated[str | None, typer.Option("--node", metavar="NAME", help="The controller, where the pole has several.")]
ReleaseKey = Annotated[
    Path | None,
    typer.Option(
        "--release-key", metavar="FILE", help="The public key that updates are signed for; release.key beside the site."
    ),
]
Engineer = Annotated[str, typer.Option("--engineer", metavar="NAME", help="For the sheet: who did it.")]
Force = Annotated[bool, typer.Option("--force", help="Write everything, also what is right already.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def flash(
    port: Annotated[str, typer.Option("--port", metavar="PORT", help="/dev/serial/by-id/…, or /dev/ttyUSB0.")],
    board: Annotated[str, typer.Option("--board", help="esp32 or rp2; simulated: an emulated one, without firmware.")],
    pole: Annotated[str, typer.Option("--pole", metavar="NAME", help="The pole that the controller is for.")],
    site: SiteFile = Path("site.yaml"),
    node: Node = None,
    firmware: Annotated[
        Path | None,
        typer.Option("--firmware", metavar="FILE", help="MicroPython's official .bin (ESP32) or .uf2 (RP2040)."),
    ] = None,
    drive: Annotated[
        Path | None,
        typer.Option("--drive", metavar="FOLDER", help="rp2: where RPI-RP2 is mounted, if it is not found."),
    ] = None,
    release_key: ReleaseKey = None,
    engineer: Engineer = "",
    sheets: SheetsFolder = Path(),
    baud: Annotated[int, typer.Option("--baud", help="esp32: speed at which firmware is written.")] = 460_800,
    erase: Annotated[
        bool, typer.Option("--erase", help="Empty the controller first. Readings that are not stored yet are lost.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Flash a pole controller: firmware, agent, identity and site part; test it; write its acceptance sheet."""
    from pole.flash import FlashError
    from pole.flash.firmware import OFFICIAL
    from pole.flash.run import Order, flash
    from pole.flash.steps import Steps

    if board not in (*OFFICIAL, "simulated"):
        _wrong(f"--board {board}: write esp32, rp2 or simulated. A Linux controller is set up by `pole edge install`.")
    if firmware is not None and board == "simulated":
        _wrong("--firmware: an emulated controller takes none")
    order = Order(
        port=port, board=board, site=site, pole=pole, node=node, firmware=firmware, drive=drive,
        release_key=release_key, engineer=engineer, baud=baud, erase=erase, force=force,
    )  # fmt: skip
    with Steps() as steps:
        try:
            sheet = flash(order, steps)
        except FlashError as error:
            fail(error, steps, as_json=json)
        except KeyboardInterrupt:
            print("Stopped. What was written is kept, and nothing starts yet: run again.", file=sys.stderr)
            raise typer.Exit(130) from None
    finish(sheet, steps, sheets, as_json=json)


def finish(sheet: "Sheet", steps: "Steps", folder: Path, *, as_json: bool, tested: bool = True) -> None:
    """Shows and saves the sheet. Exits with 1 when a check failed; without a test there is nothing to accept."""
    from dataclasses import asdict

    try:
        files = [str(path) for path in sheet.save(folder, datetime.now().astimezone())]
    except OSError as error:
        print(f"--sheets {folder}: the sheet could not be saved: {error.strerror}", file=sys.stderr)
        files = []
    if as_json:
        document = {**sheet.document(), "steps": [asdict(step) for step in steps.done], "files": files}
        print(json.dumps(document, ensure_ascii=False))
    else:
        sheet.show()
        for name in files:
            print(f"saved {name}")
    if (tested and not sheet.accepted) or not files:
        raise typer.Exit(1)


def fail(error: "FlashError", steps: "Steps", *, as_json: bool) -> NoReturn:
    """Says what went wrong and what to do, and exits with 1."""
    from dataclasses import asdict

    if as_json:
        failed = {"accepted": False, "reason": error.reason, "remedy": error.remedy}
        print(json.dumps({**failed, "steps": [asdict(step) for step in steps.done]}, ensure_ascii=False))
    else:
        print(error, file=sys.stderr)
    raise typer.Exit(1)


def _wrong(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    raise typer.Exit(2)
