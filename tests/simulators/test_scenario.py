"""Scenarios: the shipped ones load, and each mistake in one's own is one message that says what to do."""

import json
import re
from datetime import datetime

import jsonschema
import pytest

from device_profiles import problems
from device_profiles.problems import FileProblem
from simulators import generate, scenario
from simulators.causes import FOREVER
from simulators.scenarios import page
from simulators.scenarios.kinds import KINDS
from simulators.scenarios.timeline import Entry

SHIPPED = (
    "bad-rollout", "clock-chaos", "district-offline", "feeder-outage", "heatwave", "new-year", "quiet-day",
    "sensor-rot", "storm", "vandal",
)  # fmt: skip
COMPASS = (
    "write degrees from 0 to 360, or one of north, north-east, east, south-east, south, south-west, west, north-west."
)
GOOD = """\
scenario: mine
labels: {en: Mine, zh: 我的}
story: {en: A front crosses., zh: 锋面过境。}
start: 2026-07-15 17:00
length: 2h
causes:
  - {at: 2m, front: {comes_from: west}}
  - {at: 5m, lasts: 30m, outage: , where: {near: [0.3, 0.6], whole: feeder}}
"""
FRONT, NEAR = "front: {comes_from: west}", "near: [0.3, 0.6]"
BROKEN = {
    "a length in words": ("length: 2h", "length: 2 hours",
        ":5: length: '2 hours': a duration is a number with ms, s, m, h or d, as in 500ms, 5s or 15m."),
    "too short": ("length: 2h", "length: 30s", ":5: length: '30s' is out of range: allowed is 1m to 400d."),
    "an unknown key": ("length: 2h", "length: 2h\nseeds: 4", ":6: seeds: unknown key. Did you mean 'seed'?"),
    "a start that is no date": ("2026-07-15 17:00", "15.7.2026 17:00",
        ":4: start: '15.7.2026 17:00': a start is a date and a time of the city's clock, as in 2026-07-15 17:00."),
    "a day that there is not": ("2026-07-15", "2026-02-30",
        ":4: start: '2026-02-30 17:00': a start is a date and a time of the city's clock, as in 2026-07-15 17:00."),
    "another name than the file's": ("scenario: mine", "scenario: yours",
        ":1: scenario: 'yours' must be the file's name: mine."),
    "one language": ("zh: 我的", "en: 我的", ":2: labels.en stands twice (first on line 2): keep one of them."),
    "no story": ("story: {en: A front crosses., zh: 锋面过境。}\n", "", ":1: story: is missing."),
    "a time without a unit": ("at: 2m", "at: 2",
        ":7: causes[0].at: 2: a duration is a number with ms, s, m, h or d, as in 500ms, 5s or 15m."),
    "between two steps": ("at: 2m", "at: 125s",
        ":7: causes[0].at: '125s': the world goes in steps of 10 s: write a multiple of 10s."),
    "after the end": ("at: 2m", "at: 3h",
        ":7: causes[0].at: begins when the scenario is over (2h). Make it earlier, or `length` longer."),
    "no time at all": ("lasts: 30m", "lasts: 0s",
        ":8: causes[1].lasts: '0s' is out of range: allowed is above 0s and at most 400d."),
    "a kind misspelt": ("front:", "frontt:", ":7: causes[0].frontt: unknown key. Did you mean 'front'?"),
    "a key misspelt": (FRONT, "front: {rian: 90}", ":7: causes[0].front.rian: unknown key. Did you mean 'rain'?"),
    "no point of the compass": (FRONT, "front: {comes_from: wset}",
        f":7: causes[0].front.comes_from: 'wset': {COMPASS} Did you mean 'west'?"),
    "more than a circle": (FRONT, "front: {comes_from: 400}", f":7: causes[0].front.comes_from: 400: {COMPASS}"),
    "faster than a storm": (FRONT, "front: {speed: 90}",
        ":7: causes[0].front.speed: 90 is out of range: allowed is 1 to 40."),
    "nothing happens": (FRONT, "where: {share: 0.5}",
        f":7: causes[0]: nothing happens here. Write one of {', '.join(KINDS)}."),
    "two things happen": ("at: 2m, ", "at: 2m, sag: {percent: 5}, ",
        ":7: causes[0]: front and sag are two causes: write a line for each."),
    "a front with an end": ("at: 2m", "at: 2m, lasts: 5m",
        ":7: causes[0].lasts: a front ends when it has crossed the city. Leave `lasts` out."),
    "a front at a place": (FRONT, "front: , where: {share: 0.5}",
        ":7: causes[0].where: a front comes over the whole city. Leave `where` out."),
    "a crowd nowhere": (FRONT, "crowd: {people: 50}",
        ":7: causes[0].where: a crowd is at a place. Write `where: {near: [0.5, 0.5]}`, shares of the city's size."),
    "a share of a crowd": (FRONT, "crowd: {people: 50}, where: {near: [0, 1], share: 0.1}",
        ":7: causes[0].where.share: a crowd is at a place, which near and radius say. Leave share out."),
    "what nobody measures": (FRONT, "plume: {pollutant: pm25, strength: 9}, where: {near: [0, 0]}",
        ":7: causes[0].plume.pollutant: 'pm25' is not one of pm2_5, pm10, no2, so2, o3 or co. Did you mean 'pm2_5'?"),
    "covers of lamps": (FRONT, "cover: , where: {functions: [lighting]}",
        ":7: causes[0].where.functions: a cover meets only poles with manhole anyway. Leave functions out."),
    "half a place": (NEAR, "near: [0.3]", ":8: causes[1].where.near: too few values: write 2, as in [1, 2]."),
    "a place in metres": (NEAR, "near: [300, 0]",
        ":8: causes[1].where.near[0]: 300 is out of range: allowed is at most 1."),
    "a whole of what is none": ("whole: feeder", "whole: feders",
        ":8: causes[1].where.whole: 'feders' is not one of feeder, circuit, network_cell, basin or district. "
        "Did you mean 'feeder'?"),
    "a radius around nothing": (NEAR, "radius: 50",
        ":8: causes[1].where.radius: is around `near`, which is missing. Write near, as in [0.5, 0.5]."),
    "share and count": (NEAR, "share: 0.1, count: 4",
        ":8: causes[1].where.count: share and count are two ways of saying how many. Leave one out."),
    "an unknown district": (NEAR, "districts: [wuho]",
        ":8: causes[1].where.districts[0]: 'wuho' is not one of wuhou, jinjiang, qingyang, jinniu or chenghua. "
        "Did you mean 'wuhou'?"),
    "a pole's short name": (NEAR, "poles: [P17]",
        ":8: causes[1].where.poles[0]: 'P17': a pole is P and its number in five digits, as in P00017."),
    "percent": (NEAR, "share: 20", ":8: causes[1].where.share: 20 is out of range: allowed is above 0 and at most 1."),
    "a drift without a rate": ("outage: ", "rot: {how: drift}", ":8: causes[1].rot: how: drift needs a rate."),
    "death at a rate": ("outage: ", "rot: {how: dead, rate: 4}", ":8: causes[1].rot: how: dead has no rate."),
    "spikes that go down": ("outage: ", "rot: {how: spikes, rate: -4}",
        ":8: causes[1].rot: rate: -4: only a drift goes down; write a number above 0."),
    "an unknown point": ("outage: ", "rot: {how: stuck, function: air, point: temprature}",
        ":8: causes[1].rot: point: 'temprature' is no point of air (docs/vocabulary.md). Did you mean 'temperature'?"),
    "an unknown device": ("outage: ", "rot: {how: stuck, device: air-11}",
        ":8: causes[1].rot: device: no pole has a 'air-11'. Did you mean 'air-1'?"),
    "a clock that is right": ("outage: ", "clock: {how: step}",
        ":8: causes[1].clock: how: step needs `by`, and not 0."),
    "a version that is a number": ("outage: ", "rollout: {version: 1.5}",
        ":8: causes[1].rollout.version: 1.5 is not a text: put it in quotes."),
    "words in place of values": ("outage: ", "cover: open",
        ":8: causes[1].cover: 'open' is not a mapping (lines of `key: value`)."),
}  # fmt: skip


