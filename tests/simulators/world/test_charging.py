from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause
from simulators.world.kits import KITS

EVENING = datetime(2026, 7, 15, 19, 0)


def chargers(look) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.isin(look.city.kit, [number for number, kit in enumerate(KITS) if kit.device("charger")])


def test_only_poles_with_a_charger_charge_and_what_they_charge_is_counted(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=EVENING, poles=1000)
    there = chargers(look)
    before, energy = look["ev_energy_total"], np.zeros(1000)
    for _ in range(180):
        look.play(10)
        energy += look["ev_power"] / 360_000
    for quantity in ("ev_connected", "ev_charging", "ev_power", "ev_energy_total", "ev_soc"):
        assert look[quantity][~there].sum() == 0, quantity
    assert energy.sum() > 10
    assert look["ev_energy_total"] - before == pytest.approx(energy)
    assert look["ev_current"].max() <= 32
    assert (look["ev_connected"] >= look["ev_charging"]).all()
    assert (look["ev_power"] == look["ev_current"] * look["voltage"]).all()


def test_cars_come_fill_up_and_leave(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=EVENING, poles=600)
    came = left = full = 0
    connected, charge = look["ev_connected"], look["ev_soc"]
    for _ in range(200):
        look.play(60)
        came += int((look["ev_connected"] > connected).sum())
        left += int((look["ev_connected"] < connected).sum())
        full += int(((look["ev_soc"] > 93) & (charge <= 93)).sum())
        connected, charge = look["ev_connected"], look["ev_soc"]
    assert came > 10
    assert left > 10
    assert full > 0


def test_a_car_that_is_almost_full_takes_less(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=EVENING, poles=1000)
    low, high = [], []
    for _ in range(75):
        look.play(120)
        takes, charge = look["ev_current"], look["ev_soc"]
        low += takes[(takes > 0) & (charge < 90)].tolist()
        high += takes[(takes > 0) & (charge > 95)].tolist()
    assert min(low) == 32
    assert 6 <= min(high) <= max(high) < 23


def test_a_rush_brings_more_cars(a_world) -> None:  # type: ignore[no-untyped-def]
    rush = Cause(kind="charging", begin_s=0, values={"factor": 6.0})
    usual, full = a_world(start=EVENING, poles=600).play(3600), a_world(rush, start=EVENING, poles=600).play(3600)
    assert full["ev_connected"].sum() > 1.5 * usual["ev_connected"].sum()
    assert full["voltage"].mean() < usual["voltage"].mean()


def test_a_charger_obeys_its_limit_and_its_switch(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=EVENING, poles=600)
    pole = int(np.flatnonzero((look["ev_charging"] > 0) & (look["ev_soc"] < 50))[0])
    assert look["ev_current"][pole] == 32
    look.world.act(pole, "charger_current", 10.0)
    assert look.play(10)["ev_current"][pole] == 10
    look.world.act(pole, "charger_enabled", 0.0)
    assert look.play(10)["ev_current"][pole] == 0
    assert look["ev_connected"][pole] == 1
    look.world.act(pole, "charger_enabled", 1.0)
    assert look.play(10)["ev_current"][pole] == 10


def test_a_screen_follows_the_day_and_obeys(a_world) -> None:  # type: ignore[no-untyped-def]
    noon, evening, night = (a_world(start=datetime(2026, 7, 15, hour, 0), poles=300) for hour in (13, 22, 3))
    screens = np.isin(noon.city.kit, [number for number, kit in enumerate(KITS) if kit.device("screen")])
    assert (noon["screen_on"] == screens).all()
    assert (noon["screen_brightness"][screens] == 90).all()
    assert (evening["screen_brightness"][screens] == 30).all()
    assert night["screen_on"].sum() == 0
    pole = int(np.flatnonzero(screens)[0])
    noon.world.act(pole, "screen_brightness", 50.0)
    drawn = noon["active_power"][pole]
    assert noon.play(10)["screen_brightness"][pole] == 50
    assert drawn - noon["active_power"][pole] == pytest.approx(0.4 * 540, rel=0.01)
    noon.world.act(pole, "screen_on", 0.0)
    assert noon.play(10)["screen_on"][pole] == 0
