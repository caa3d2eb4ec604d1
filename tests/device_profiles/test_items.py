"""Raw values of devices that are not Modbus devices -> values that a pack can carry, or none."""

import pytest

from device_profiles import items
from device_profiles.registers import NoValue
from device_profiles.schema import Point
from wire import packs


def point(**item):
    return Point.model_validate(
        {"labels": {"en": "x", "zh": "某"}, "item": {"name": "a", **item}, "poll": "fast"},
    )


@pytest.mark.parametrize(
    ("raw", "value"),
    [(7, 7), (True, 1), ("0.5", 0.5), ((1 << 53) - 1, (1 << 53) - 1), ((1 << 53) + 3, float(1 << 53) + 4.0)],
)
def test_every_number_fits_a_pack(raw, value):
    """A counter of 64 bits passes 2^53 after two years of a full gigabit line; a pack would refuse the integer."""
    told = items.value(point(), raw)
    assert (told, type(told)) == (value, type(value))
    packs.encode("0" * 8, 1, [("P1/d", "x", 1_763_735_000_000, told, None)])


@pytest.mark.parametrize("raw", ["nan", "inf", float("nan"), 10**400, "1_000", "\u0661", "on", "", b"\0"])
@pytest.mark.parametrize("kind", ["number", "bool"])
def test_what_is_no_number_is_no_value(raw, kind):
    with pytest.raises(NoValue, match="range"):
        items.value(point(type=kind), raw)
