"""`pole edge install`: this machine, or a folder that becomes one, gets the agent of a controller, as a service."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pole.flash.verb import Engineer, Force, Json, Node, ReleaseKey, SheetsFolder, SiteFile, fail, finish


def install(
    pole: Annotated[str, typer.Option("--pole", metavar="NAME", help="The pole that the controller is for.")],
    site: SiteFile = Path("site.yaml"),
    node: Node = None,
    root: Annotated[
        Path, typer.Option("--root", metavar="FOLDER", help="Install into a folder: an image that is being built.")
    ] = Path("/"),
    python: Annotated[str, typer.Option("--python", metavar="PATH", help="The Python that runs the agent.")] = (
        "/usr/bin/python3"
    ),
    self_test: Annotated[
        bool | None,
        typer.Option("--self-test/--no-self-test", help="Try bus, sensors and broker. With --root not, unless asked."),
    ] = None,
    release_key: ReleaseKey = None,
    engineer: Engineer = "",
    sheets: SheetsFolder = Path(),
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Set up a Linux controller: agent, identity, site part, account and service; test it; write its sheet."""
    from pole.edge.installation import Order, carry_out
    from pole.flash import FlashError
    from pole.flash.steps import Steps

    root = root.absolute()
    tests = (root == Path("/")) if self_test is None else self_test
    order = Order(root, python, tests and not dry_run, force, dry_run, engineer)
    with Steps() as steps:
        try:
            sheet = carry_out(order, steps, site=site, pole=pole, node=node, release_key=release_key)
        except FlashError as error:
            fail(error, steps, as_json=json)
        except KeyboardInterrupt:
            print("Stopped. What was written is kept: run again.", file=sys.stderr)
            raise typer.Exit(130) from None
    if dry_run:
        return
    finish(sheet, steps, sheets, as_json=json, tested=order.tests)
