from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause, Where
from simulators.world.kits import KITS

NIGHT = datetime(2026, 7, 15, 21, 0)


def test_more_load_on_a_circuit_means_less_voltage_and_most_at_its_end(a_world) -> None:  # type: ignore[no-untyped-def]
    dark, lit = (
        a_world(Cause(kind="lamps", begin_s=0, values={"level": level}), poles=600, start=NIGHT)
        for level in (0.0, 100.0)
    )
    fallen = dark["voltage"] - lit["voltage"]
    assert (fallen >= 0).all()
    assert fallen.max() > 0.5
    loaded = np.bincount(lit.city.circuit, weights=lit["lamp_power"] - dark["lamp_power"])[lit.city.circuit]
    assert np.corrcoef(fallen, loaded * lit.city.far)[0, 1] > 0.99


def test_the_evening_and_a_heat_wave_pull_every_voltage_down_and_the_limits_hold(a_world) -> None:  # type: ignore[no-untyped-def]
    morning = a_world(start=datetime(2026, 7, 15, 4, 0))
    evening = a_world(start=datetime(2026, 7, 15, 19, 30))
    hot = a_world(Cause(kind="weather", begin_s=0, values={"temperature": 10.0}), start=datetime(2026, 7, 15, 19, 30))
    assert morning["voltage"].mean() > evening["voltage"].mean() + 3
    assert evening["voltage"].mean() > hot["voltage"].mean() + 1
    for look in (morning, evening, hot):
        assert 198 <= look["voltage"].min() <= look["voltage"].max() <= 235.4  # GB/T 12325


def test_what_a_meter_reads_fits_together(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=NIGHT, poles=300)
    apparent = look["voltage"] * look["current"]
    assert look["active_power"] == pytest.approx(apparent * look["power_factor"])
    assert look["active_power"] ** 2 + look["reactive_power"] ** 2 == pytest.approx(apparent**2)
    assert 0.4 < look["power_factor"].min() <= look["power_factor"].max() <= 1
    assert 49.9 < look["frequency"].min() == look["frequency"].max() < 50.1


def test_a_meter_counts_what_is_drawn(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=NIGHT)
    before, drawn = look["energy_total"], np.zeros(120)
    for _ in range(120):
        look.play(10)
        drawn += look["active_power"] / 360_000
    assert look["energy_total"] - before == pytest.approx(drawn)
    assert drawn.min() > 0


def test_lamps_screens_and_chargers_are_in_the_poles_power(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=NIGHT, poles=600).play(600)
    drawn = look["lamp_power"] + look["ev_power"]
    rest = look["active_power"] - drawn
    screens = np.isin(look.city.kit, [number for number, kit in enumerate(KITS) if kit.device("screen")])
    assert look["ev_charging"].sum() > 3
    assert 5 < rest[~screens].min() <= rest[~screens].max() < 60  # the node and its small devices
    assert rest[screens].min() > 60


def test_an_outage_darkens_exactly_its_poles_for_exactly_its_time(a_world) -> None:  # type: ignore[no-untyped-def]
    cause = Cause(kind="outage", begin_s=300, end_s=900, where=Where(count=1, whole="feeder"))
    look = a_world(cause, start=NIGHT, poles=300)
    chosen = cause.where.chosen(look.city, 1, cause.stream)
    assert 0 < chosen.sum() < 300
    assert len(set(look.city.feeder[chosen].tolist())) == 1
    for _ in range(120):
        look.play(10)
        dark = chosen if 300 <= look.world.step * 10 < 900 else np.zeros(300, dtype=bool)
        assert (look.world.powered == ~dark).all()
        assert ((look["voltage"] == 0) == dark).all()
        assert ((look["lamp_on"] == 0) == dark).all()
        for quantity in (
            "current",
            "active_power",
            "ev_current",
            "screen_brightness",
            "wifi_clients",
            "leakage_current",
        ):
            assert look[quantity][dark].sum() == 0, quantity
        assert not look.world.running[dark].any()


def test_a_sag_takes_its_percent_and_no_more(a_world) -> None:  # type: ignore[no-untyped-def]
    where = Where(share=0.5, whole="feeder")
    usual = a_world(poles=300).play(60)
    sagging = a_world(Cause(kind="sag", begin_s=60, end_s=120, where=where, values={"percent": 20.0}), poles=300).play(
        60
    )
    met = where.chosen(usual.city, 1, "cause 0 sag")
    assert 0 < met.sum() < 300
    assert sagging["voltage"][met] == pytest.approx(0.8 * usual["voltage"][met])
    assert (sagging["voltage"][~met] == usual["voltage"][~met]).all()


def test_rain_raises_leakage_and_a_pole_that_leaks_too_much_loses_charger_and_screen_and_keeps_its_lamp(
    a_world,
) -> None:  # type: ignore[no-untyped-def]
    wet = Cause(kind="weather", begin_s=60, end_s=3600, values={"rain": 70.0})
    look = a_world(wet, start=NIGHT, poles=1500)
    dry = look["leakage_current"]
    assert 0 < dry.min() <= dry.max() < 30
    look.play(3000)
    assert (look["leakage_current"] > dry).all()
    tripped = look["tripped"] > 0
    assert 0 < tripped.sum() < 150
    assert (look["lamp_on"][tripped] == 1).all()
    assert look["ev_current"][tripped].sum() == 0
    assert look["screen_on"][tripped].sum() == 0
    assert look["screen_on"].sum() > 0
    look.play(3 * 3600)
    assert look["tripped"].sum() == 0


def test_a_breaker_that_tripped_stays_so_while_its_pole_has_no_power(a_world) -> None:  # type: ignore[no-untyped-def]
    wet = Cause(kind="weather", begin_s=60, end_s=3600, values={"rain": 70.0})
    dark = Cause(kind="outage", begin_s=3000, end_s=3300, number=1)
    look = a_world(wet, dark, start=NIGHT, poles=600).play(2990)
    tripped = look["tripped"]
    assert tripped.sum() > 0
    look.play(60)
    assert look["leakage_current"].sum() == 0
    assert (look["tripped"] == tripped).all()
