"""What a load sends is what the contract and the profile allow."""

import pytest

from device_profiles import loader
from simulators.load.packs import PROFILE, Packs
from wire import messages, packs

EPOCH = "9f3c21aa"
PROFILES = loader.profiles()


@pytest.mark.parametrize("readings", [1, 10, 12, 13, 40, 1000])
def test_a_pack_has_so_many_readings_of_announced_points_in_their_ranges(readings):
    made = Packs(profiles=PROFILES, readings=readings, epoch=EPOCH)
    birth = messages.decode(made.birth("L00007", 1763683200250), messages.BIRTH)
    announced = {(device["pole"], device["device"]) for device in birth["devices"]}
    for number in (1, 64, 70_000):
        pack = packs.decode(made.pack(b"L00007", number, 1763683200250 + number))
        assert (pack.epoch, pack.number, pack.refused) == (EPOCH, number, [])
        assert len(pack.readings) == readings
        assert len({reading[:3] for reading in pack.readings}) == readings
        for pole, device, point, time_ms, value, quality, _ in pack.readings:
            assert (pole, device) in announced
            assert time_ms == 1763683200250 + number
            assert quality is None
            low, high = PROFILES[PROFILE].points[point].range
            assert low <= value <= high


def test_values_move():
    made = Packs(profiles=PROFILES, readings=10, epoch=EPOCH)
    first, second = (packs.decode(made.pack(b"L1", number, 1763683200000)).readings for number in (1, 2))
    assert all(one[4] != other[4] for one, other in zip(first, second, strict=True))
