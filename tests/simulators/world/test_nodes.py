import numpy as np

from simulators.causes import Cause, Where

HALF = Where(share=0.5)


def test_a_network_that_is_down_reaches_no_node_and_every_node_runs_on(a_world) -> None:  # type: ignore[no-untyped-def]
    cause = Cause(kind="offline", begin_s=60, end_s=180, where=Where(count=1, whole="network_cell"))
    look = a_world(cause)
    met = cause.where.chosen(look.city, 1, cause.stream)
    assert 0 < met.sum() < 120
    look.play(60)
    assert (look.world.reachable == ~met).all()
    assert look.world.running.all()
    assert (look["uplink_up"] == ~met).all()
    assert look.world.clock_known.all()
    look.play(120)
    assert look.world.reachable.all()


def test_after_an_outage_nodes_start_one_after_another_and_know_the_time_once_they_are_reached(a_world) -> None:  # type: ignore[no-untyped-def]
    outage = Cause(kind="outage", begin_s=60, end_s=120, where=HALF)
    away = Cause(kind="offline", begin_s=60, end_s=400, where=Where(districts=("wuhou",)), number=1)
    look = a_world(outage, away)
    look.play(110)
    dark = ~look.world.powered
    assert dark.sum() == 60
    assert not look.world.clock_known[dark].any()
    assert look.world.clock_known[~dark].all()
    starts = []
    for _ in range(12):
        look.play(10)
        starts.append(int(look.world.running.sum()))
    assert look.world.powered.all()
    assert starts[0] == 60
    assert starts[-1] == 120
    assert len(set(starts)) > 3
    still_away = np.array(look.city.area) == "wuhou"
    assert (look.world.clock_known == ~(dark & still_away)).all()
    look.play(300)
    assert look.world.clock_known.all()


def test_a_bad_rollout_makes_its_share_start_over_and_over_until_it_is_taken_back(a_world) -> None:  # type: ignore[no-untyped-def]
    values = {"version": "1.1.0", "sick": 0.4, "symptom": "boot-loop"}
    look = a_world(Cause(kind="rollout", begin_s=60, end_s=1200, over_s=300, where=HALF, values=values))
    assert look.world.versions == ("1.0.0", "1.1.0")
    assert look.world.version.sum() == 0
    half_way = look.play(200).world.version.sum()
    assert 0 < half_way < 60
    look.play(300)
    assert look.world.version.sum() == 60
    up = np.zeros(120)
    starts = np.zeros(120)
    for _ in range(54):
        before = look.world.running.copy()
        look.play(10)
        up += look.world.running
        starts += look.world.running & ~before
    sick = up < 54
    assert 12 <= sick.sum() <= 36
    assert (look.world.version[sick] == 1).all()
    assert (starts[sick] >= 5).all()
    assert (up[sick] == 12).all()  # up for 20 s of 90
    assert look.world.powered.all()
    look.play(1200)
    assert look.world.version.sum() == 0
    assert look.world.running.all()


def test_a_rollout_whose_sensors_fall_silent_lets_the_nodes_run(a_world) -> None:  # type: ignore[no-untyped-def]
    values = {"version": "1.1.0", "sick": 1.0, "symptom": "silent-sensors"}
    look = a_world(Cause(kind="rollout", begin_s=60, where=HALF, values=values)).play(50)
    look.play(10)
    assert look.world.running.sum() == 60  # the others install it
    look.play(120)
    assert look.world.running.all()


def test_clocks_step_drift_and_forget(a_world) -> None:  # type: ignore[no-untyped-def]
    third = [Where(districts=(name,)) for name in ("wuhou", "jinjiang", "jinniu")]
    look = a_world(
        Cause(kind="clock", begin_s=100, end_s=900, where=third[0], values={"how": "step", "by": -7.25}),
        Cause(kind="clock", begin_s=100, end_s=900, where=third[1], values={"how": "drift", "by": 36.0}, number=1),
        Cause(kind="clock", begin_s=100, end_s=900, where=third[2], values={"how": "unset", "by": 0.0}, number=2),
    )
    area = np.array(look.city.area)
    assert not look.play(90).world.clock_offset_ms.any()
    look.play(410)
    offset = look.world.clock_offset_ms
    assert set(offset[area == "wuhou"].tolist()) == {-7250}
    assert set(offset[area == "jinjiang"].tolist()) == {4000}  # 36 s an hour are 10 ms a second, for 400 s
    assert not offset[~np.isin(area, ("wuhou", "jinjiang"))].any()
    assert (look.world.clock_known == (area != "jinniu")).all()
    look.play(400)
    assert not look.world.clock_offset_ms.any()
    assert look.world.clock_known.all()
