from hypothesis import given
from hypothesis import strategies as st

from gateway.reports import CHANGE, FIRST, SILENCE, Report

SERIES = st.lists(
    st.tuples(st.integers(1, 20), st.one_of(st.floats(-1e6, 1e6), st.integers(-1000, 1000), st.none())), min_size=1
)


@given(SERIES, st.sampled_from([0.0, 0.1, 0.5, 7.0]), st.integers(1, 100))
def test_what_was_told_last_is_never_off_by_more_than_the_deadband_nor_older_than_the_silence(
    series, deadband, silence
):
    report = Report(deadband=deadband, silence=silence)
    now, told, told_at = 0, None, None
    for step, value in series:
        now += step
        if report.reason(now, value, None if value is not None else "timeout") is not None:
            told, told_at = value, now
        assert told_at is not None
        assert now - told_at < silence
        assert (told is None) == (value is None)
        if value is not None:
            assert abs(value - told) <= deadband


@given(st.lists(st.floats(0, 0.49), min_size=1))
def test_changes_within_the_deadband_are_not_told(values):
    report = Report(deadband=0.5, silence=1000)
    assert report.reason(0, 0.0, None) == FIRST
    assert [report.reason(1, value, None) for value in values] == [None] * len(values)


def test_reasons():
    report = Report(deadband=0.1, silence=60)
    assert report.reason(0, 20.1, None) == FIRST
    assert report.reason(1, 20.2, None) == CHANGE  # 20.2 - 20.1 is less than 0.1 in binary
    assert report.reason(2, None, "timeout") == CHANGE
    assert report.reason(3, None, "timeout") is None
    assert report.reason(4, None, "crc") == CHANGE
    assert report.reason(63, None, "crc") is None
    assert report.reason(64, None, "crc") == SILENCE
    assert report.reason(65, 20.2, None) == CHANGE


def test_a_bool_that_toggles_is_told_each_time():
    report = Report(deadband=0.0, silence=60)
    assert [report.reason(0, value, None) for value in (False, True, True, False)] == [FIRST, CHANGE, None, CHANGE]
