"""Whose readings may come: the devices of the site in force, and those that left it while readings of theirs wait.

Ingest stores readings of announced devices alone. A device that came and went while nobody listened would else take
its readings with it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import structlog

from device_profiles.announcement import Named
from gateway.disk import document

log = structlog.get_logger("gateway")

MOST = 500  # devices that left and still have readings on the disk; a birth has room for so many


class Former(NamedTuple):
    """A device that left. head: the number of the last pack that may hold a reading of it."""

    pole: str
    device: str
    profile: str
    epoch: str
    head: int

    @property
    def named(self) -> Named:
        return self.pole, self.device, self.profile


class Announced:
    """former: the devices that left, oldest first. They are remembered over a restart."""

    def __init__(self, spool: Path) -> None:
        self._path = spool.with_name(spool.name + ".announced.json")
        self._unclocked = False
        kept = document.read(self._path) or {}
        self._devices: set[Named] = {(pole, device, profile) for pole, device, profile in kept.get("devices", ())}
        self.former = [Former(*each) for each in kept.get("former", ())]

    def change(self, devices: Iterable[Named], *, epoch: str, head: int) -> None:
        """From now on the node has these devices; head: the highest number in the spool."""
        before, self._devices = self._devices, set(devices)
        stays = [each for each in self.former if each.named not in self._devices]
        left = [Former(*each, epoch, head) for each in sorted(before - self._devices)]
        if before == self._devices and stays == self.former:
            return
        self.former = stays + left
        if len(self.former) > MOST:
            log.error("too many devices came and went: readings of the first may be refused", devices=len(self.former))
            del self.former[:-MOST]
        try:
            document.write(self._path, {"devices": sorted(self._devices), "former": self.former})
        except OSError as error:
            log.error("the devices that left are not written down", file=str(self._path), error=str(error))

    def forget(self, *, epoch: str, head: int, oldest: int, unclocked: bool) -> bool:
        """oldest: the lowest number in the spool; unclocked: readings wait there for a time, and then for a number.

        True where a device was forgotten, because all its packs left.
        """
        waited, self._unclocked = self._unclocked, unclocked
        for index, each in enumerate(self.former):
            if unclocked or waited or each.epoch != epoch:  # a damaged spool's packs have new numbers, too
                self.former[index] = each._replace(epoch=epoch, head=head)
        before = len(self.former)
        self.former = [each for each in self.former if unclocked or each.head >= oldest]
        return len(self.former) < before
