"""`pole edge part`: the folder of a controller as `pole flash` copies it, for a simulated board, or to look at."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from device_profiles.site import Site

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
COMPILED = ("esp32", "rp2")  # boards whose TLS reads certificates as DER


def part(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site file (YAML).")],
    node: Annotated[str, typer.Option("--node", metavar="NAME", help="Which of the site's controllers.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the files are written.")],
    as_json: Json = False,
) -> None:
    """Write what a controller is given of a site: configuration, poll plan, birth, commands and secrets."""
    from device_profiles import controller_part, loader
    from device_profiles import site as sites
    from pole.flash import FlashError, contents

    found = sites.load(site)
    if node not in found.controllers:
        _fail(f"{site}: --node {node} is no controller of this file. {_known(found, node)}")
    controller = found.controllers[node]
    try:
        secrets = contents.secrets(controller, der=controller.board in COMPILED) if controller.broker else {}
        files = controller_part.part(found, node, loader.profiles())
        out.mkdir(parents=True, exist_ok=True)
        for name in contents.SECRETS:
            (out / name).unlink(missing_ok=True)  # of a site that named them before
        for name, data in files.items():
            (out / name).write_bytes(data)
        for name, data in secrets.items():
            _write_secret(out / name, data)
    except FlashError as error:
        _fail(f"{error.reason} {error.remedy}")
    except OSError as error:
        _fail(f"--out {out}: {error.filename or out}: {error.strerror}. Name a folder that can be written.")
    sizes = {name: len(data) for name, data in files.items()}
    if as_json:
        print(json.dumps({"node": node, "board": controller.board, "folder": str(out), "files": sizes,
                          "secrets": sorted(secrets)}))  # fmt: skip
        return
    for name, size in sizes.items():
        print(f"{size:>7} bytes  {out / name}")
    for name in sorted(secrets):
        print(f"{'secret':>13}  {out / name}")


def _known(found: "Site", node: str) -> str:
    from device_profiles.wording import suggestion

    return suggestion(node, found.controllers).strip() or f"It has {', '.join(found.controllers) or 'none'}."


def _write_secret(path: Path, data: bytes) -> None:
    """Nobody else can read it, not even while it is written."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(data)


def _fail(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)
