"""A controller that is this machine: its folder, and its Python. The same shape as a board on a serial port."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from pole.flash import ControllerError, FlashError

ANSWER_S = 60.0


class Folder:
    """Files under `path`, which may not exist yet. Each is there as a whole or not at all, and only for its user."""

    def __init__(self, path: Path, *, owner: tuple[int, int] | None = None) -> None:
        self.path = path
        self._owner = owner

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """SHA-256 in hexadecimal digits of the files that are there."""
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[name] = sha256((self.path / name).read_bytes()).hexdigest()
        return found

    def files(self, folder: str) -> set[str]:
        """Every file under a folder."""
        paths = (self.path / folder).rglob("*")
        return {path.relative_to(self.path).as_posix() for path in paths if not path.is_dir()}

    def write(self, name: str, data: bytes, *, private: bool = False) -> None:
        """Durable when it returns. private: for the controller's user alone."""
        path = self.path / name
        new = path.with_name(path.name + ".new")
        try:
            self._make(path.parent)
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o640)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._own(new)
            new.replace(path)
        except OSError as error:
            raise FlashError(
                f"{path} cannot be written: {error.strerror}.",
                "Run as root (sudo), with room on the disk, and with a --root that may be written.",
            ) from None

    def remove(self, name: str) -> None:
        """Nothing happens when it is not there."""
        (self.path / name).unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def room(self) -> int:
        """Bytes that are free."""
        there = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
        return shutil.disk_usage(there).free

    def _make(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o750 if self.path in (each, *each.parents) else 0o755)
            if self.path in (each, *each.parents):
                self._own(each)

    def _own(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, *self._owner)


class LocalPython:
    """Runs code in a Python of its own, as the agent's user where there is one: its rights are what is tried."""

    def __init__(self, *, python: str, identity: Mapping[str, object] | None = None) -> None:
        self._words = [python, "-I", "-B", "-c"]
        self._identity = dict(identity or {})

    def run(self, code: str, *, patience: float = ANSWER_S) -> str:
        """What it prints. Raises ControllerError for what it raises."""
        try:
            run = subprocess.run(
                [*self._words, code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience,
                cwd="/", **self._identity,  # type: ignore[call-overload]
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ControllerError(f"A command took more than {patience:.0f} s.", "Run again.") from None
        except OSError as error:
            raise FlashError(
                f"--python {self._words[0]} cannot be run: {error.strerror}.",
                "Name the machine's Python, 3.11 or newer.",
            ) from None
        if run.returncode:
            last = (run.stderr.strip().splitlines() or ["an error without words"])[-1]
            raise ControllerError(f"Its Python failed: {last}", "Look at --python, and at the user's groups.")
        return str(run.stdout)
