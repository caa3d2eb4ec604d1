"""What a draft says, and that it needs nothing but its author's own words to be a profile."""

import os
import random
from pathlib import Path

import pytest

from device_profiles import loader, problems
from device_profiles.drafts import placeholders
from device_profiles.drafts.choice import nearest
from device_profiles.drafts.table import read
from device_profiles.drafts.text import Draft, Head, from_like, from_table, quoted
from device_profiles.problems import FileProblem
from device_profiles.schema import Profile
from simulators.device import EmulatedDevice

HEAD = Head(
    name="draft", function="energy", maker="m", model="n", source="A manual, page 14", verified="manual",
    caveat="none known", label_en="Meter", label_zh="电表",
)  # fmt: skip
TABLE = """Address,Parameter,Data type,Unit,Scale,Function code,R/W
0,Phase 1 voltage,uint16,V,0.1,4,R
1,A相电流,uint16,A,0.01,4,R
2,Active power,int32 CDAB,kW,0.001,4,R
4,Import active energy,uint32,Wh,100,4,R
6,Power factor,int16,,0.001,4,R
7,Smoke,uint16,ppm,1,4,R
8,阀门,uint16,,,3,R/W
9,Device address,uint16,,,3,R/W
"""
MUTATIONS = int(os.environ.get("MUTATIONS", "1500"))


def draft(tmp_path: Path, text: str = TABLE, likes: tuple[str, ...] = ("sdm120",), **options: bool) -> Draft:
    path = tmp_path / "table.csv"
    path.write_text(text, "utf-8")
    return from_table(HEAD, read(path, table="input"), [loader.profile(name) for name in likes], **options)


def loaded(tmp_path: Path, made: Draft) -> Profile:
    path = tmp_path / "draft.yaml"
    path.write_text(made.text, "utf-8")
    return loader.load(path, draft=True)


def test_each_row_becomes_a_point_in_the_vocabularys_unit(tmp_path):
    profile = loaded(tmp_path, draft(tmp_path))
    assert {name: (point.unit, point.at.scale, point.own) for name, point in profile.points.items()} == {
        "voltage_l1": ("V", 0.1, False),
        "current_l1": ("A", 0.01, False),
        "active_power": ("W", 1, False),
        "energy_import": ("kWh", 0.1, False),
        "power_factor": ("/", 0.001, False),
        "smoke": ("ppm", 1, True),
        "holding_8": ("", 1, True),
    }
    assert profile.points["active_power"].at.word_order == "low_first"
    assert profile.points["active_power"].range == loader.profile("sdm120").points["active_power"].range


def test_each_point_stands_below_the_makers_own_line_and_a_guess_says_so(tmp_path):
    lines = draft(tmp_path, TABLE.replace("Import active energy", "Import active energy tariff")).text.splitlines()
    above = {line.strip(): lines[:index] for index, line in enumerate(lines)}
    assert "  #: line 2: 0, Phase 1 voltage, uint16, V, 0.1, 4, R" in above["voltage_l1:"][-3:]
    assert "  #: the unit is taken to be /" in above["power_factor:"][-3:]
    assert any("no standard point" in line for line in above["smoke:"][-3:])
    assert any(line.startswith("  #: a guess: ") for line in above["energy_import:"][-3:])


def test_the_drafts_own_comments_can_be_deleted_at_once(tmp_path):
    made = draft(tmp_path).text
    bare = "".join(line for line in made.splitlines(keepends=True) if not line.lstrip().startswith("#:"))
    (tmp_path / "draft.yaml").write_text(bare, "utf-8")
    assert loader.load(tmp_path / "draft.yaml", draft=True) == loaded(tmp_path, draft(tmp_path))
    assert bare.count("#") == 1  # for editors


def test_what_is_not_taken_is_told_at_the_end(tmp_path):
    made = draft(tmp_path, known_only=True)
    assert [line for line, _ in made.left_out] == [7, 8, 9]
    assert made.text.endswith("#:   line 9, holding 9: Device address: a setting\n")


def test_a_draft_needs_only_its_authors_words(tmp_path):
    made = draft(tmp_path)
    path = tmp_path / "draft.yaml"
    path.write_text(made.text, "utf-8")
    with pytest.raises(FileProblem) as caught:
        loader.load(path)
    assert [message.split(": ")[1] for message in caught.value.messages] == [
        "points.smoke.labels.zh", "points.holding_8.labels.en",
    ]  # fmt: skip
    for marked in ("“Smoke”, in Chinese (简体中文)", "“阀门”, in English"):
        path.write_text(path.read_text("utf-8").replace(f'"{placeholders.MARK}{marked}"', "烟雾"), "utf-8")
    assert loader.load(path).profile == "draft"


