"""The round trip finds what neither the schema nor a recorded exchange can: each fault is put in by hand."""

import pytest

from device_profiles import loader
from device_profiles.schema import Profile
from simulators import round_trip


def changed(name: str, **places: object) -> Profile:
    """A shipped profile with places (points__level__emulate__around) set anew, past all checks but the schema's."""
    document = loader.profiles()[name].model_dump(exclude_unset=True)
    for group in document["polls"].values():
        group.update({key: f"{seconds}s" for key, seconds in group.items()})
    _as_written(document)
    for place, value in places.items():
        *path, last = place.split("__")
        holder = document
        for key in path:
            holder = holder[key]
        holder[last] = value
    return Profile.model_validate(document)


def _as_written(document: dict) -> None:
    if document.get("modbus", {}).get("latency") is not None:
        document["modbus"]["latency"] = f"{document['modbus']['latency']}s"
    for point in document["points"].values():
        if point.get("emulate") and "period" in point["emulate"]:
            point["emulate"]["period"] = f"{point['emulate']['period']}s"
    for command in document.get("commands", {}).values():
        if "settle" in command:
            command["settle"] = f"{command['settle']}s"


@pytest.mark.parametrize("name", sorted(loader.profiles()))
def test_every_shipped_profile_comes_back(name: str) -> None:
    assert round_trip.faults(loader.profiles()[name]) == []


@pytest.mark.parametrize(
    ("places", "keys", "text"),
    [
        ({"points__level__invalid": [152]}, ("points", "level", "emulate"), "is read as no value"),
        ({"points__level__emulate__around": 1e9, "points__level__range": None}, ("points", "level", "emulate"),
         "does not fit a uint16"),
        ({"commands__set_level__args__level__range": [0, 120]}, ("commands", "set_level", "read_back"),
         "the emulated device "),
        ({"points__level__range": [0, 40], "points__level__emulate__around": 30},
         ("commands", "set_level", "read_back"), "shows null"),
    ],
)  # fmt: skip
def test_what_does_not_come_back_is_found(places: dict, keys: tuple, text: str) -> None:
    ((found, said),) = round_trip.faults(changed("arlight-dali", **places))
    assert found == keys
    assert text in said


def test_a_counter_that_outgrows_its_register_is_found() -> None:
    places = {"points__energy_import__emulate__grow": 1e34, "points__energy_import__range": None}
    ((keys, text),) = round_trip.faults(changed("sdm120", **places))
    assert keys == ("points",)
    assert "cannot be emulated" in text


def test_an_item_that_does_not_come_back_is_found() -> None:
    places = {"points__voltage__emulate__around": 9e9, "points__voltage__range": [0, 500]}
    profile = changed("dlt645-1p", **places)
    assert round_trip.faults(profile) == []  # the emulator keeps within the range
    places = {"points__stream_alive__item__type": "text", "points__stream_alive__emulate": {"texts": ["x" * 300]}}
    ((keys, text),) = round_trip.faults(changed("onvif-camera", **places))
    assert keys == ("points", "stream_alive", "emulate")
    assert "is read as 'xxx" in text
