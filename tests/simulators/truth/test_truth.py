import hashlib
from dataclasses import dataclass

import numpy as np
import pytest

from simulators.truth.blocks import FILE, MARK, TruthError
from simulators.truth.coding import pack, unpack
from simulators.truth.reader import Act, Reader, Step, Told
from simulators.truth.recorder import Recorder
from tests.simulators.truth.cities import HEADER, steps


@dataclass(frozen=True)
class Happening:
    step: int
    kind: str
    en: str
    zh: str
    poles: np.ndarray


def record(folder, taken, *, header=HEADER):
    recorder = Recorder(folder=folder, header=header)
    for step, tables in taken:
        recorder.step(step, tables)
    recorder.close()
    return recorder


def assert_same(found, wanted):
    assert found.step == wanted[0]
    assert [table.table for table in found.tables] == [table[0] for table in wanted[1]]
    for got, (_, rows, offset_ms, raw, quality) in zip(found.tables, wanted[1], strict=True):
        assert got.rows.tolist() == rows.tolist()
        assert got.offset_ms.tolist() == offset_ms.tolist()
        assert got.quality.tolist() == quality.tolist()
        assert got.raw.tolist() == np.where(quality == 0, raw, 0).tolist()


@pytest.mark.parametrize("most", [1, 40, 1 << 20, 1 << 40, 1 << 62])
def test_what_is_recorded_reads_back(tmp_path, most):
    taken = steps(20, most=most)
    record(tmp_path, taken)
    reader = Reader(folder=tmp_path)
    assert reader.header == HEADER
    found = list(reader.steps())
    assert len(found) == 20
    for got, wanted in zip(found, taken, strict=True):
        assert_same(got, wanted)
    assert (reader.torn, reader.complete) == ("", True)
    assert len(list(reader.steps())) == 20  # a second time from the beginning


def test_integers_of_every_size_are_coded():
    values = np.array([0, 1, -1, 127, -128, 128, 1 << 31, -(1 << 62), (1 << 63) - 1, -(1 << 63)])
    coded = b"before" + pack(values) + b"after"
    back, end = unpack(memoryview(coded), 6, len(values))
    assert back.tolist() == values.tolist()
    assert coded[end:] == b"after"
    for cut in range(6, end):
        with pytest.raises(ValueError, match="do not fit"):
            unpack(memoryview(coded[:cut]), 6, len(values))


def test_a_step_without_readings_leaves_no_trace(tmp_path):
    taken = steps(2)
    record(tmp_path, [taken[0], (1, []), (2, taken[1][1])])
    assert [found.step for found in Reader(folder=tmp_path).steps()] == [0, 2]


def test_happenings_and_acts_stand_where_they_were_told(tmp_path):
    recorder = Recorder(folder=tmp_path, header=HEADER)
    (first, tables), (second, others) = steps(2)
    recorder.happening(Happening(0, "front", "a front begins", "锋面开始", np.array([1, 4])))
    recorder.step(first, tables)
    recorder.act(1, 4, "lamp_level", 40.0)
    recorder.step(second, others)
    recorder.close()
    front, taken, act, _ = Reader(folder=tmp_path)
    assert front == Told(step=0, kind="front", en="a front begins", zh="锋面开始", poles=[1, 4])
    assert isinstance(taken, Step)
    assert act == Act(step=1, pole=4, what="lamp_level", value=40.0)


def test_the_same_input_is_the_same_bytes_and_another_is_not(tmp_path):
    digests = [
        record(tmp_path / name, steps(10, seed=seed)).sha256 for name, seed in (("one", 1), ("two", 1), ("three", 2))
    ]
    assert digests[0] == digests[1] != digests[2]
    assert hashlib.sha256((tmp_path / "one" / FILE).read_bytes()).hexdigest() == digests[0]
    one_changed = steps(10, seed=1)
    one_changed[-1][1][0][3][0, 0] += 1
    one_changed[-1][1][0][4][0, 0] = 0
    assert record(tmp_path / "four", one_changed).sha256 != digests[0]


def test_a_truth_is_read_while_it_is_written(tmp_path):
    recorder = Recorder(folder=tmp_path, header=HEADER)
    taken = steps(3)
    for count, (step, tables) in enumerate(taken, 1):
        recorder.step(step, tables)
        reader = Reader(folder=tmp_path)
        assert len(list(reader.steps())) == count
        assert (reader.torn, reader.complete) == ("", False)
    recorder.close()


def test_a_truth_cut_at_any_byte_is_whole_steps_and_says_what_is_torn(tmp_path):
    taken = steps(4)
    record(tmp_path, taken)
    path = tmp_path / FILE
    whole = path.read_bytes()
    header_end = len(MARK) + 9 + int.from_bytes(whole[len(MARK) + 1 : len(MARK) + 5], "little")
    torn = 0
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            reader = Reader(folder=tmp_path)
        except TruthError:
            assert cut < header_end
            continue
        found = list(reader.steps())
        for got, wanted in zip(found, taken, strict=False):
            assert_same(got, wanted)
        assert not reader.complete
        torn += bool(reader.torn)
        if reader.torn:
            assert f"of {cut}" in reader.torn
    assert torn > len(whole) / 4


def test_a_changed_byte_never_becomes_another_truth(tmp_path):
    taken = steps(3)
    record(tmp_path, taken)
    path = tmp_path / FILE
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            reader = Reader(folder=tmp_path)
            found = list(reader.steps())
        except TruthError:
            continue
        assert reader.torn
        for got, wanted in zip(found, taken, strict=False):
            assert_same(got, wanted)


def test_what_is_no_truth_is_said_by_name(tmp_path):
    with pytest.raises(TruthError, match=r"truth\.bin: No such file"):
        Reader(folder=tmp_path)
    (tmp_path / FILE).write_bytes(b"something else entirely")
    with pytest.raises(TruthError, match="no truth of this version"):
        Reader(folder=tmp_path)


def test_rows_of_another_shape_are_refused(tmp_path):
    recorder = Recorder(folder=tmp_path, header=HEADER)
    step, tables = steps(1)[0]
    table, rows, offset_ms, raw, quality = tables[0]
    with pytest.raises(ValueError, match="table 0"):
        recorder.step(step, [(table, rows, offset_ms, raw[:, :1], quality)])
    recorder.close()


def test_a_reading_takes_less_than_a_byte(tmp_path):
    """400 poles, 12 columns that wander and are noisy by a few of their last digits, a step in three."""
    chance = np.random.default_rng(3)
    header = {"tables": [{"kit": "all", "columns": [{}] * 12, "poles": list(range(400))}]}
    values = chance.normal(500, 100, (400, 12))
    recorder = Recorder(folder=tmp_path, header=header)
    readings = 0
    for step in range(60):
        rows = np.arange(step % 3, 400, 3)
        values[rows] += chance.normal(0, 3, (len(rows), 12))
        raw = np.rint(values[rows] + chance.normal(0, 3, (len(rows), 12))).astype(np.int64)
        recorder.step(step, [(0, rows, rows * 7 % 900, raw, np.zeros(raw.shape, dtype=np.uint8))])
        readings += raw.size
    recorder.close()
    assert (tmp_path / FILE).stat().st_size < readings
