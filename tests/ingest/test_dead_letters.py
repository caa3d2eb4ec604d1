"""The store of what was refused: durable, bounded, and nothing twice."""

import os
import subprocess
import sys

import pytest

from ingest.accept import Refusal
from ingest.dead_letters import DeadLetters
from ingest.errors import Unavailable

TOPIC = "poles/wuhou/gw-1/up/telemetry"
REFUSED = [Refusal(None, "json", "the payload is not JSON in UTF-8")]


@pytest.fixture
def letters(tmp_path):
    letters = DeadLetters(path=tmp_path / "dead-letters.db", megabytes=1)
    yield letters
    letters.close()


def test_a_message_that_comes_again_is_counted(letters):
    letters.keep([(TOPIC, b"x", REFUSED)])
    letters.keep(
        [(TOPIC.replace("telemetry", "backfill"), b"x", REFUSED), (TOPIC.replace("gw-1", "gw-2"), b"x", REFUSED)]
    )
    first, second = letters.all()
    assert (first.topic, first.body, first.times, first.refused) == (TOPIC, b"x", 2, REFUSED)
    assert (second.topic, second.times) == (TOPIC.replace("gw-1", "gw-2"), 1)


def test_a_replay_changes_the_reasons_or_ends_the_letter(letters):
    letters.keep([(TOPIC, b"x", [Refusal(0, "range", "a"), Refusal(2, "unit", "b")]), (TOPIC, b"y", REFUSED)])
    first, second = letters.all()
    letters.replace([(first, [Refusal(2, "range", "c")]), (second, [])])
    (kept,) = letters.all()
    assert kept.refused == [Refusal(2, "range", "c")]


def fill(letters):
    for number in range(100):
        letters.keep([(TOPIC, number.to_bytes(2, "big") * 30_000, REFUSED)])


def test_a_full_store_says_what_to_do_and_takes_again_when_there_is_room(letters):
    with pytest.raises(
        Unavailable, match=r"holds its 1 MB \(dead_letter_megabytes\); look with `pole ingest dead-letters"
    ):
        fill(letters)
    kept = letters.all()
    assert 16 <= len(kept) <= 20
    for letter in kept[:5]:
        letters.replace([(letter, [])])
    letters.keep([(TOPIC, b"again", REFUSED)])
    assert letters.all()[-1].body == b"again"


def test_a_file_that_cannot_be_written_is_unavailable_until_it_can(tmp_path):
    letters = DeadLetters(path=tmp_path / "folder" / "dead-letters.db")
    with pytest.raises(Unavailable, match=r"dead-letters\.db: unable to open"):
        letters.keep([(TOPIC, b"x", REFUSED)])
    (tmp_path / "folder").mkdir()
    letters.keep([(TOPIC, b"x", REFUSED)])
    assert len(letters.all()) == 1
    letters.close()


def test_half_a_surrogate_pair_in_a_detail_or_a_topic_s_name_is_kept_readably(letters):
    letters.keep([(TOPIC, b"x", [Refusal(1, "name", "not '\ud800'")])])
    assert letters.all()[0].refused == [Refusal(1, "name", "not '?'")]


def test_what_was_kept_survives_the_process_at_once(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from ingest.accept import Refusal;"
        "from ingest.dead_letters import DeadLetters;"
        f"DeadLetters(path=Path(sys.argv[1])).keep([({TOPIC!r}, b'x', [Refusal(None, 'json', 'why')])]);"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "dead-letters.db"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, env=os.environ, timeout=30)
    letters = DeadLetters(path=path)
    assert [letter.body for letter in letters.all()] == [b"x"]
    letters.close()


def test_the_letters_of_a_node_come_in_parts_and_only_for_the_reasons_that_are_asked_for(letters):
    unknown = [Refusal(0, "unknown-device", "a"), Refusal(1, "range", "b")]
    others = [f"poles/wuhou/{node}/up/telemetry" for node in ("gw-10", "gw-1-2", "gw")]
    backfill = TOPIC.replace("telemetry", "backfill")
    kept = [(topic, b"%d" % number + topic.encode(), unknown) for number in range(5) for topic in (TOPIC, backfill)]
    letters.keep([*kept, *((topic, b"x", unknown) for topic in others), (TOPIC, b"y", REFUSED)])
    found, after = [], ("", 0)
    while part := letters.of_node("wuhou", "gw-1", ["unknown-device"], after=after, most=3):
        assert len(part) <= 3
        found += part
        after = part[-1].topic, part[-1].id
    assert [(letter.topic, letter.body) for letter in found] == sorted((topic, body) for topic, body, _ in kept)
    assert found[0].refused == unknown
    newest = letters.all()[-1].id
    assert sorted(letters.topics(["unknown-device"], most=99)[0]) == sorted([TOPIC, backfill, *others])
    assert letters.topics(["unit"], most=99) == ([], newest)
    assert [letters.topics(["unit"], newer=newer, most=3)[1] for newer in (0, newest - 1)] == [3, newest]
    letters.keep([(TOPIC, b"new", unknown)])
    assert letters.topics(["unknown-device"], newer=newest, most=99) == ([TOPIC], newest + 1)
    (last,) = letters.of_node("wuhou", "gw-1", ["unknown-device"], newer=newest, most=9)
    assert last.body == b"new"
    letters.replace([(last, [])])
    letters.keep([(TOPIC, b"newer", unknown)])
    assert letters.topics(["unknown-device"], newer=newest + 1, most=99) == ([TOPIC], newest + 2)  # no id comes twice


def test_who_only_looks_for_letters_makes_no_file(letters, tmp_path):
    assert letters.topics(["unit"], most=99) == ([], 0)
    assert letters.of_node("wuhou", "gw-1", ["unit"], most=9) == []
    assert list(tmp_path.iterdir()) == []
