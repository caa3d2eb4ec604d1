"""A disk of limited size that can be filled: a tmpfs where the process may mount one, else an ordinary folder."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

MEGABYTES = 64
CHUNK = bytes(1 << 20)


class Disk:
    """kind: "tmpfs", or "" where nothing could be mounted; then it cannot be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kind = ""

    def __enter__(self) -> Self:
        self.folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", str(self.folder)]
        with contextlib.suppress(OSError):
            if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
                self.kind = "tmpfs"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.kind:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left, until it is over."""
        filler = self.folder / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(CHUNK):
                    pass
            yield
        finally:
            filler.unlink(missing_ok=True)
