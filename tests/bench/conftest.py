"""A made-up meter whose requests can be counted on one's fingers."""

import pytest

from bench.wire import Place
from device_profiles.schema import Profile

LABELS = {"en": "x", "zh": "某"}


def point(table, address, kind, poll):
    at = {"table": table, "address": address} | ({"type": kind} if kind != "bool" else {})
    return {"labels": LABELS, "poll": poll, "at": at, "emulate": {"around": 1}}


@pytest.fixture
def meter() -> Profile:
    """Every second: registers 0-1 and 4; every 4 s: register 6 and two coils. Latency 20 ms."""
    return Profile.model_validate(
        {
            "profile": "probe", "version": 1, "function": "energy", "maker": "m", "model": "n", "labels": LABELS,
            "source": "made up for these tests", "verified": "bench", "protocol": "modbus",
            "modbus": {"latency": "20ms", "block": 20},
            "polls": {"live": {"every": "1s"}, "slow": {"every": "4s"}},
            "points": {
                "voltage": point("holding", 0, "uint32", "live"),
                "power": point("holding", 4, "uint16", "live"),
                "limit": point("holding", 6, "uint16", "slow"),
                "on": point("coil", 0, "bool", "slow"),
                "door": point("coil", 1, "bool", "slow"),
            },
        }
    )  # fmt: skip


@pytest.fixture
def places(meter) -> tuple[Place, ...]:
    return (Place(profile=meter, unit=1),)
