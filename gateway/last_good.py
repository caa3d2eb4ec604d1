"""The configuration that was in force last, beside the spool: for a start with a bad site file, or with none."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.disk import document

log = structlog.get_logger("configuration")

_ENDING = ".config.json"


@dataclass(frozen=True)
class LastGood:
    """file: the site file when it was good last. broker: what came by down/config, where that is in force.

    heard: sha of the latest that came by down/config; at the next connection it is told again. refused: the newest
    offer, as the status tells it, where it was refused. looked: sha of the site file when it was judged last; empty
    in a document that is older than this key.
    """

    node: str
    file: bytes
    broker: bytes | None
    heard: str | None
    refused: dict[str, object] | None
    looked: str


def read(spool: Path) -> LastGood | None:
    """What was kept beside this spool."""
    return _read(spool.with_name(spool.name + _ENDING))


def find(folder: Path, node: str | None) -> LastGood | None:
    """What was kept for a site file of this folder that cannot be read; None where it might be several."""
    pattern = f"{node}.db{_ENDING}" if node else f"*.db{_ENDING}"
    found = list(folder.glob(pattern))
    return _read(found[0]) if len(found) == 1 else None


def write(spool: Path, folder: Path, kept: LastGood) -> None:
    """folder: the site file's. A spool elsewhere is pointed to from there, because only a good site file names it."""
    path = spool.with_name(spool.name + _ENDING)
    pointer = folder / f"{kept.node}.db{_ENDING}"
    try:
        document.write(
            path,
            {
                "node": kept.node, "file": kept.file.decode("utf-8"),
                "broker": None if kept.broker is None else kept.broker.decode("utf-8"), "heard": kept.heard,
                "refused": kept.refused, "looked": kept.looked,
            },
        )  # fmt: skip
        if not pointer.exists() or not pointer.samefile(path):
            pointer.unlink(missing_ok=True)
            pointer.symlink_to(path.resolve())
    except OSError as error:
        log.error("the configuration is not kept: a start with a bad site file would fail", error=str(error))


def _read(path: Path) -> LastGood | None:
    kept = document.read(path)
    if kept is None:
        return None
    broker = kept["broker"]
    return LastGood(
        node=kept["node"], file=kept["file"].encode(), broker=broker.encode() if broker is not None else None,
        heard=kept["heard"], refused=kept["refused"], looked=kept.get("looked", ""),
    )  # fmt: skip
