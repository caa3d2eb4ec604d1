import numpy as np

from simulators.causes import Cause


def test_drains_fill_in_rain_and_empty_after_it(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="weather", begin_s=600, end_s=2400, values={"rain": 12.0}))
    dry = look["water_level"]
    assert 0.02 < dry.min() <= dry.max() < 0.15
    look.play(590)
    assert (look["water_level"] == dry).all()
    look.play(1800)
    full = look["water_level"]
    assert (full > dry + 0.1).all()
    look.play(600)
    assert (look["water_level"] < full).all()
    look.play(2 * 3600)
    assert np.abs(look["water_level"] - dry).max() < 0.01


def test_rain_that_the_pipes_can_carry_floods_nothing_and_a_cloudburst_floods_hollows_first(a_world) -> None:  # type: ignore[no-untyped-def]
    shower = a_world(Cause(kind="weather", begin_s=0, values={"rain": 10.0})).play(3600)
    assert shower["flooded"].sum() == 0
    burst = a_world(Cause(kind="weather", begin_s=0, end_s=2700, values={"rain": 80.0})).play(2690)
    flooded = burst["flooded"] > 0
    assert 0 < flooded.sum() < 120
    assert burst.city.hollow[flooded].mean() > burst.city.hollow[~flooded].mean() + 0.2
    assert burst["water_level"][flooded].min() > 0.9  # above the road
    assert burst["water_level"].max() < 3.5


def test_a_flood_is_told_when_it_comes_and_when_it_has_gone(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="weather", begin_s=0, end_s=2400, values={"rain": 80.0}))
    told: dict[str, list[int]] = {"flood": [], "flood over": []}
    basins = set()
    for _ in range(1000):
        look.play(10)
        for happening in look.world.happenings():
            if happening.kind in told:
                told[happening.kind].append(look.world.step)
                basins.add(int(look.city.basin[happening.poles[0]]))
                assert (look.city.basin[happening.poles] == look.city.basin[happening.poles[0]]).all()
    assert len(told["flood"]) == len(told["flood over"]) == len(basins) > 0
    assert max(told["flood"]) < 240
    assert min(told["flood over"]) > 200
    assert look["flooded"].sum() == 0


def test_a_basin_that_gets_no_rain_stays_dry(a_world) -> None:  # type: ignore[no-untyped-def]
    from simulators.causes import Where

    look = a_world(
        Cause(kind="weather", begin_s=0, values={"rain": 40.0}, where=Where(districts=("chenghua",))), poles=600
    )
    dry = look["water_level"].copy()
    look.play(1200)
    rained = np.isin(look.city.basin, look.city.basin[look["rain"] > 0])
    assert 0 < rained.sum() < 600
    assert (look["water_level"][~rained] == dry[~rained]).all()
    assert (look["water_level"][rained] > dry[rained]).all()
