from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause, Where

FIRE = Cause(
    kind="plume",
    begin_s=300,
    end_s=2400,
    where=Where(near=(0.5, 0.5)),
    values={"pollutant": "pm2_5", "strength": 800.0},
)


@pytest.mark.parametrize(("month", "low", "high"), [(1, 35, 140), (7, 8, 50)])
def test_winters_are_worse_than_summers(a_world, month: int, low: float, high: float) -> None:  # type: ignore[no-untyped-def]
    for seed in (1, 2, 3):
        look = a_world(start=datetime(2026, month, 15, 9, 0), seed=seed)
        assert low < look["pm2_5"].mean() < high
        assert (look["pm1"] < look["pm2_5"]).all()
        assert (look["pm2_5"] < look["pm10"]).all()
        assert (look["pm10"] < look["tsp"]).all()


def test_ozone_is_made_by_the_sun_and_nitrogen_oxides_by_cars(a_world) -> None:  # type: ignore[no-untyped-def]
    noon, night = (a_world(start=datetime(2026, 7, 15, hour, 0), poles=600) for hour in (13, 3))
    assert noon["o3"].mean() > 1.5 * night["o3"].mean()
    assert noon["no2"][noon.city.road == 2].mean() > noon["no2"][noon.city.road == 0].mean() + 10
    assert noon["co2"].mean() < night["co2"].mean() + 20
    assert 400 < noon["co2"].min() <= noon["co2"].max() < 700


def test_rain_washes_the_dust_out_and_it_comes_back(a_world) -> None:  # type: ignore[no-untyped-def]
    usual, wet = a_world(), a_world(Cause(kind="weather", begin_s=0, end_s=1800, values={"rain": 30.0}))
    usual.play(1790)
    wet.play(1790)
    assert wet["pm2_5"].mean() < 0.8 * usual["pm2_5"].mean()
    usual.play(3 * 3600)
    wet.play(3 * 3600)
    assert wet["pm2_5"].mean() == pytest.approx(usual["pm2_5"].mean(), rel=0.15)


def test_the_wind_carries_a_plume_to_the_poles_downwind_and_the_near_ones_first(a_world) -> None:  # type: ignore[no-untyped-def]
    wind = Cause(kind="weather", begin_s=0, values={"wind": 2.0}, number=1)
    usual, look = a_world(wind, poles=600), a_world(FIRE, wind, poles=600)
    first = np.full(600, np.inf)
    for _ in range(120):
        usual.play(10)
        look.play(10)
        more = look["pm2_5"] - usual["pm2_5"]
        first = np.where((more > 20) & np.isinf(first), look.world.step * 10, first)
    right, up = look.city.x - look.city.width_m / 2, look.city.y - look.city.height_m / 2
    toward = np.radians(look["wind_direction"].mean() + 180)
    along = right * np.sin(toward) + up * np.cos(toward)
    met = np.isfinite(first)
    assert met.sum() > 5
    assert along[met].min() > -150  # hardly any against the wind
    assert np.corrcoef(along[met], first[met])[0, 1] > 0.5
    assert more[np.argmin(np.hypot(right, up))] > 400
    assert (look["pm10"] - usual["pm10"])[met].min() > 15  # what is in PM2.5 is in PM10 too
    assert (look["so2"] == usual["so2"]).all()
    usual.play(3600)
    look.play(3600)
    assert (look["pm2_5"] == usual["pm2_5"]).all()