@pytest.fixture
def mine(tmp_path):
    """A function: what stands in mine.yaml -> the scenario that it is."""

    def load(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content, encoding="utf-8")
        return scenario.load(path)

    return load


@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_each_mistake_is_one_message(mine, tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    with pytest.raises(FileProblem) as told:
        mine(GOOD.replace(old, new))
    assert told.value.messages == [f"{tmp_path / 'mine.yaml'}{message}"]


def test_every_mistake_is_told_at_once(mine):
    with pytest.raises(FileProblem) as told:
        mine(GOOD.replace("at: 2m", "at: 2").replace("lasts: 30m", "last: 30m").replace("length: 2h", "length: 2"))
    assert [message.split(": ")[1] for message in told.value.messages] == ["length", "causes[0].at", "causes[1].last"]


def test_a_file_becomes_causes(mine):
    found = mine(GOOD)
    assert (found.name, found.start, found.length_s, found.seed) == ("mine", datetime(2026, 7, 15, 17), 7200, 1)
    front, outage = found.causes
    assert (front.kind, front.begin_s, front.end_s, front.number) == ("front", 120, FOREVER, 0)
    assert front.values == {
        "from_deg": 270, "speed": 10, "width_m": 5000, "rain": 20, "wind": 8, "cooling": 4, "pressure": 2
    }  # fmt: skip
    assert (outage.kind, outage.begin_s, outage.end_s, outage.values) == ("outage", 300, 2100, {})
    assert (outage.where.near, outage.where.radius_m, outage.where.whole) == ((0.3, 0.6), 300, "feeder")


def test_causes_stand_in_the_order_of_time(mine):
    late, early = GOOD.splitlines(keepends=True)[-1].replace("5m", "6m"), GOOD
    found = mine(early.replace("  - {at: 2m", f"{late}  - {{at: 2m"))
    assert [(cause.number, cause.begin_s) for cause in found.causes] == [(0, 120), (1, 300), (2, 360)]


def test_a_cause_meets_only_poles_that_can_be_met(mine):
    line = "  - {at: 5m, cover: }\n  - {at: 6m, rot: {how: dead, function: air}}\n  - {at: 7m, rot: {how: dead}}\n"
    assert [cause.where.functions for cause in mine(GOOD + line).causes] == [(), (), ("manhole",), ("air",), ()]


def test_the_shipped_ones_are_these():
    assert tuple(scenario.names()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_tells_its_story(name):
    found = scenario.load(name)
    assert found.name == name
    assert min(len(found.story.en), len(found.story.zh)) > 40
    assert " " not in found.story.zh.replace(" UTC ", ""), "a folded line leaves a blank between two characters"
    soon = [cause for cause in found.causes if cause.begin_s <= 90]
    assert soon, "people who run it for two minutes see nothing"
    assert any(cause.en for cause in soon)
    schema = json.loads(generate.SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(problems.read_yaml(scenario.files()[name]))), schema)


def test_every_kind_happens_in_a_shipped_scenario():
    assert {cause.kind for name in SHIPPED for cause in scenario.load(name).causes} == set(KINDS)


def test_every_kind_is_a_key_of_a_cause():
    assert {name: field.annotation for name, field in Entry.model_fields.items() if name in KINDS} == {
        name: kind | None for name, kind in KINDS.items()
    }


def test_an_unknown_name_is_told_the_near_one():
    with pytest.raises(FileProblem, match=r"^'strom' is no scenario\. Did you mean 'storm'\? Shipped are bad-rollout,"):
        scenario.load("strom")


def test_a_file_that_there_is_not_is_no_name():
    with pytest.raises(FileProblem, match=r"^strom\.yaml: cannot be read: No such file"):
        scenario.load("strom.yaml")


def test_generated_files_say_what_the_models_say():
    assert [path for path, text in generate.texts().items() if path.read_text(encoding="utf-8") != text] == []


def test_the_page_shows_a_scenario_that_loads(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", page.PAGE.read_text(encoding="utf-8"), re.S)
    (tmp_path / "my-storm.yaml").write_text(example[1], encoding="utf-8")
    assert [cause.kind for cause in scenario.load(tmp_path / "my-storm.yaml").causes] == ["front", "outage", "sos"]
