import numpy as np
import pytest

from simulators.causes import Cause, Where
from simulators.world.incidents import GRAVITY

ONE = Where(count=1)


def test_a_pole_that_is_hit_feels_it_and_leans_until_it_is_put_upright(a_world) -> None:  # type: ignore[no-untyped-def]
    cause = Cause(kind="hit", begin_s=60, end_s=600, where=ONE, values={"angle": 15.0})
    look = a_world(cause)
    pole = int(np.flatnonzero(cause.where.chosen(look.city, 1, cause.stream))[0])
    stood = look["angle"]
    assert stood.max() < 1
    look.play(60)
    assert np.flatnonzero(look["impact"]).tolist() == [pole]
    assert look["angle"][pole] == pytest.approx(15, abs=1)
    assert look["angle"][np.arange(120) != pole].max() < 1
    felt = [look.play(10)["impact"][pole] for _ in range(6)]
    assert felt == [1, 1, 0, 0, 0, 0]  # three steps in all, so that a node that reports every 30 s tells of it
    assert look["angle"][pole] == pytest.approx(15, abs=1)
    across, along = np.tan(np.radians(look["angle_x"])), np.tan(np.radians(look["angle_y"]))
    assert np.degrees(np.arctan(np.hypot(across, along))) == pytest.approx(look["angle"])
    assert look["acceleration_z"] == pytest.approx(GRAVITY * np.cos(np.radians(look["angle"])))
    look.play(600)
    assert look["angle"] == pytest.approx(stood, abs=0.2)


def test_gusts_sway_every_pole_a_little(a_world) -> None:  # type: ignore[no-untyped-def]
    calm, windy = a_world(), a_world(Cause(kind="weather", begin_s=0, values={"wind": 15.0}))
    sways = []
    for look in (calm, windy):
        angles = np.array([look.play(10)["angle_x"] for _ in range(50)])
        sways.append(angles.std(axis=0).mean())
    assert sways[1] > 5 * sways[0]
    assert windy["angle"].max() < 5


def test_covers_are_open_while_the_cause_lasts_and_buttons_ring_a_while_longer(a_world) -> None:  # type: ignore[no-untyped-def]
    opened = Cause(kind="cover", begin_s=60, end_s=120, where=Where(count=3))
    pressed = Cause(kind="sos", begin_s=60, end_s=120, where=ONE, number=1)
    look = a_world(opened, pressed)
    seen = {name: [] for name in ("cover_open", "sos_pressed", "call_active")}
    for _ in range(40):
        look.play(10)
        for name, sums in seen.items():
            sums.append(int(look[name].sum()))
        assert ((look["cover_angle"] > 30) == (look["cover_open"] > 0)).all()
    assert seen["cover_open"] == [0] * 5 + [3] * 6 + [0] * 29
    assert seen["sos_pressed"] == [0] * 5 + [1] * 6 + [0] * 29
    assert (
        seen["call_active"] == [0] * 7 + [1] * 22 + [0] * 11
    )  # answered after 20 s, hung up 3 min after the hand went
