from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from astral import Observer
from astral.sun import elevation as astral_elevation

from simulators.causes import Cause
from simulators.world.city_map import CENTRE
from simulators.world.sun import clear_sky, elevation

CHENGDU = timezone(timedelta(hours=8))


@pytest.mark.parametrize("day", ["2026-01-03", "2026-03-20", "2026-06-21", "2026-07-15", "2026-11-02", "2028-02-29"])
def test_the_sun_stands_where_another_program_has_it(day: str) -> None:
    observer = Observer(latitude=CENTRE[0], longitude=CENTRE[1])
    for hour in range(24):
        local = datetime.fromisoformat(day) + timedelta(hours=hour, minutes=7)
        wanted = astral_elevation(observer, local.replace(tzinfo=CHENGDU), with_refraction=False)
        assert elevation(local) == pytest.approx(wanted, abs=0.4)  # Spencer's series promises 0.0006 rad of declination


def test_a_clear_noon_in_june_is_as_bright_as_people_measure() -> None:
    assert 950 < clear_sky(82.0) < 1100
    assert clear_sky(-3.0) == 0.0
    assert clear_sky(10.0) < clear_sky(30.0) < clear_sky(60.0)


def test_the_night_has_no_sun_and_the_day_more_light_than_the_lamps(a_world) -> None:  # type: ignore[no-untyped-def]
    night = a_world(start=datetime(2026, 6, 21, 0, 30))
    assert night["solar_radiation"].max() == 0
    assert 0 < night["illuminance"].max() < 30
    noon = a_world(start=datetime(2026, 6, 21, 13, 0))
    assert noon["illuminance"].min() > 5_000
    assert noon["illuminance"].max() < 130_000


def test_clouds_and_hard_rain_take_the_light(a_world) -> None:  # type: ignore[no-untyped-def]
    clear, grey, wet = (
        a_world(Cause(kind="weather", begin_s=0, values=values), start=datetime(2026, 6, 21, 13, 0))["solar_radiation"]
        for values in ({"cloud": -1.0}, {"cloud": 1.0}, {"cloud": 1.0, "rain": 60.0})
    )
    assert grey.max() == pytest.approx(0.25 * clear.max(), rel=0.01)
    assert wet.max() < 0.5 * grey.min()


def test_light_falls_without_a_jump_through_dusk(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=datetime(2026, 7, 15, 19, 30), poles=20)
    before = np.inf
    lit = 0.0
    for _ in range(180):
        look.play(30)
        sky = look["illuminance"] - 0.12 * look["lamp_level"]  # less what the lamps leave
        assert sky[0] < before * 1.35  # clouds may open a little
        before, lit = sky[0], max(lit, look["lamp_on"].mean())
    assert before < 0.2
    assert lit == 1
