"""Draw docs/fleet.svg: the view of a real `pole fleet run --scenario storm --poles 500`, some time into the storm.

.venv/bin/python scripts/fleet_picture.py [SECONDS [SPEED]]
"""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from pole.fleet.folder import RunFolder
from pole.fleet.plan import planned
from pole.fleet.run import Run
from pole.fleet.state import State
from pole.fleet.view import View

COMMAND = "pole fleet run --scenario storm --poles 500"
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "fleet.svg"
COLUMNS, LINES = 140, 31


class Camera:
    """A display that takes one picture, and ends the run then."""

    def __init__(self, *, view: View, at_s: int, stop: asyncio.Event) -> None:
        self._view = view
        self._at_s = at_s
        self._stop = stop

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)

    def show(self, state: State) -> None:
        if state.said.get("world_s", 0) < self._at_s or self._stop.is_set():
            return
        console = Console(width=COLUMNS, height=LINES, record=True, force_terminal=True, file=io.StringIO())
        console.print(self._view.render(state, COLUMNS, LINES))
        console.save_svg(str(PICTURE), title=COMMAND)
        self._stop.set()

    def end(self) -> None:
        pass


async def picture(at_s: int, speed: float, root: Path) -> None:
    stop = asyncio.Event()
    folder = RunFolder(root / "fleet-run", planned("storm", poles=500, speed=speed))
    commands = [
        (what, "pole" + line[line.index(verb) :].replace(f"{root}/", ""))
        for (what, line), verb in zip(folder.commands(), (" query", " reconcile"), strict=True)
    ]
    outcome = await Run(folder=folder, display=Camera(view=View(commands=commands), at_s=at_s, stop=stop)).run(stop)
    print(outcome.json_line("fleet-run"), file=sys.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(picture(int((sys.argv[1:] or ["115"])[0]), float((sys.argv[2:] or ["1"])[0]), Path(name)))
