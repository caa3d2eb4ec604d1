"""The overview's form: every point shown once, with its unit and both labels, and nothing of what no profile has."""

import json
from pathlib import Path

import pytest
import yaml

from dashboards import functions, generate, panels, points, units
from dashboards.overview import overview
from device_profiles import loader, vocabulary
from device_profiles.schema import FUNCTIONS, Profile

FOLDER = Path(generate.__file__).parent
LABELS = {"en": "Voltage", "zh": "电压"}


def every_panel(dashboard):
    """All panels, those within folded rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def shown():
    return overview(loader.profiles())


def profile(name, points, function="energy"):
    return Profile.model_validate(
        {
            "profile": name, "version": 1, "function": function, "maker": "m", "model": "n", "labels": LABELS,
            "source": "made up for tests", "verified": "bench", "protocol": "modbus", "modbus": {},
            "polls": {"slow": {"every": "10s", "silence": "15m"}, "fast": {"every": "1s", "silence": "1m"}},
            "points": points,
        }
    )  # fmt: skip


def point(**changed):
    return {
        "labels": LABELS,
        "unit": "V",
        "poll": "fast",
        "at": {"table": "input", "address": 0, "type": "uint16"},
    } | changed


def test_the_file_is_up_to_date():
    assert generate.FILE.read_text(encoding="utf-8") == generate.text(), "run `python -m dashboards.generate`"


def test_profiles_in_another_order_make_the_same_dashboard():
    backwards = dict(reversed(loader.profiles().items()))
    assert json.dumps(overview(backwards)) == json.dumps(shown())


def test_every_point_of_every_profile_has_one_panel():
    described = [panel["description"] for panel in every_panel(shown()) if "description" in panel]
    told = [text.split(" ")[0] for text in described]
    wanted = {
        f"{profile.function_of(name)}.{name}" for profile in loader.profiles().values() for name in profile.points
    }
    assert sorted(told) == sorted(wanted)


def test_functions_without_a_profile_are_left_out():
    rows = [panel["title"] for panel in shown()["panels"] if panel["type"] == "row"][3:]
    present = {profile.function_of(name) for profile in loader.profiles().values() for name in profile.points}
    assert rows == [functions.both(functions.LABELS[function]) for function in FUNCTIONS if function in present]
    assert set(functions.LABELS) == set(FUNCTIONS)


def test_labels_in_both_languages_and_the_unit():
    (panel,) = [panel for panel in every_panel(shown()) if panel.get("description", "").startswith("energy.voltage (")]
    assert "sdm120" in panel["description"]
    assert panel["title"] == "Voltage 电压"
    assert panel["fieldConfig"]["defaults"]["unit"] == "volt"


@pytest.mark.parametrize(
    ("unit", "grafana"), [("V", "volt"), ("Cel", "celsius"), ("ug/m3", "conμgm3"), ("", "none"), ("lm", "suffix: lm")]
)
def test_units(unit, grafana):
    assert units.grafana(unit) == grafana


def test_every_unit_of_the_profiles_and_of_the_vocabulary_is_one_of_grafanas():
    told = {point.unit for profile in loader.profiles().values() for point in profile.points.values()}
    standard = {point.unit for function in FUNCTIONS for point in vocabulary.vocabulary().points(function).values()}
    assert told | standard <= set(units.GRAFANA)


def test_panels_neither_overlap_nor_leave_the_grid():
    taken = set()
    for panel in every_panel(shown()):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel in shown()["panels"]:
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            taken |= cells
    numbers = [panel["id"] for panel in every_panel(shown())]
    assert len(set(numbers)) == len(numbers)


def test_a_line_breaks_after_twice_the_longest_silence_of_its_profiles():
    profiles = {"a": profile("a", {"voltage": point()}), "b": profile("b", {"voltage": point(poll="slow")})}
    (panel,) = [panel for panel in every_panel(overview(profiles)) if "description" in panel]
    assert panel["fieldConfig"]["defaults"]["custom"]["insertNulls"] == 2 * 15 * 60 * 1000
    assert panel["description"] == "energy.voltage (a, b)"


def test_switches_and_codes_are_shown_as_states():
    coil = {"at": {"table": "coil", "address": 1}, "unit": ""}
    code = {"values": {0: "idle", 17152: "charging"}, "unit": ""}
    made = overview({"a": profile("a", {"enabled": point(**coil), "state": point(**code)})})
    switch, state = [panel for panel in every_panel(made) if "description" in panel]
    assert switch["type"] == state["type"] == "state-timeline"
    assert set(switch["fieldConfig"]["defaults"]["mappings"][0]["options"]) == {"true", "false"}
    meanings = state["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert {value: meaning["text"] for value, meaning in meanings.items()} == {"0": "idle", "17152": "charging"}
    assert 'last("state")' in state["targets"][0]["query"]


def test_the_point_that_most_profiles_share_stands_for_a_function():
    both = {"temperature": point(), "humidity": point()}
    profiles = {"a": profile("a", {"wind": point(), **both}, "air"), "b": profile("b", both, "air")}
    assert points.headline(points.by_function(profiles)["air"]).name == "temperature"


def test_a_standard_point_is_shown_as_the_vocabulary_has_it_whoever_made_the_device():
    named = point(labels={"en": "Mains", "zh": "市电"})
    makers = {"a": profile("a", {"voltage": named}), "b": profile("b", {"voltage": point()})}
    for profiles in (makers, {"a": makers["a"]}, {"b": makers["b"]}):
        (panel,) = [panel for panel in every_panel(overview(profiles)) if "description" in panel]
        assert panel["title"] == "Voltage 电压"
        assert panel["fieldConfig"]["defaults"]["unit"] == "volt"


def test_standard_points_come_first_and_in_the_vocabulary_s_order():
    told = {"strange": point(own=True), "frequency": point(unit="Hz"), "battery": point(unit="%EL"), "voltage": point()}
    names = [one.name for one in points.by_function({"a": profile("a", told)})["energy"]]
    assert names == ["voltage", "frequency", "battery", "strange"]


def test_what_a_device_tells_of_itself_stands_for_no_function():
    told = {"battery": point(unit="%EL"), "cover_open": point(unit="", at={"table": "coil", "address": 1})}
    profiles = {"a": profile("a", told, "manhole"), "b": profile("b", {"battery": point(unit="%EL")}, "manhole")}
    assert points.headline(points.by_function(profiles)["manhole"]).name == "cover_open"


def test_two_makers_meanings_of_one_code_are_both_shown():
    first, second = point(values={0: "idle", 1: "busy"}, unit=""), point(values={0: "off", 1: "busy"}, unit="")
    (state,) = points.by_function({"a": profile("a", {"status": first}), "b": profile("b", {"status": second})})[
        "energy"
    ]
    assert state.meanings == {"0": "idle / off", "1": "busy"}


def test_a_code_of_every_maker_has_the_vocabulary_s_meanings():
    told = {"wind_direction_code": point(unit="")}
    (code,) = points.by_function({"a": profile("a", told, "air")})["air"]
    assert (code.kind, code.meanings["7"]) == ("code", "north-west")


def test_a_text_is_shown_as_a_state():
    text = {"labels": LABELS, "poll": "fast", "item": {"name": "TEXT", "type": "text"}}
    (panel,) = [
        panel
        for panel in every_panel(overview({"a": profile("a", {"text": text}, "screen")}))
        if "description" in panel
    ]
    assert panel["type"] == "state-timeline"
    assert 'last("text")' in panel["targets"][0]["query"]


def test_a_total_is_shown_by_how_fast_it_grows():
    octets, errors = point(unit="B"), point(unit="count")
    made = overview({"a": profile("a", {"octets_in": octets, "errors_in": errors}, "wifi")})
    first, second = [panel for panel in every_panel(made) if "description" in panel]
    assert 'non_negative_derivative(max("octets_in"), 1s)' in first["targets"][0]["query"]
    assert first["fieldConfig"]["defaults"]["unit"] == "Bps"
    assert 'non_negative_derivative(max("errors_in"), 1m)' in second["targets"][0]["query"]
    assert second["fieldConfig"]["defaults"]["unit"] == "cpm"


def test_queries_of_a_panel_have_names_of_their_own():
    for panel in every_panel(shown()):
        names = [one["refId"] for one in panel.get("targets", [])]
        assert len(set(names)) == len(names)
    many = panels.numbers("x", [panels.target("y")] * 30, unit="none")["targets"]
    assert [one["refId"] for one in many][24:29] == ["Y", "Z", "AA", "AB", "AC"]


def test_the_provisioned_data_source_is_the_one_that_panels_use():
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/multipole.yaml").read_text())["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == panels.DATASOURCE
    assert source["jsonData"]["version"] == "InfluxQL"
    for panel in every_panel(shown()):
        if panel["type"] != "row":
            assert {json.dumps(one["datasource"]) for one in [panel, *panel["targets"]]} == {
                json.dumps(panels.DATASOURCE)
            }


def test_dashboards_are_provisioned_read_only():
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/multipole.yaml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    assert shown()["editable"] is False
