"""Meters and stations of no maker, for the tests of DL/T 645 and HJ 212."""

from device_profiles.schema import Profile
from simulators.device import EmulatedDevice

LABELS = {"en": "x", "zh": "某"}


def profile(protocol, points, *, every="1s", commands=None):
    shown = {
        name: {"labels": LABELS, "item": item, "poll": "live", "own": True, "range": limits, "emulate": moves}
        for name, (item, limits, moves) in points.items()
    }
    return Profile.model_validate(
        {
            "profile": f"test-{protocol}", "version": 1, "function": "energy", "maker": "none", "model": "none",
            "labels": LABELS, "source": "made up for these tests", "verified": "bench", "protocol": protocol,
            "polls": {"live": {"every": every, "silence": "1h"}}, "points": shown, "commands": commands or {},
        }
    )  # fmt: skip


METER = profile(
    "dlt645",
    {
        "voltage": ({"name": "02010100", "scale": 0.1}, [0, 500], {"around": 230, "swing": 5, "period": "60s"}),
        "power": ({"name": "02030000", "scale": 0.1}, [-9e4, 9e4], {"around": 0, "swing": 900, "period": "90s"}),
        "energy": ({"name": "00010000", "scale": 0.01}, [0, 1e6], {"around": 1253.4, "grow": 0.5}),
    },
)
STATION = profile(
    "hj212",
    {
        "pm2_5": ({"name": "2011:a34004-Rtd", "decimals": 1}, [0, 999], {"around": 40, "swing": 9, "period": "60s"}),
        "temperature": (
            {"name": "2011:a01001-Rtd", "decimals": 1}, [-50, 80], {"around": -1, "swing": 9, "period": "30s"},
        ),
        "noise": ({"name": "2051:LA-Avg", "decimals": 1}, [20, 140], {"around": 58, "swing": 8, "period": "40s"}),
    },
    commands={
        "set_interval": {
            "labels": LABELS, "args": {"interval": {"labels": LABELS, "unit": "s", "range": [30, 3600]}},
            "item": {"name": "1062:RtdInterval"},
        }
    },
)  # fmt: skip


def meter(address, *, seed=0, tick_ms=3_600_000):
    return EmulatedDevice(
        profile=METER, pole="P1", name=f"meter-{address}", address=address, seed=seed, tick_ms=tick_ms
    )


def station(address, *, seed=0, tick_ms=1000):
    return EmulatedDevice(
        profile=STATION, pole="P1", name=f"air-{address}", address=address, seed=seed, tick_ms=tick_ms
    )
