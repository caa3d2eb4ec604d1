"""What is to be flashed: the words of the command line and a site file IN, everything a controller needs OUT."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

import edge
from device_profiles import controller_part, loader, site
from device_profiles.site import Controller, Device, Site
from pole.flash import FlashError, contents
from pole.flash.checks import Source
from pole.flash.contents import Contents


@dataclass(frozen=True)
class Prepared:
    """One controller of a site, and what it gets."""

    site: Site
    node: str
    controller: Controller
    contents: Contents
    config: dict[str, Any]
    sources: list[Source]

    def facts(self) -> dict[str, str]:
        """For the head of the sheet. Nothing of the secrets, not even their hashes."""
        key = self.contents.part.get("release.key")
        return {
            "pole": self.controller.pole,
            "node": self.node,
            "area": self.site.area,
            "board": self.controller.board,
            "agent": f"{edge.VERSION}, files {digest(self.contents.code)}",
            "site_part": digest({name: data for name, data in self.contents.part.items() if name != "release.key"}),
            "release_key": sha256(key).hexdigest()[:16] if key else "none: it takes no update over the air",
        }


def prepare(
    file: Path, *, pole: str, node: str | None, board: str, release_key: Path | None, compiled: bool
) -> Prepared:
    """Raises FlashError, and FileProblem where the site file is wrong."""
    found = site.load(file)
    name = chosen(found, pole=pole, node=node, board=board)
    controller = found.controllers[name]
    part = dict(controller_part.part(found, name, loader.profiles()))
    beside = file.parent / "release.key"
    if release_key is not None or beside.exists():
        part["release.key"] = contents.release_key(release_key or beside)
    try:
        code = contents.code(controller.board, edge.VERSION, compiled=compiled)
    except RuntimeError as error:
        raise FlashError(f"The agent could not be compiled: {error}", "Install the same version again.") from None
    secrets = contents.secrets(controller, der=compiled)
    config = json.loads(part["config.json"])
    whole = Contents(code, part, secrets, contents.last())
    return Prepared(found, name, controller, whole, config, sources(found, name, config))


def chosen(found: Site, *, pole: str, node: str | None, board: str) -> str:
    """The controller's name. Raises FlashError that says which there are."""
    of_pole = [name for name, each in found.controllers.items() if each.pole == pole]
    name = node if node is not None else next(iter(of_pole), "")
    if node is None and len(of_pole) != 1:
        poles = sorted({each.pole for each in found.controllers.values()})
        if len(of_pole) > 1:
            raise FlashError(f"--pole {pole} has {len(of_pole)} controllers.", f"Add --node {' or '.join(of_pole)}.")
        raise FlashError(
            f"--pole {pole} has no controller in the site file.", _meant(pole, poles, "Poles that have one")
        )
    if name not in found.controllers:
        raise FlashError(
            f"--node {name} is no controller of the site file.", _meant(name, list(found.controllers), "They are")
        )
    controller = found.controllers[name]
    if controller.pole != pole:
        raise FlashError(f"--node {name} stands on {controller.pole}, not on --pole {pole}.", "Correct one of both.")
    if controller.board != board:
        raise FlashError(
            f"--board {board}: the site file says that {name} is {controller.board}.",
            "Take the right controller, or correct `board` in the site file.",
        )
    return name


def _meant(given: str, known: list[str], which: str) -> str:
    close = get_close_matches(given, known, 1)
    return f"Did you mean {close[0]}?" if close else f"{which}: {', '.join(known[:12]) or 'none'}."


def sources(found: Site, node: str, config: Mapping[str, Any]) -> list[Source]:
    """What can tell readings on this controller, with the devices that are asked."""
    devices = {device.id: device for device in found.devices_of(node)}
    told = [
        Source("inputs", "", _named(devices, (row[0] for row in config["inputs"]))),
        Source("sensors", "", _named(devices, (row[0] for row in config["sensors"]))),
    ]
    told += [Source("bus", name, found.devices_on(name)) for name in config["buses"]]
    return [source for source in told if source.devices]


def _named(devices: Mapping[str, Device], ids: Any) -> list[Device]:
    return [devices[each] for each in dict.fromkeys(ids) if each in devices]


def digest(files: Mapping[str, bytes]) -> str:
    """Of names and contents: what tells two versions of the same files apart."""
    total = sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + sha256(files[name]).digest())
    return total.hexdigest()[:16]
