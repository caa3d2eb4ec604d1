"""What a process does to its files, as the kernel saw it (strace), and the disks that a power cut may leave of it.

A write counts as durable once its file is synced, a name once its folder is. What is not, may be there, or not, or in
part: sector by sector, in any order, with zeros where a file had grown.
"""

import functools
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
ODD = (1, 24, 100, 4095)  # bytes of a write that may be there alone, beside whole sectors
CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,truncate,fallocate,"
    "unlink,unlinkat,rename,renameat,renameat2,link,linkat"
)


@dataclass(frozen=True)
class Step:
    """kind: write, truncate, sync, create, unlink, rename, or say (text that the process printed)."""

    kind: str
    path: str = ""
    at: int = 0
    data: bytes = b""
    to: str = ""


def record(command: list[str], folder: Path) -> list[Step]:
    """Runs the command to its end; what it did in the folder, and what it said, in order."""
    with tempfile.NamedTemporaryFile(suffix=".strace") as trace:
        strace = ["strace", "-f", "-qq", "-y", "-xx", "-s", "4000000", "-e", f"trace={CALLS}", "-e", "signal=none"]
        done = subprocess.run([*strace, "-o", trace.name, *command], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        lines = Path(trace.name).read_text().splitlines()
    known: set[str] = set()
    steps = []
    for call, arguments, result in _calls(lines):
        step = _step(call, arguments, result, f"{folder}/", known)
        if step is not None:
            steps.append(step)
    return steps


def can_record() -> str | None:
    """None, or why not."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: strace)"
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


def _calls(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    """(name, arguments, result) of each that succeeded; a call that another thread's cut in two is put together."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[thread] = text.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", text):
            text = begun.pop(thread) + text[resumed.end() :]
        if (call := re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", text)) and int(call[3]) >= 0:
            yield call[1], call[2], int(call[3])


def _text(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def _step(call: str, arguments: str, result: int, folder: str, known: set[str]) -> Step | None:
    strings = [_text(each) for each in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)]
    opened = [_text(each).decode() for each in re.findall(r"^\d+<((?:\\x[0-9a-f]{2})*)>", arguments)]
    path = (opened or [strings[0].decode() if strings else ""])[0]
    if call == "write" and arguments.startswith("1<"):
        return Step("say", data=strings[0])
    if not path.startswith(folder) and f"{path}/" != folder:
        return None
    if call in ("openat", "open", "creat"):
        new = "O_CREAT" in arguments and path not in known
        known.add(path)
        assert "O_TRUNC" not in arguments or new, "to be recorded as a truncation"
        return Step("create", path) if new else None
    if call == "pwrite64":
        return Step("write", path, int(arguments.rsplit(",", 1)[1]), strings[0][:result])
    if call == "ftruncate":
        return Step("truncate", path, int(arguments.rsplit(",", 1)[1]))
    if call in ("fsync", "fdatasync"):
        return Step("sync", path)
    if call == "unlink":
        known.discard(path)
        return Step("unlink", path)
    if call == "rename":
        known.discard(path)
        known.add(strings[1].decode())
        return Step("rename", path, to=strings[1].decode())
    if call == "write" and path.endswith(".ballast"):
        return Step("write", path, 0, strings[0][:result])
    raise AssertionError(f"{call}({arguments[:200]}): not known to the recorder")


@dataclass
class _File:
    durable: bytes = b""
    pending: list[Step] = field(default_factory=list)


Image = dict[str, bytes]  # path: content


class Disk:
    """Takes one step after the other; cuts() are the disks that a power cut would leave now."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}  # as running programs see them
        self._durable_names: dict[str, _File] = {}
        self._pending_names: list[Step] = []
        self._files: dict[str, _File] = {}

    def take(self, step: Step) -> None:
        if step.kind == "sync" and step.path not in self._names:  # a folder
            self._durable_names, self._pending_names = dict(self._names), []
        elif step.kind == "sync":
            file = self._names[step.path]
            file.durable, file.pending = _after(file.durable, file.pending), []
        elif step.kind in ("write", "truncate"):
            self._names[step.path].pending.append(step)
        elif step.kind == "create":
            self._files[step.path] = _File()
            self._pending_names.append(step)
            self._rename(self._names, step)
        elif step.kind in ("unlink", "rename"):
            self._pending_names.append(step)
            self._rename(self._names, step)

    def cuts(self, source: random.Random, *, torn: int | None, mixed: int) -> Iterator[Callable[[], Image]]:
        """torn: of the last write, at so many places (None: at all of them). mixed: so many of any subset."""
        for names in (self._names, self._durable_names):
            yield functools.partial(self._image, names, lambda pending: pending)
            yield functools.partial(self._image, names, lambda pending: [])
        for count in range(1, len(self._pending_names)):
            yield functools.partial(self._image, self._names_after(count), lambda pending: pending)
        for file in self._names.values():
            if file.pending and file.pending[-1].kind == "write":
                yield from self._torn(file.pending, source, torn)
        for _ in range(mixed):
            names = self._names_after(source.randint(0, len(self._pending_names)))
            yield functools.partial(self._image, names, lambda pending: _mixed(pending, source))

    def _torn(self, whole: list[Step], source: random.Random, count: int | None) -> Iterator[Callable[[], Image]]:
        *before, last = whole
        places = [*range(SECTOR, len(last.data), SECTOR), *(at for at in ODD if at < len(last.data))]
        for at in places if count is None else source.sample(places, min(count, len(places))):
            part = [*before, Step("write", last.path, last.at, last.data[:at])]

            def chosen(pending: list[Step], part: list[Step] = part) -> list[Step]:
                return part if pending is whole else pending

            yield functools.partial(self._image, self._names, chosen)

    def _names_after(self, count: int) -> "dict[str, _File]":
        names = dict(self._durable_names)
        for step in self._pending_names[:count]:
            self._rename(names, step)
        return names

    def _rename(self, names: "dict[str, _File]", step: Step) -> None:
        if step.kind == "create":
            names[step.path] = self._files[step.path]
        elif (file := names.pop(step.path, None)) is not None and step.kind == "rename":
            names[step.to] = file

    def _image(self, names: "dict[str, _File]", chosen: Callable[[list[Step]], list[Step]]) -> Image:
        return {path: _after(file.durable, chosen(file.pending)) for path, file in names.items()}


def _after(content: bytes, steps: list[Step]) -> bytes:
    if not steps:
        return content
    out = bytearray(content)
    for step in steps:
        if step.kind == "truncate":
            out = out[: step.at].ljust(step.at, b"\0")
        else:
            out = out.ljust(step.at, b"\0")
            out[step.at : step.at + len(step.data)] = step.data
    return bytes(out)


def _mixed(pending: list[Step], source: random.Random) -> list[Step]:
    """Some of it, some in part, some as zeros; in another order where the parts do not overlap is the same."""
    out = []
    for step in pending:
        fate = source.choice(("all", "all", "none", "part", "zeros"))
        if fate == "none" or step.kind == "truncate":
            out += [step] if fate != "none" else []
            continue
        data = bytes(len(step.data)) if fate == "zeros" else step.data
        first, last = (0, len(data)) if fate != "part" else sorted(source.choices(range(len(data) + 1), k=2))
        out.append(Step("write", step.path, step.at + first, data[first:last]))
    return out
