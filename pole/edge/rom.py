"""`pole edge rom`: the agent as a ROMFS image, for firmware that runs code in place."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

import edge
from pole.edge.bundle import BOARDS


def rom(
    board: Annotated[str, typer.Option("--board", help=f"one of {', '.join(BOARDS)}")] = "esp32",
    out: Annotated[
        Path | None, typer.Option("--out", help="where to write it; multipole-VERSION-BOARD.romfs if left out")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of text")] = False,
) -> None:
    """Build the agent as a ROMFS image: a controller whose firmware has room for one runs it from flash, not from RAM.

    The guard takes it when it is of the version that its slot holds. Write it with: mpremote romfs deploy FILE
    """
    from pole.edge import bundle

    if board not in BOARDS:
        print(f"--board {board}: not a board; they are {', '.join(BOARDS)}", file=sys.stderr)
        sys.exit(2)
    path = out or Path(f"multipole-{edge.VERSION}-{board}.romfs")
    try:
        with tempfile.TemporaryDirectory() as folder:
            names = bundle.build(Path(folder), bundle.modules(board))
            files = {name: (Path(folder) / name).read_bytes() for name in names}
        image = bundle.rom_image({**files, "version": edge.VERSION.encode()})
        path.write_bytes(image)
    except (RuntimeError, OSError) as error:
        print(json.dumps({"error": str(error)}) if as_json else error, file=sys.stderr)
        sys.exit(1)
    said = {"file": str(path), "board": board, "version": edge.VERSION, "bytes": len(image)}
    print(json.dumps(said) if as_json else f"{path}: {len(image):,} bytes. Write it with: mpremote romfs deploy {path}")
