"""The vocabulary itself, and a profile's points against it: each difference is one message that says what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_profiles import loader, problems, units, vocabulary
from device_profiles.problems import FileProblem
from device_profiles.schema import FUNCTIONS, Point
from device_profiles.vocabulary import Standard, Vocabulary

TEXT = vocabulary.FILE.read_text("utf-8")


def points() -> Iterator[tuple[str, str, Standard]]:
    known = vocabulary.vocabulary()
    for function, standards in [*known.functions.items(), ("common", known.common)]:
        for name, standard in standards.items():
            yield function, name, standard


EVERY = list(points())


def test_every_function_has_points_and_the_common_ones() -> None:
    known = vocabulary.vocabulary()
    assert set(known.functions) == set(FUNCTIONS)
    for function in FUNCTIONS:
        assert len(known.functions[function]) >= 5
        assert known.common.keys() <= known.points(function).keys()


@pytest.mark.parametrize(("function", "name", "standard"), EVERY, ids=[f"{one}.{two}" for one, two, _ in EVERY])
def test_a_standard_point_says_what_it_is(function: str, name: str, standard: Standard) -> None:
    assert standard.meaning.endswith(".")
    assert standard.meaning[0].isupper()
    assert standard.labels.en.isascii()
    assert any("一" <= char <= "鿿" for char in standard.labels.zh), f"{standard.labels.zh} is not Chinese"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_two_points_of_a_function_read_alike(function: str) -> None:
    standards = vocabulary.vocabulary().points(function).values()
    for language in ("en", "zh"):
        labels = [getattr(standard.labels, language) for standard in standards]
        assert sorted(set(labels)) == sorted(labels)


def test_one_name_means_one_quantity_in_every_function() -> None:
    """`voltage` of a lamp, a charger and a meter are in one unit, so that a person who knows one knows all."""
    for name in {name for _, name, _ in EVERY}:
        found = {(standard.unit, standard.kind) for _, other, standard in EVERY if other == name}
        # A lamp's level is not a water level, and OCPP's status is a word while all others' are numbers.
        assert len(found) == (2 if name in ("level", "status") else 1), name


@pytest.mark.parametrize("key", ["talq", "fiware", "hj212", "lwm2m"])
def test_a_foreign_name_stands_once_in_a_function(key: str) -> None:
    told = [(function, getattr(standard.names, key)) for function, _, standard in EVERY]
    named = [entry for entry in told if entry[1] is not None]
    assert len(named) >= 10
    assert sorted(set(named)) == sorted(named)


# what is replaced, by what, and the one message (after the file's name and the line)
BROKEN = {
    "a function that is not there": (
        "  tilt:\n", "  tillt:\n", "functions.tillt: 'tillt' is not one of"),
    "a unit that SenML does not know": (
        '    unit: "%EL"\n    meaning: Charge left in', "    unit: percent\n    meaning: Charge left in",
        "unit 'percent': a number has a unit of SenML"),
    "a unit of a bool": (
        "    kind: bool\n    meaning: The device answered",
        "    kind: bool\n    unit: s\n    meaning: The device answered",
        "unit 's': a number has a unit of SenML, a bool has none"),
    "an unknown key": (
        "labels: {en: Uptime, zh: 运行时间}\n  round_trip", "labls: {en: Uptime, zh: 运行时间}\n  round_trip",
        "labls: unknown key. Did you mean 'labels'?"),
    "a name under common and under a function": (
        "    leakage_alarm:\n", "    battery:\n", "battery: under leakage and under common"),
    "an id that LwM2M has not": (
        "lwm2m: /3416/0/3}", "lwm2m: 3416/0/3}", "functions.lighting.level.names.lwm2m: '3416/0/3' is not allowed"),
    "a total that is no number": (
        "    kind: bool\n    meaning: The device answered",
        "    kind: bool\n    total: true\n    meaning: The device answered",
        "only a number can be a total"),
    "codes of a number": (
        "    wind_force:\n", "    wind_force:\n      values: {0: calm}\n", "only a code has values"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_mistake_in_the_vocabulary_is_told(tmp_path: Path, kind: str) -> None:
    old, new, wanted = BROKEN[kind]
    assert TEXT.count(old) == 1
    path = tmp_path / "vocabulary.yaml"
    path.write_text(TEXT.replace(old, new), "utf-8")
    with pytest.raises(FileProblem) as caught:
        problems.check(Vocabulary, problems.read_yaml(path), path)
    assert any(wanted in message for message in caught.value.messages), caught.value.messages


def test_a_vocabulary_without_a_function_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.yaml"
    path.write_text(TEXT[: TEXT.index("  gateway:\n")], "utf-8")
    with pytest.raises(FileProblem, match="gateway: no points"):
        problems.check(Vocabulary, problems.read_yaml(path), path)


# profile, what is replaced in it, by what, and the one message (after the file's name and the line)
AGAINST = {
    "a name that nobody knows": (
        "xy-md03", "  humidity:\n", "  moisture_of_the_day:\n",
        "points.moisture_of_the_day: 'moisture_of_the_day' is not a standard point of air. docs/vocabulary.md "
        "lists them all. If it is a quantity of this maker's own, write `own: true`."),
    "a name misspelt": (
        "xy-md03", "  humidity:\n", "  humiditi:\n",
        "points.humiditi: 'humiditi' is not a standard point of air. Did you mean 'humidity'? If it is a quantity "
        "of this maker's own, write `own: true`."),
    "a point of another function": (
        "xy-md03", "  humidity:\n", "  leakage_current:\n",
        "points.leakage_current: 'leakage_current' is not a standard point of air. It is one of leakage: write "
        "`function:` if it belongs there, or `own: true`."),
    "another unit": (
        "sdm120", "    unit: A\n", "    unit: mA\n",
        "points.current.unit: 'mA', but current of energy is told in A by every maker. Write A and multiply scale,"
        " range, deadband and emulate by 0.001."),
    "another unit for the same": (
        "xy-md03", "    unit: Cel\n", "    unit: °C\n",
        "points.temperature.unit: '°C', but temperature of air is told in Cel by every maker. Write Cel."),
    "a unit that no factor brings over": (
        "xy-md03", "    unit: Cel\n", "    unit: K\n",
        "points.temperature.unit: 'K', but temperature of air is told in Cel by every maker. Convert it by scale "
        "and offset, or rename the point, with `own: true`."),
    "no unit": (
        "xy-md03", "    unit: Cel\n", "",
        "points.temperature.unit: is missing: temperature of air is told in Cel by every maker."),
    "a unit where there is none": (
        "phoenix-ac1m", "    labels: {en: Vehicle state (IEC 61851-1), zh: 车辆连接状态}\n",
        "    labels: {en: Vehicle state (IEC 61851-1), zh: 车辆连接状态}\n    unit: count\n",
        "points.state.unit: 'count', but state of charging has no unit. Delete the line."),
    "a bool that is a number for others": (
        "wp8028adam", "  input_3:\n    labels: {en: Input 3, zh: 输入 3}\n    own: true\n",
        "  level:\n    labels: {en: Input 3, zh: 输入 3}\n",
        "points.level: level of manhole is a number for every maker, but true or false is read here. One series "
        "holds one kind: read it otherwise, or rename the point, with `own: true`."),
    "codes that mean something else": (
        "weather-8in1", "values: {0: north, 1:", "values: {0: south, 1:",
        "points.wind_direction_code.values: wind_direction_code of air has the same codes for every maker: {0: "
        "north, 1: north-east, 2: east, 3: south-east, 4: south, 5: south-west, 6: west, 7: north-west}. Write "
        "these, or rename the point, with `own: true`."),
    "a standard point marked as the maker's own": (
        "xy-md03", "    unit: Cel\n", "    unit: Cel\n    own: true\n",
        "points.temperature.own: true, but temperature is a standard point of air: Temperature of the air. Delete "
        "the line, or rename the point if it means something else."),
    "the maker's own in a unit that SenML does not know": (
        "qdy30a", "    labels: {en: Decimals set in the sensor, zh: 传感器小数位设置}\n",
        "    labels: {en: Decimals set in the sensor, zh: 传感器小数位设置}\n    unit: mbar\n",
        "points.decimals.unit: 'mbar' is not a unit of SenML (RFC 8428, RFC 8798). Write hPa."),
    "the maker's own in a unit that nobody knows": (
        "qdy30a", "    labels: {en: Decimals set in the sensor, zh: 传感器小数位设置}\n",
        "    labels: {en: Decimals set in the sensor, zh: 传感器小数位设置}\n    unit: furlongs\n",
        "points.decimals.unit: 'furlongs' is not a unit of SenML (RFC 8428, RFC 8798). Leave it out where there is"
        " none."),
}  # fmt: skip


@pytest.mark.parametrize("kind", AGAINST)
def test_a_point_against_the_vocabulary_is_one_message(tmp_path: Path, kind: str) -> None:
    name, old, new, wanted = AGAINST[kind]
    text = loader.files()[name].read_text("utf-8")
    assert old in text
    path = tmp_path / f"{name}.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FileProblem) as caught:
        loader.load(path)
    assert [re.sub(r"^:\d+: ", "", text.removeprefix(str(path))) for text in caught.value.messages] == [wanted]


def test_a_label_may_differ(tmp_path: Path) -> None:
    text = loader.files()["xy-md03"].read_text("utf-8")
    path = tmp_path / "xy-md03.yaml"
    path.write_text(text.replace("{en: Air temperature, zh: 气温}", "{en: Outside, zh: 室外温度}"), "utf-8")
    assert loader.load(path).points["temperature"].labels.en == "Outside"


def test_a_maker_s_own_point_passes() -> None:
    own = {name for name, point in loader.profile("qdy30a").points.items() if point.own}
    assert own == {"level_unit", "decimals"}


def test_own_points_of_one_name_are_one_quantity() -> None:
    """They share a series, whoever made the device; nothing but this test keeps two makers' own points apart."""
    found: dict[tuple[str, str], tuple[str, Point]] = {}
    for profile in loader.profiles().values():
        for name, point in profile.points.items():
            if point.own:
                other, known = found.setdefault((profile.function_of(name), name), (profile.profile, point))
                assert (known.unit, known.kind) == (point.unit, point.kind), f"{name} of {other} and {profile.profile}"


@pytest.mark.parametrize(
    ("old", "new", "times"),
    [
        ("mA", "A", 0.001), ("A", "mA", 1000), ("kPa", "hPa", 10), ("mbar", "hPa", 1), ("kW", "W", 1000),
        ("mg/m³", "ug/m3", 1000), ("µg/m3", "ug/m3", 1), ("Wh", "kWh", 0.001), ("cm", "m", 0.01), ("°", "deg", 1),
        ("km/h", "m/s", 1 / 3.6), ("m3/h", "m3/s", 1 / 3600), ("g", "m/s2", 9.80665), ("%", "/", 0.01), ("A", "A", 1),
        ("K", "Cel", None), ("A", "V", None), ("ppm", "ug/m3", None), ("", "A", None), ("furlongs", "m", None),
    ],
)  # fmt: skip
def test_factors(old: str, new: str, times: float | None) -> None:
    assert units.factor(old, new) == (None if times is None else pytest.approx(times, rel=1e-12))
