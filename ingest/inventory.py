"""The inventory: what the site files say of whose each device is.

A node may speak for the devices that a site file has it read, and for those that tell of the node itself: a gateway
and its buses on the gateway's pole, a controller on its own.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import structlog

from device_profiles.problems import FileProblem
from ingest.registry import Registry

LOOK_S = 2.0
AT_ONCE = 200  # nodes that are judged again in one turn of the loop

_Seen = tuple[tuple[str, int, int], ...]  # path, mtime in ns, size

log = structlog.get_logger("ingest")


class Inventory:
    """Reads it all: some milliseconds for each pole, so it belongs into a thread while ingest runs."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """paths: site files, and folders of them. Raises FileProblem, and then nothing of it is known."""
        # Who has no inventory does not wait for these: a worker that comes again is waited for.
        from device_profiles import site
        from device_profiles.site_files import Holders

        self.paths = paths
        self.seen = _seen(paths)  # before it is read: what changes meanwhile is read again
        self._holders = Holders()
        for path in _files(paths):
            if clashes := self._holders.add(path, site.load(path, crowded=True)):
                raise FileProblem(f"inventory: {each}" for each in clashes)

    def __len__(self) -> int:
        """How many devices it names."""
        return len(self._holders)

    def node(self, area: str, name: str) -> str | None:
        """The node of a device, `pole/device/`; None where no file names it."""
        return self._holders.node(area, name.rstrip("/"))

    def newer(self) -> "Inventory | None":
        """Read anew where a file has changed, came or went; else None. Raises FileProblem."""
        return Inventory(self.paths) if _seen(self.paths) != self.seen else None


async def follow(inventory: Inventory, registry: Registry) -> NoReturn:
    """Has the registry hear of changed files. While a file is wrong, the inventory of before counts."""
    wrong = ""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            newer = await asyncio.to_thread(inventory.newer)
        except FileProblem as error:
            if str(error) != wrong:
                log.error("the inventory cannot be read: what it said before counts", reason=str(error))
            wrong = str(error)
            continue
        wrong = ""
        if newer is not None:
            inventory = newer
            registry.take_sites(inventory)
            for count, node in enumerate(registry.nodes()):
                registry.renew(*node)
                if count % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
            log.info("another inventory", devices=len(inventory))


def _files(paths: Sequence[Path]) -> list[Path]:
    from device_profiles import site_files

    try:
        return site_files.listed(paths)
    except FileProblem as error:
        raise FileProblem(f"inventory: {error}") from None


def _seen(paths: Sequence[Path]) -> _Seen:
    told = []
    try:
        for path in _files(paths):
            stat = path.stat()
            told.append((str(path), stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        raise FileProblem(f"inventory: {error}") from error
    return tuple(told)
