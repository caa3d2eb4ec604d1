"""Every example of docs/wire.md is what the page says it is, and its tables agree with the code."""

import re
from pathlib import Path

import pytest

from ingest import accept
from tests.wire import conformance
from wire import errors, messages, packs, releases, stored, topics

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- example: (\w+)(?:, refused (.+?))? -->\n```json\n(.+?)```", PAGE, re.DOTALL)


def test_every_block_of_json_is_an_example():
    assert len(EXAMPLES) == PAGE.count("```json")
    assert {kind for kind, _refused, _text in EXAMPLES} == {
        "pack", "stored", "status", "birth", "command", "reply", "manifest", "fetch",
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "refused", "text"), EXAMPLES)
def test_example(kind, refused, text):
    body = text.encode()
    if refused and not refused[0].isdigit():
        with pytest.raises(errors.WireError) as error:
            packs.decode(body)
        assert error.value.reason == refused
    elif kind == "pack":
        wanted = [(int(part.split()[0]), part.split()[1]) for part in refused.split(", ")] if refused else []
        assert [(index, reason) for index, reason, _detail in packs.decode(body).refused] == wanted
    elif kind == "stored":
        stored.decode(body)
    elif kind in ("manifest", "fetch"):
        getattr(releases, f"decode_{kind}")(body)
    else:
        messages.decode(body, getattr(messages, kind.upper()))


def test_the_first_example_says_what_the_text_says():
    readings = packs.decode(EXAMPLES[0][2].encode()).readings
    assert [reading[:6] for reading in readings] == [
        ("P0001", "air-1", "pm2_5", 1763683200250, 35.2, None),
        ("P0001", "air-1", "pm10", 1763683200250, 61, None),
        ("P0001", "air-1", "pm10", 1763683199000, 60, None),
        ("P0001", "cover-1", "open", 1763683200250, True, None),
        ("P0001", "water-1", "level", 1763683200250, None, "timeout"),
    ]


def test_the_status_adds_up():
    for text in [text for kind, _refused, text in EXAMPLES if kind == "status"]:
        status = messages.decode(text.encode(), messages.STATUS)
        assert status["head"] == status["stored"] + status["pending"] + sum(status["dropped"].values())


def test_channels():
    rows = re.findall(r"^\| (up|down)/(\w+) \| (\d) \| (yes|no) \|", PAGE, re.MULTILINE)
    told = {(direction, channel): (int(qos), retained == "yes") for direction, channel, qos, retained in rows}
    known = {("up", name): how for name, how in topics.UP.items()}
    assert told == known | {("down", name): how for name, how in topics.DOWN.items()}


def test_codes_states_and_labels():
    first_cells = re.findall(r"^\| `([\w-]+)`", PAGE, re.MULTILINE)
    for code in (*packs.QUALITIES, "exception-N", *messages.REPLY_STATES):
        assert code in first_cells, code
    for label in messages.STATUS:
        assert label == "online" or label in first_cells, label


def reasons(columns):
    """The codes in the first cells of tables with so many columns."""
    rows = re.findall(r"^\| (`[\w-]+`(?:, `[\w-]+`)*) " + columns * r"\|[^|\n]*" + r"\|$", PAGE, re.MULTILINE)
    return {code for cell in rows for code in re.findall(r"`([\w-]+)`", cell)}


def test_every_reason_of_ingest_stands_in_the_table():
    source = Path(accept.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'Refusal\(index, "([\w-]+)"', source)) <= reasons(1)


def test_every_reason_of_a_refused_pack_stands_in_the_table():
    told = reasons(2)
    root = Path(__file__).resolve().parents[2] / "tests" / "vectors"
    bad = {vector["reason"] for vector in conformance.vectors(root / "packs-bad.json")}
    single = {reason for vector in conformance.vectors(root / "packs-good.json") for _at, reason in vector["refused"]}
    assert bad | single | {"size"} <= told
