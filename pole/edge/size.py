"""`pole edge size`: what the agent takes of a controller's flash and heap."""

import json
import sys
from typing import Annotated

import typer

from pole.edge.bundle import BOARDS


def size(
    board: Annotated[str, typer.Option("--board", help=f"one of {', '.join(BOARDS)}")] = "esp32",
    heap: Annotated[bool, typer.Option("--heap/--no-heap", help="measure the heap too: three minutes")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """What the agent takes of a controller: flash by module, and heap while it idles, publishes and is updated.

    Exits 1 when it takes more than is promised.
    """
    from rich.console import Console

    from bench import edge_size

    if board not in BOARDS:
        print(f"--board {board}: not a board; they are {', '.join(BOARDS)}", file=sys.stderr)
        sys.exit(2)
    result = edge_size.run(
        board=board, heap=heap, told=lambda line: print(line, file=sys.stderr, flush=True)
    )  # fmt: skip
    if as_json:
        print(json.dumps(result))
    else:
        Console().print(edge_size.show(result))
    if not all(row["kept"] for row in result["verdicts"]):
        sys.exit(1)