def test_a_placeholder_says_what_to_write_and_nothing_else_is_told(tmp_path):
    path = tmp_path / "draft.yaml"
    text = (
        draft(tmp_path)
        .text.replace("verified: manual", 'verified: "FILL IN: how far"')
        .replace("unit: V", "unit: Volt")
    )
    path.write_text(text, "utf-8")
    with pytest.raises(FileProblem) as caught:
        loader.load(path)
    assert caught.value.messages[0] == f"{path}:9: verified: is not filled in yet. Write how far."
    assert not any("Volt" in message for message in caught.value.messages)


def test_what_a_like_device_emulates_is_not_copied_where_it_does_not_fit_the_registers(tmp_path):
    # sdm120's emulated counter begins at 1253 kWh; 16 bits of 10 Wh end at 655
    profile = loaded(tmp_path, draft(tmp_path, "address,name,type,unit,scale\n0,Import energy,uint16,kWh,0.01\n"))
    assert profile.points["energy_import"].emulate.around == 0
    assert profile.points["energy_import"].range is None


def test_two_rows_of_one_quantity_stay_apart(tmp_path):
    text = "address,name,type,unit\n0,Voltage,u16,V\n1,Voltage,u16,V\n2,Voltage,u16,V\n"
    assert list(loaded(tmp_path, draft(tmp_path, text)).points) == ["voltage", "voltage_own", "voltage_own_2"]


@pytest.mark.parametrize("name", [name for name in loader.files() if name != "gateway"])
def test_any_devices_file_can_be_the_beginning(tmp_path, name):
    like = loader.profile(name)
    head = Head(name="draft", function=like.function)
    made = from_like(head, loader.files()[name])
    profile = loaded(tmp_path, made)
    assert (profile.points.keys(), profile.commands.keys()) == (like.points.keys(), like.commands.keys())
    assert set(made.taken) == set(like.points)
    data = problems.read_yaml(tmp_path / "draft.yaml")
    assert {keys[0] for keys, _ in placeholders.faults(data)} == {"maker", "model", "source", "verified", "caveats"}


def test_factory_settings_are_set_in_a_copy(tmp_path):
    head = Head(name="draft", function="energy", modbus={"baud": 19200, "parity": "even"})
    profile = loaded(tmp_path, from_like(head, loader.files()["sdm120"]))
    assert (profile.modbus.baud, profile.modbus.parity, profile.modbus.block) == (19200, "even", 80)


def test_the_nearest_device_shares_most_points():
    near = nearest(
        "air", ["temperature", "humidity"], [loader.profile(name) for name in ("sdm120", "sen0483", "xy-md03")]
    )
    assert [(profile.profile, shared) for profile, shared in near] == [("xy-md03", 2), ("sen0483", 0)]


@pytest.mark.parametrize(
    "text", ["plain", "a: b", "#x", "5", "true", "[a", "a, b", "温度", "a 'b' \"c\"", " x", "", "- x"]
)
def test_a_text_is_read_back_as_it_was(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(f"key: {quoted(text)}\n", "utf-8")
    assert problems.read_yaml(path)["key"] == text


def test_no_table_makes_more_than_a_sentence_or_a_profile(tmp_path):
    chance = random.Random(20261121)
    strange = ("0x10", "40001", "-1", "BADC", "", '"', "é", "1e99", "bool")
    pieces = [*strange, *(cell for line in TABLE.splitlines() for cell in line.split(","))]
    made, told = 0, []
    for _ in range(MUTATIONS):
        rows = [line.split(",") for line in TABLE.splitlines()]
        for _ in range(chance.randint(1, 3)):
            row = chance.choice(rows)
            row[chance.randrange(len(row))] = chance.choice(pieces)
        try:
            profile = loaded(tmp_path, draft(tmp_path, "\n".join(",".join(row) for row in rows)))
        except FileProblem as problem:
            told.append(str(problem))
            continue
        EmulatedDevice(profile=profile, pole="P", name="d").image()
        made += 1
    assert made > MUTATIONS // 10
    assert [each for each in told if "draft.yaml" in each] == []
