"""One replay at a time on a machine: of several workers, and of an operator beside them."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def taken(path: Path) -> Iterator[bool]:
    """False while somebody else has it; it ends with the process, however that ends. Raises OSError."""
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(target)
