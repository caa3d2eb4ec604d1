"""Several site files of one city: which are meant, and whose each device is over all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from device_profiles import own_devices
from device_profiles.problems import FileProblem
from device_profiles.site_model import Site

SUFFIXES = (".yaml", ".yml")
NAMES_SHOWN = 3

_Holder = tuple[str, Path]  # a node, and the file that says so


def listed(paths: Sequence[Path]) -> list[Path]:
    """Site files, and those in folders of them. Raises FileProblem."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileProblem(f"{path} is not there. Name a site file, or a folder of site files.")
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not found:
            raise FileProblem(f"no site file is in {path}: they end in {' or '.join(SUFFIXES)}.")
        files += found
    return files


class Holders:
    """Which node has each device, over the files that were added. A node may stand in several, as in copies."""

    def __init__(self) -> None:
        self._areas: dict[str, dict[str, _Holder]] = {}

    def __len__(self) -> int:
        """How many devices there are."""
        return sum(len(held) for held in self._areas.values())

    def node(self, area: str, device: str) -> str | None:
        """Of pole/device; None where no file names it."""
        holder = self._areas.get(area, {}).get(device)
        return None if holder is None else holder[0]

    def add(self, path: Path, site: Site) -> list[str]:
        """What contradicts the files before, a message for each node of theirs; those keep what they have."""
        held = self._areas.setdefault(site.area, {})
        here = {node: (node, path) for node in (*site.gateways, *site.controllers)}
        clashes: dict[tuple[str, _Holder], list[str]] = {}
        for device, node in _devices(site):
            holder = held.setdefault(device, here[node])
            if holder[0] != node:
                clashes.setdefault((node, holder), []).append(device)
        return [f"{path}: {_clash(devices, *pair)}" for pair, devices in clashes.items()]


def _clash(devices: list[str], node: str, holder: _Holder) -> str:
    more = f" and {len(devices) - NAMES_SHOWN} more" if len(devices) > NAMES_SHOWN else ""
    names = f"{', '.join(devices[:NAMES_SHOWN])}{more}"
    text = (
        f"{names} {'are devices' if len(devices) > 1 else 'is a device'} of {node}, and of {holder[0]} in {holder[1]}."
    )
    remedy = "Give each gateway its own pole." if _homes(devices) else "Leave each device to one of them."
    return f"{text} {remedy}"


def _homes(devices: list[str]) -> bool:
    return all(device.rpartition("/")[2] == "gateway" for device in devices)


def _devices(site: Site) -> Iterator[tuple[str, str]]:
    """(pole/device, node) of all devices, and of what the nodes tell of themselves."""
    nodes = {bus: site.node_of(bus) for bus in site.buses}
    for device in site.devices:
        yield device.id, nodes[device.bus]
    for own in own_devices.of_all(site):
        yield own.id, own.node
