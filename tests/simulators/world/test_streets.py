from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause, Where

MORNING = datetime(2026, 7, 15, 8, 30)
MIDDLE = Where(near=(0.5, 0.5), radius_m=300.0)


def test_main_roads_are_busy_by_day_and_everything_is_quiet_at_four(a_world) -> None:  # type: ignore[no-untyped-def]
    day, night = a_world(start=MORNING, poles=600), a_world(start=datetime(2026, 7, 15, 4, 0), poles=600)
    by_road = [day["vehicles"][day.city.road == road].mean() for road in range(4)]
    assert by_road[2] > by_road[3] > by_road[1] > by_road[0]
    assert day["vehicles"].mean() > 5 * night["vehicles"].mean()
    assert day["noise"].mean() > night["noise"].mean() + 4
    main = day.city.road == 2
    assert 62 < day["noise"][main].mean() < 76  # GB 3096 has 70 dB(A) for the day beside main roads
    assert (day["vehicles"] == np.rint(day["vehicles"])).all()


def test_a_sunday_morning_is_quieter(a_world) -> None:  # type: ignore[no-untyped-def]
    workday, sunday = a_world(start=MORNING, poles=600), a_world(start=datetime(2026, 7, 19, 8, 30), poles=600)
    assert sunday["vehicles"].mean() < 0.7 * workday["vehicles"].mean()


def test_a_factor_on_traffic_meets_its_poles(a_world) -> None:  # type: ignore[no-untyped-def]
    jam = Cause(kind="traffic", begin_s=0, values={"factor": 3.0}, where=Where(roads=("main-road",)))
    usual, busy = a_world(start=MORNING, poles=600), a_world(jam, start=MORNING, poles=600)
    main = usual.city.road == 2
    assert busy["vehicles"][main].sum() == pytest.approx(3 * usual["vehicles"][main].sum(), rel=0.1)
    assert (busy["vehicles"][~main] == usual["vehicles"][~main]).all()
    assert (busy["no2"][main] > usual["no2"][main]).mean() > 0.9


def test_a_crowd_stands_around_its_place_and_uses_the_wi_fi(a_world) -> None:  # type: ignore[no-untyped-def]
    crowd = Cause(kind="crowd", begin_s=600, end_s=3600, fade_s=600, where=MIDDLE, values={"people": 5000.0})
    look = a_world(crowd, start=MORNING, poles=1000)
    far = np.hypot(look.city.x - look.city.width_m / 2, look.city.y - look.city.height_m / 2)
    look.play(500)
    before, octets = look["people"], look["wifi_octets_in"]
    clients = look["wifi_clients"]
    look.play(1500)
    more = look["people"] - before
    assert more[far < 100].mean() > 20
    assert abs(more[far > 600].mean()) < 2
    assert look["noise"][far < 100].mean() > 60
    assert look["wifi_clients"].sum() > clients.sum()
    stations = octets > 0
    assert (look["wifi_octets_in"][stations] > octets[stations]).mean() > 0.9
    assert (look["wifi_octets_out"] < look["wifi_octets_in"])[stations].all()
    look.play(3000)
    assert look["people"].max() < 200


def test_people_go_home_when_it_rains(a_world) -> None:  # type: ignore[no-untyped-def]
    wet = Cause(kind="weather", begin_s=0, values={"rain": 30.0})
    assert a_world(wet, start=MORNING)["people"].sum() < 0.5 * a_world(start=MORNING)["people"].sum()
