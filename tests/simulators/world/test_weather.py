from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause, Where

STORM = {
    "from_deg": 315.0, "speed": 10.0, "width_m": 6_000.0, "rain": 70.0, "wind": 15.0, "cooling": 8.0, "pressure": 3.0,
}  # fmt: skip


def test_neighbours_agree(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="front", begin_s=60, values=STORM), poles=600)
    city = look.city
    apart = np.hypot(city.x[:, None] - city.x, city.y[:, None] - city.y)
    one, other = np.nonzero((apart > 0) & (apart < 100))
    assert len(one) > 500
    for _ in range(60):
        look.play(30)
        for quantity, most in (("temperature", 0.3), ("pressure", 0.3), ("humidity", 6.0), ("pm2_5", 12.0)):
            values = look[quantity]
            assert np.abs(values[one] - values[other]).max() <= most, quantity


def test_a_front_reaches_the_poles_in_the_order_in_which_they_stand(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="front", begin_s=120, values=STORM), poles=600)
    first = np.full(600, np.inf)
    for _ in range(90):
        look.play(10)
        first = np.where((look["rain_rate"] > 0) & np.isinf(first), look.world.step * 10, first)
    assert np.isfinite(first).all()
    along = (look.city.x - look.city.y) / np.sqrt(2)  # from the north-west
    arrives = 120 + (along - (0 - look.city.height_m) / np.sqrt(2)) / STORM["speed"]
    assert np.abs(first - arrives).max() <= 11  # a step, and the first drops
    assert first.max() - first.min() > 60


def test_a_front_brings_gusts_then_rain_then_cool_air_and_a_higher_pressure(a_world) -> None:  # type: ignore[no-untyped-def]
    calm, stormy = a_world(), a_world(Cause(kind="front", begin_s=600, values=STORM))
    calm.play(480)
    stormy.play(480)
    assert stormy["wind_gust"].max() > calm["wind_gust"].max() + 2  # two minutes ahead
    assert stormy["rain"].max() == 0
    calm.play(900)
    stormy.play(900)
    assert (stormy["rain"] > 3).all()
    assert (calm["temperature"] - stormy["temperature"] > 4).all()
    assert (stormy["pressure"] - calm["pressure"] > 1.5).all()
    assert (stormy["humidity"] > calm["humidity"]).all()
    fallen = stormy["rain"]
    stormy.play(1800)
    assert (stormy["rain_rate"] == 0).all()
    assert (stormy["rain"] >= fallen).all()
    assert stormy["rain"].max() < 25  # 70 mm/h for ten minutes are 12 mm


def test_wind_comes_from_where_the_front_comes_from(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="front", begin_s=60, values=STORM | {"wind": 25.0}))
    look.play(180)
    away = (look["wind_direction"] - 315 + 180) % 360 - 180
    assert np.abs(away).mean() < 30
    assert (look["wind_gust"] >= look["wind_speed"]).all()
    assert look["wind_direction"].max() < 360


def test_rain_is_the_sum_of_what_fell(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="weather", begin_s=0, end_s=1800, values={"rain": 36.0}))
    together = look["rain_rate"] / 360
    for _ in range(200):
        look.play(10)
        together = together + look["rain_rate"] / 360
    assert look["rain"] == pytest.approx(together)
    assert look["rain"].mean() == pytest.approx(18, rel=0.25)


def test_weather_of_a_scenario_is_added_and_fades(a_world) -> None:  # type: ignore[no-untyped-def]
    added = Cause(kind="weather", begin_s=600, end_s=3000, fade_s=600, values={"temperature": 8.0, "wind": 4.0})
    usual, hot = a_world(), a_world(added)
    for at, kelvin in ((300, 0), (900, 4), (1500, 8), (2700, 4), (3600, 0)):
        seconds = at - usual.world.step * 10
        warmer = hot.play(seconds)["temperature"] - usual.play(seconds)["temperature"]
        assert warmer == pytest.approx(np.full(120, kelvin), abs=1e-9)


def test_weather_may_meet_one_district_alone(a_world) -> None:  # type: ignore[no-untyped-def]
    usual = a_world()
    warm = a_world(Cause(kind="weather", begin_s=0, values={"temperature": 5.0}, where=Where(districts=("wuhou",))))
    warmer = warm["temperature"] - usual["temperature"]
    there = np.array(warm.city.area) == "wuhou"
    assert warmer[there] == pytest.approx(np.full(there.sum(), 5.0))
    assert np.abs(warmer[~there]).max() == 0


@pytest.mark.parametrize(("month", "low", "high"), [(1, -2, 14), (4, 10, 27), (7, 19, 36), (10, 11, 27)])
def test_months_are_as_warm_as_they_are_in_chengdu(a_world, month: int, low: float, high: float) -> None:  # type: ignore[no-untyped-def]
    for hour in (6, 15):
        for seed in (1, 2, 3):
            look = a_world(start=datetime(2026, month, 15, hour, 0), seed=seed, poles=20)
            assert low < look["temperature"].mean() < high
            assert 30 < look["humidity"].mean() <= 100


def test_the_afternoon_is_warmer_and_drier_than_the_morning(a_world) -> None:  # type: ignore[no-untyped-def]
    morning, afternoon = (a_world(start=datetime(2026, 7, 15, hour, 0)) for hour in (6, 15))
    assert afternoon["temperature"].mean() > morning["temperature"].mean() + 3
    assert afternoon["humidity"].mean() < morning["humidity"].mean() - 10


def test_the_dew_point_is_where_the_air_would_be_full(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world()
    warm, dew = look["temperature"], look["dew_point"]
    pressure = [6.1094 * np.exp(17.625 * at / (243.04 + at)) for at in (dew, warm)]  # Alduchov and Eskridge 1996
    assert 100 * pressure[0] / pressure[1] == pytest.approx(look["humidity"])
    assert (dew <= warm).all()
