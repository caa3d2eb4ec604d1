"""Two made-up profiles: tests of the emulators do not lean on the shipped ones."""

import pytest

from device_profiles.schema import Profile
from simulators.device import EmulatedDevice

LABELS = {"en": "x", "zh": "某"}
BASE = {"version": 1, "maker": "m", "model": "n", "labels": LABELS, "source": "made up for tests", "verified": "bench"}
POLLS = {"polls": {"live": {"every": "1s"}}}


@pytest.fixture(scope="session")
def meter() -> Profile:
    """Floats, 32-bit integers with the low word first, a signed one, a bit of a register, a coil, a discrete input."""
    points = {
        "voltage": {
            "at": {"table": "input", "address": 0, "type": "float32"},
            "range": [0, 300],
            "emulate": {"around": 230, "swing": 5, "period": "60s", "noise": 0.5},
        },
        "power": {
            "at": {"table": "input", "address": 4, "type": "uint32", "word_order": "low_first", "scale": 0.1},
            "range": [0, 100000],
            "emulate": {"around": 7000, "swing": 900, "period": "90s"},
        },
        "temperature": {
            "at": {"table": "input", "address": 6, "type": "int16", "scale": 0.1},
            "range": [-40, 80],
            "emulate": {"around": -5, "swing": 20, "period": "30s"},
        },
        "fault": {"at": {"table": "input", "address": 7, "bit": 3}, "emulate": {"around": 0.5, "period": "10s"}},
        "limit": {"at": {"table": "holding", "address": 100, "type": "uint16"}, "range": [6, 32]},
        "enabled": {"at": {"table": "coil", "address": 200}, "emulate": {"around": 1}},
        "door": {"at": {"table": "discrete", "address": 9}, "emulate": {"around": 0}},
    }
    commands = {
        "limit": {
            "labels": LABELS,
            "args": {"current": {"labels": LABELS, "range": [6, 32]}},
            "write": {"table": "holding", "address": 100, "type": "uint16"},
            "read_back": "limit",
        },
        "enable": {
            "labels": LABELS,
            "args": {"on": {"labels": LABELS, "range": [0, 1]}},
            "write": {"table": "coil", "address": 200},
            "read_back": "enabled",
        },
    }
    return Profile.model_validate(
        {
            **BASE, **POLLS, "profile": "test-meter", "function": "energy", "protocol": "modbus",
            "modbus": {"block": 20, "gap": 2, "latency": "10ms"},
            "points": {key: {"labels": LABELS, "poll": "live", **point} for key, point in points.items()},
            "commands": commands,
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def lamp() -> Profile:
    """Channels of one unit: the level is written in one place and read back in another, 0 to 254 as 0 to 100 %."""
    level = {"table": "holding", "type": "uint16", "scale": "100/254", "step": 1}
    return Profile.model_validate(
        {
            **BASE, **POLLS, "profile": "test-lamp", "function": "lighting", "protocol": "modbus",
            "modbus": {"channels": 64, "latency": "5ms"},
            "points": {
                "level": {
                    "labels": LABELS, "poll": "live", "range": [0, 100], "at": {**level, "address": 2560},
                    "emulate": {"around": 60, "swing": 20, "period": "60s"},
                },
            },
            "commands": {
                "dim": {
                    "labels": LABELS, "args": {"level": {"labels": LABELS, "range": [0, 100]}},
                    "write": {**level, "address": 256}, "read_back": "level",
                },
            },
        }
    )  # fmt: skip


class Clock:
    """Milliseconds that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_763_683_200_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(meter: Profile, clock: Clock) -> EmulatedDevice:
    return EmulatedDevice(profile=meter, pole="P0001", name="meter-1", unit=5, seed=7, clock=clock)
