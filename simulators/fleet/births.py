"""What nodes say of themselves when the broker lets them in: a birth per kit, with the pole's name put in."""

import json
from collections.abc import Mapping

from device_profiles.announcement import announced
from device_profiles.schema import Profile
from simulators.world.kits import KITS

_POLE = "\0"


class Births:
    """The text that all poles of a kit share is made once."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._texts = [
            json.dumps(announced([(_POLE, device, profile) for device, profile in kit.devices], profiles))[1:]
            for kit in KITS
        ]

    def payload(self, kit: int, *, pole: str, epoch: str, version: str, time_ms: int) -> bytes:
        """Of up/birth (docs/wire.md)."""
        head = json.dumps({"ep": epoch, "version": version, "time": time_ms})
        return (head[:-1] + ", " + self._texts[kit].replace(json.dumps(_POLE)[1:-1], pole)).encode()
