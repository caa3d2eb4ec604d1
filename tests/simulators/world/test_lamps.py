from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause, Where


@pytest.mark.parametrize(
    ("kind", "start", "earliest", "latest"),
    # In the middle of July the sun sets in Chengdu at about 20:08 and rises at about 06:10.
    [("dusk", (15, 19), (15, 19, 50), (15, 20, 30)), ("dawn", (16, 5), (16, 5, 50), (16, 6, 30))],
)
def test_lamps_go_on_at_dusk_circuit_by_circuit_and_off_at_dawn(a_world, kind, start, earliest, latest) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=datetime(2026, 7, *start, 30))
    first_of_circuit = np.unique(look.city.circuit, return_index=True)[1]
    shares, told = [look["lamp_on"].mean()], []
    for _ in range(450):
        look.play(10)
        on = look["lamp_on"]
        assert (on == on[first_of_circuit][look.city.circuit]).all()
        shares.append(on.mean())
        told += [(happening.kind, look.world.local()) for happening in look.world.happenings()]
    assert (shares[0], shares[-1]) == ((0, 1) if kind == "dusk" else (1, 0))
    assert len({share for share in shares if 0 < share < 1}) > 1
    assert [name for name, _ in told] == [kind]
    assert datetime(2026, 7, *earliest) < told[0][1] < datetime(2026, 7, *latest)


def test_lamps_are_dimmed_late_and_a_lamp_draws_power_by_its_level(a_world) -> None:  # type: ignore[no-untyped-def]
    evening, late = (a_world(start=datetime(2026, 7, day, hour, 0)) for day, hour in ((15, 22), (16, 2)))
    assert (evening["lamp_level"] == 100).all()
    assert (late["lamp_level"] == 40).all()
    drawn = late["lamp_power"] / evening["lamp_power"]
    assert 0.4 < drawn.min() <= drawn.max() < 0.5  # the driver's own draw does not dim
    for look in (evening, late):
        assert (look["active_power"] > look["lamp_power"]).all()
    assert (evening["active_power"] - late["active_power"]).mean() > 20


def test_a_lamp_counts_its_hours_and_its_energy(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(start=datetime(2026, 7, 15, 22, 0))
    hours, energy = look["lamp_hours"], look["lamp_energy"]
    look.play(1800)
    assert look["lamp_hours"] - hours == pytest.approx(np.full(120, 0.5))
    assert look["lamp_energy"] - energy == pytest.approx(look["lamp_power"] / 2000)


def test_a_scenario_orders_lamps_and_a_hand_beats_it_until_it_lets_go(a_world) -> None:  # type: ignore[no-untyped-def]
    order = Cause(kind="lamps", begin_s=0, end_s=600, values={"level": 30.0}, where=Where(districts=("wuhou",)))
    look = a_world(order, start=datetime(2026, 7, 15, 22, 0))
    there = np.array(look.city.area) == "wuhou"
    assert (look["lamp_level"] == np.where(there, 30, 100)).all()
    pole = int(np.flatnonzero(there)[0])
    look.world.act(pole, "lamp_level", 55.0)
    assert look["lamp_level"][pole] == 30  # acts begin with the next step
    assert look.play(10)["lamp_level"][pole] == 55
    assert look.play(700)["lamp_level"][pole] == 55
    look.world.act(pole, "lamp_auto", 0.0)
    assert (look.play(10)["lamp_level"] == 100).all()


def test_acts_that_a_pole_cannot_do_are_refused(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world()
    plain = int(np.flatnonzero(look.city.kit == 0)[0])
    for what in ("screen_on", "charger_current"):
        with pytest.raises(KeyError):
            look.world.act(plain, what, 1.0)
    with pytest.raises(KeyError, match="lamp_power: an act is one of lamp_level"):
        look.world.act(plain, "lamp_power", 1.0)
