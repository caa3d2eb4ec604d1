"""What one round against a device showed."""

from dataclasses import dataclass, field

from device_profiles.items import Value
from protocols.errors import DeviceError


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One point. raw: hexadecimal words, a bit, or the item as it came; value is None where `quality` says why."""

    point: str
    raw: str
    value: Value | None
    quality: str | None = None
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: where, in words, and what became of it."""

    what: str
    error: DeviceError | None = None
    remedy: str = ""


@dataclass(kw_only=True)
class Round:
    """One reading of everything. exchanges: (sent, came), as a golden file writes them."""

    shown: dict[str, Shown] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    exchanges: list[tuple[str, str]] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """The device said something, be it a refusal."""
        return any(each.error is None or each.error.quality.startswith("exception") for each in self.asked)
