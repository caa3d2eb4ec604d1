"""wire/asyncapi.yaml says what the code does."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.wire import conformance
from wire import VERSION, messages, names, numbers, packs, releases, senml, stored, topics

ROOT = Path(__file__).resolve().parents[2]
API = yaml.safe_load((ROOT / "wire" / "asyncapi.yaml").read_text(encoding="utf-8"))
SCHEMAS = API["components"]["schemas"]
INEXPRESSIBLE = {  # what a JSON schema cannot say
    "a device of an unknown profile",
    "backwards",
    "descending",
    "overlapping",
}


def vectors(name):
    return list(conformance.vectors(ROOT / "tests" / "vectors" / f"{name}.json"))


def valid(schema, value):
    document = {"$ref": f"#/components/schemas/{schema}", "components": API["components"]}
    return jsonschema.Draft7Validator(document).is_valid(value)


def test_version_and_schemas():
    assert API["info"]["version"] == str(VERSION)
    for schema in SCHEMAS.values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_every_channel_and_operation():
    operations = {}
    for name, operation in API["operations"].items():
        assert operation["channel"] == {"$ref": f"#/channels/{name}"}
        address = API["channels"][name]["address"].format(area="wuhou", node="gw-1")
        _area, _node, direction, channel = topics.parse(address)
        assert channel == name
        assert operation["action"] == {"up": "send", "down": "receive"}[direction]
        mqtt = operation["bindings"]["mqtt"]
        operations[direction, channel] = (mqtt["qos"], mqtt["retain"])
    known = {("up", name): how for name, how in topics.UP.items()}
    known |= {("down", name): how for name, how in topics.DOWN.items()}
    assert operations == known
    assert set(API["channels"]) == set(API["operations"])


def test_every_message_has_its_schema():
    for channel, about in API["channels"].items():
        ((_name, message),) = about["messages"].items()
        kind = message["$ref"].rpartition("/")[2]
        assert kind == ("pack" if channel in topics.PACK_CHANNELS else channel)
        assert API["components"]["messages"][kind]["payload"] == {"$ref": f"#/components/schemas/{kind}"}


@pytest.mark.parametrize("kind", ["status", "birth", "command", "reply"])
def test_labels(kind):
    table = getattr(messages, kind.upper())
    assert set(SCHEMAS[kind]["properties"]) == set(table)
    assert set(SCHEMAS[kind]["required"]) == {label for label, what in table.items() if not what.endswith("?")}
    for label, what in table.items():
        schema = SCHEMAS[kind]["properties"][label]
        if what.rstrip("?") in SCHEMAS:
            wanted = {"enum"} if label in ("state", "clock") else {"$ref"}
            assert set(schema) == wanted
            assert "enum" in schema or schema["$ref"].endswith("/" + what.rstrip("?"))


def test_choices():
    assert SCHEMAS["reply"]["properties"]["state"]["enum"] == list(messages.REPLY_STATES)
    assert SCHEMAS["status"]["properties"]["clock"]["enum"] == list(messages.CLOCK_STATES)
    assert SCHEMAS["quality"]["anyOf"][0]["enum"] == list(packs.QUALITIES)
    for code in (f"exception-{number}" for number in range(300)):
        assert valid("quality", code) == packs.is_quality(code)


def test_limits():
    assert SCHEMAS["pack"]["maxItems"] == packs.MAX_RECORDS
    assert f"{packs.MAX_BYTES} bytes" in SCHEMAS["pack"]["description"]
    assert f"{stored.MAX_BYTES} bytes" in SCHEMAS["stored"]["description"]
    assert f"{messages.MAX_BYTES} bytes" in SCHEMAS["birth"]["description"]
    assert SCHEMAS["config"]["maxLength"] == messages.MAX_BYTES
    assert SCHEMAS["stored"]["properties"]["sq"]["maxItems"] == stored.MAX_RANGES
    assert SCHEMAS["release"]["maxLength"] == releases.MAX_PAYLOAD
    for label in releases.MANIFEST:
        assert label in SCHEMAS["manifest"]["required"]
    assert SCHEMAS["manifest"]["properties"]["size"]["maximum"] == releases.MAX_BLOB
    assert SCHEMAS["fetch"]["properties"]["length"]["maximum"] == releases.MAX_CHUNK
    trial = SCHEMAS["manifest"]["properties"]["trial"]
    assert (trial["minimum"], trial["maximum"]) == releases.TRIAL_S
    assert SCHEMAS["record"]["properties"]["vs"]["maxLength"] == packs.MAX_TEXT
    assert SCHEMAS["text"]["maxLength"] == messages.MAX_TEXT
    assert SCHEMAS["unit"]["maxLength"] == senml.MAX_UNIT
    assert SCHEMAS["scalars"]["maxProperties"] == messages.MAX_ARGS
    assert SCHEMAS["number"]["maximum"] == SCHEMAS["count"]["maximum"] == numbers.EXACT_INTEGER
    assert SCHEMAS["seconds"]["maximum"] == senml.MAX_TIME_S
    assert SCHEMAS["record"]["properties"]["bver"]["maximum"] == senml.SENML_VERSION
    for text in ("a", "a" * 64, "a" * 65, "", ".a", "a b", "A-1._", "_"):
        assert valid("name", text) == names.is_name(text)


@pytest.mark.parametrize("vector", vectors("messages-good"), ids=lambda vector: vector["name"])
def test_good_messages(vector):
    assert valid(vector["kind"], vector["message"])


@pytest.mark.parametrize("vector", vectors("messages-bad"), ids=lambda vector: vector["name"])
def test_bad_messages(vector):
    assert valid(vector["kind"], vector["message"]) == (vector["name"] in INEXPRESSIBLE)


@pytest.mark.parametrize("vector", vectors("releases-good"), ids=lambda vector: vector["name"])
def test_good_releases(vector):
    if vector["kind"] == "release":
        assert valid("release", vector["payload"])
        assert valid("manifest", vector["manifest"])
    elif vector["kind"] == "fetch":
        assert valid("fetch", vector["message"])


@pytest.mark.parametrize("vector", vectors("releases-bad"), ids=lambda vector: vector["name"])
def test_bad_releases(vector):
    if vector["kind"] in ("manifest", "fetch"):
        assert not valid(vector["kind"], vector["message"])
    elif vector["reason"] == "size" and "payload" in vector:
        assert not valid("release", vector["payload"])


@pytest.mark.parametrize("vector", vectors("stored-good") + vectors("stored-bad"), ids=lambda vector: vector["name"])
def test_stored(vector):
    if vector.get("reason") != "json":
        assert valid("stored", json.loads(vector["body"])) == (
            "reason" not in vector or vector["name"] in INEXPRESSIBLE
        )


@pytest.mark.parametrize("vector", vectors("packs-good"), ids=lambda vector: vector["name"])
def test_what_we_send_is_valid(vector):
    if "encode" in vector:
        assert valid("pack", json.loads(vector["body"]))


@pytest.mark.parametrize("vector", vectors("packs-bad"), ids=lambda vector: vector["name"])
def test_bad_packs_are_not_valid(vector):
    if vector["reason"] != "json":
        assert not valid("pack", json.loads(vector["body"]))


ALONE = ("bad values, each by itself", "bad qualities", "bad units", "ep and sq stand on the first record alone")


@pytest.mark.parametrize("name", ALONE)
def test_a_bad_record_is_not_valid(name):
    (vector,) = [vector for vector in vectors("packs-good") if vector["name"] == name]
    records = json.loads(vector["body"])
    for index, _reason in vector["refused"]:
        assert not valid(
            "pack", records[:1] if index == 0 else [records[-1] | {"ep": "9f3c21aa", "sq": 1}, records[index]]
        )
