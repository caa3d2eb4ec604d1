"""A small JSON document on disk that is always whole: what was written last, or what was written before it."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger("gateway")


def write(path: Path, document: Mapping[str, object]) -> None:
    """Durable when it returns. Raises OSError."""
    text = json.dumps(document, ensure_ascii=False)
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(f"{_digest(text)} {text}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # otherwise a power cut may bring the old name back
    finally:
        os.close(folder)


def read(path: Path) -> dict[str, Any] | None:
    """None where there is none; a damaged one is told in the log, and is none."""
    try:
        digest, _, text = path.read_text(encoding="utf-8").rstrip("\n").partition(" ")
        if digest != _digest(text):
            raise ValueError("its checksum is wrong")
        document = json.loads(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.error("a file of the gateway is damaged and left out of account", file=str(path), error=str(error))
        return None
    return document if isinstance(document, dict) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
