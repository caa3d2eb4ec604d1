import string

import numpy as np

from simulators import scenario
from simulators.causes import Cause, Where
from simulators.scenarios.kinds import KINDS
from simulators.world.happenings import _BEGINS, _ENDS


def test_a_cause_is_told_when_it_begins_and_when_it_ends_with_the_poles_that_it_meets(a_world) -> None:  # type: ignore[no-untyped-def]
    cause = Cause(kind="cover", begin_s=60, end_s=120, over_s=60, where=Where(count=20))
    look = a_world(cause)
    met: dict[str, list[int]] = {"cover": [], "cover over": []}
    for _ in range(30):
        look.play(10)
        for happening in look.world.happenings():
            assert happening.step == look.world.step
            met[happening.kind] += happening.poles.tolist()
            opened = look["cover_open"][happening.poles]
            assert (opened == (happening.kind == "cover")).all()
    chosen = np.flatnonzero(cause.where.chosen(look.city, 1, cause.stream)).tolist()
    assert sorted(met["cover"]) == sorted(met["cover over"]) == chosen


def test_the_scenarios_words_come_first_and_ours_for_the_poles_that_follow(a_world) -> None:  # type: ignore[no-untyped-def]
    cause = Cause(kind="sos", begin_s=60, end_s=90, over_s=300, where=Where(count=6), en="Help", zh="救命")
    look = a_world(cause)
    told = []
    for _ in range(60):
        look.play(10)
        told += [(happening.en, happening.zh) for happening in look.world.happenings() if happening.kind == "sos"]
    assert len(told) > 1
    assert told[0] == ("Help", "救命")
    assert set(told[1:]) == {("Emergency button pressed", "紧急求助按下")}


def test_what_meets_every_pole_names_none(a_world) -> None:  # type: ignore[no-untyped-def]
    look = a_world(Cause(kind="weather", begin_s=60, values={"temperature": 3.0}))
    told = [happening for _ in range(10) for happening in look.play(10).world.happenings()]
    assert [(happening.kind, happening.poles.tolist()) for happening in told] == [("weather", [])]


def test_every_kind_of_cause_has_words_in_both_languages() -> None:
    assert _BEGINS.keys() == KINDS.keys()
    assert _ENDS.keys() == KINDS.keys() - {"front"}  # its end is told when it has left the city
    for words in (_BEGINS, _ENDS):
        for kind, (en, zh) in words.items():
            assert zh != en
            fields = {field for text in (en, zh) for _, field, _, _ in string.Formatter().parse(text) if field}
            assert fields <= KINDS[kind].model_fields.keys(), kind


def test_every_cause_of_every_shipped_scenario_can_be_told(a_world) -> None:  # type: ignore[no-untyped-def]
    for name in scenario.names():
        story = scenario.load(name)
        look = a_world(*story.causes, start=story.start)  # the timetable is written when the world is made
        assert look.world.happenings() is not None
