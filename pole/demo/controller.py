"""A pole controller of the demo or the fleet: the agent as `pole flash` puts it on a board that is this machine.

It runs on MicroPython in a controller's heap where `make demo` could fetch one, else on CPython.
"""

import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from pole.demo.processes import Service
from pole.demo.watch import Watch
from pole.edge import bundle
from pole.flash import order
from simulators.city import BOARD


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """compiled: it takes .mpy. rom: it runs them in place, as firmware with ROMFS does."""

    name: str
    command: tuple[str, ...]
    compiled: bool
    rom: bool


def interpreter(tools: Path = bundle.ROOT / ".tools") -> Interpreter:
    """The one most like a controller that is there."""
    # files play the pins and take some of the heap; 64-bit words take twice the room
    for program, heap, name in (("micropython32", "56K", "32-bit"), ("micropython", "160K", "64-bit")):
        if (tools / program).exists():
            command = (str(tools / program), "-X", f"heapsize={heap}")
            return Interpreter(name=f"MicroPython {name}", command=command, compiled=True, rom=name == "32-bit")
    return Interpreter(name="CPython", command=(sys.executable,), compiled=False, rom=False)


class Controller(Service):
    """One of the parts, as the others. pole: where it hangs. root: its folder, which is its disk."""

    def __init__(self, *, node: str, pole: str, root: Path, site: Path, log: Path, watch: Watch) -> None:
        self._interpreter = interpreter()
        super().__init__(name=node, command=[*self._interpreter.command, str(root / "main.py")], log=log, watch=watch)
        self._pole = pole
        self._root = root
        self._site = site

    @property
    def what(self) -> str:
        """Its board and its interpreter."""
        return f"{BOARD}, {self._interpreter.name}"

    def flash(self) -> None:
        """Writes agent, site part and secrets into its folder; its journal stays. Raises FlashError, FileProblem."""
        made = order.prepare(
            self._site, pole=self._pole, node=self.name, board=BOARD, release_key=None,
            compiled=self._interpreter.compiled,
        ).contents  # fmt: skip
        shutil.rmtree(self._root / "a", ignore_errors=True)  # an earlier run may have had another interpreter
        for name in ("machine.py", "rom.img"):
            (self._root / name).unlink(missing_ok=True)
        files = {**made.files, **made.last}
        if self._interpreter.compiled:
            files["machine.py"] = (bundle.ROOT / "simulators" / "unix_machine.py").read_bytes()
        if self._interpreter.rom:
            files["rom.img"] = bundle.rom_image({name.partition("/")[2]: data for name, data in made.code.items()})
        for name, data in files.items():
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in made.secrets:
                path.touch(mode=0o600)
            path.write_bytes(data)

    async def start(self) -> None:
        """Switched on. flash() was called before."""
        if self.ended == -signal.SIGALRM:  # who starts it plays the hardware (edge/boards/simulated.py)
            (self._root / "reset").write_text("watchdog")
        await super().start()
