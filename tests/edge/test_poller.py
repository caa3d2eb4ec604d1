"""The controller's poller in virtual time: cases/poller.py has the tests, and here are the buses that they use."""

import pytest

from device_profiles import compact
from device_profiles.bus_time import Line
from device_profiles.schema import Profile
from device_profiles.site_model import Device

SECOND = {"every": "1s", "silence": "1h"}
TEN = {"every": "1s", "silence": "10s"}


def point(address, kind="uint16", *, table="holding", poll="all", **more):
    at = {"table": table, "address": address, **({"type": kind} if table == "holding" else {})}
    at |= {key: more.pop(key) for key in ("scale", "bit") if key in more}
    return {"labels": {"en": "x", "zh": "某"}, "at": at, "poll": poll, **more}


def profile(points, **polls):
    return Profile.model_validate(
        {
            "profile": "probe", "version": 1, "function": "air", "maker": "none", "model": "none",
            "labels": {"en": "x", "zh": "某"}, "source": "made up for these tests", "verified": "bench",
            "protocol": "modbus", "modbus": {"latency": "20ms"}, "polls": polls or {"all": SECOND}, "points": points,
        }
    )  # fmt: skip


LEVEL = profile({"level": point(0, scale=0.1)})
BUSES = {
    "plain": dict.fromkeys((1, 2, 3), LEVEL),
    "crowded": dict.fromkeys(range(1, 41), LEVEL),
    "groups": {
        unit: profile(
            {"fast": point(0, poll="fast"), "slow": point(9, poll="slow")}, fast=SECOND,
            slow={"every": "15m", "silence": "6h"},
        )
        for unit in (1, 2)
    },
    "events": {
        **{unit: profile({"level": point(0)}) for unit in range(1, 20)},
        20: profile({"sos": point(0, "bool", bit=0, event=True)}, all={"every": "100ms", "silence": "10s"}),
    },
    "holes": {1: profile({"a": point(0), "b": point(2), "c": point(4, "uint32"), "d": point(7, "bool", bit=1)})},
    "bits": {1: profile({f"b{at}": point(at, table="discrete") for at in (0, 9, 10, 18)})},
    "reports": {1: profile({"level": point(0, scale=0.1, deadband=0.5, range=[0, 50], invalid=[65535])}, all=TEN)},
}  # fmt: skip


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """A folder with a plan for each bus of BUSES."""
    folder = tmp_path_factory.mktemp("plans")
    profiles = {f"{bus}-{unit}": each for bus, units in BUSES.items() for unit, each in units.items()}
    devices = [
        Device(pole="P", device=f"d{unit}", profile=f"{bus}-{unit}", bus=bus, unit=unit)
        for bus, units in BUSES.items()
        for unit in units
    ]
    (folder / "plan.bin").write_bytes(compact.plan(dict.fromkeys(BUSES, Line(baud=9600)), devices, profiles))
    return folder


def test_poller(interpreter, plans):
    interpreter.run("poller", folder=str(plans))
