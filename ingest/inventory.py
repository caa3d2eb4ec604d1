"""The inventory: what the site files say of whose each device is.

A node may speak for the devices that a site file has it read, and for those that tell of the node itself: a gateway
and its buses on the gateway's pole, a controller on its own.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import structlog

from device_profiles import site
from device_profiles.problems import FileProblem
from device_profiles.site import Site
from device_profiles.site_model import bus_device
from ingest.registry import Registry

LOOK_S = 2.0
AT_ONCE = 200  # nodes that are judged again in one turn of the loop
_SUFFIXES = (".yaml", ".yml")

_Seen = tuple[tuple[str, int, int], ...]  # path, mtime in ns, size

log = structlog.get_logger("ingest")


class Inventory:
    """Reads it all: some milliseconds for each pole, so it belongs into a thread while ingest runs."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """paths: site files, and folders of them. Raises FileProblem, and then nothing of it is known."""
        self.paths = paths
        self.seen = _seen(paths)  # before it is read: what changes meanwhile is read again
        self._nodes: dict[str, dict[str, str]] = {}  # area -> "pole/device/" -> node
        files: dict[tuple[str, str], str] = {}
        for path in _files(paths):
            told = site.load(path, crowded=True)
            own = self._nodes.setdefault(told.area, {})
            for name, node in _devices(told):
                other = own.setdefault(name, node)
                if other != node:
                    where = files[told.area, name]
                    raise FileProblem(
                        f"inventory: {path}: {name.rstrip('/')} is a device of {node}, and of {other} in {where}."
                        " Take it out of one of them."
                    )
                files[told.area, name] = str(path)

    def __len__(self) -> int:
        """How many devices it names."""
        return sum(len(own) for own in self._nodes.values())

    def node(self, area: str, name: str) -> str | None:
        """The node of a device; None where no file names it."""
        return self._nodes.get(area, {}).get(name)

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
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileProblem(f"inventory: {path} is not there. Name a site file, or a folder of site files.")
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES)
        if not found:
            raise FileProblem(f"inventory: no site file is in {path}: they end in {' or '.join(_SUFFIXES)}.")
        files += found
    return files


def _seen(paths: Sequence[Path]) -> _Seen:
    told = []
    try:
        for path in _files(paths):
            stat = path.stat()
            told.append((str(path), stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        raise FileProblem(f"inventory: {error}") from error
    return tuple(told)


def _devices(told: Site) -> Iterator[tuple[str, str]]:
    """("pole/device/", node) of all devices, and of what the nodes tell of themselves."""
    nodes = {bus: told.node_of(bus) for bus in told.buses}
    for device in told.devices:
        yield f"{device.id}/", nodes[device.bus]
    for node, gateway in told.gateways.items():
        yield f"{gateway.pole}/gateway/", node
    for bus, node in nodes.items():
        if node in told.gateways:
            yield f"{told.gateways[node].pole}/{bus_device(bus)}/", node
    for node, controller in told.controllers.items():
        yield f"{controller.pole}/{node}/", node
