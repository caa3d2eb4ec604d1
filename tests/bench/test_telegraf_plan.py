"""The expected requests are those of Telegraf's own documentation and tests (plugins/inputs/modbus, 1.40)."""

import pytest

from bench import telegraf_plan

MOST = 125


def registers(*spans):
    """(first, count) of registers that are fields of their own."""
    return [(first + index, 1) for first, count in spans for index in range(count)]


@pytest.mark.parametrize(
    ("fields", "fill", "expected"),
    [
        # request.go's own comment: [1, 2, 3, 5, 6, 10, 11, 12, 14] without holes, and all in one with them
        (registers((1, 3), (5, 2), (10, 3), (14, 1)), 0, [(1, 3), (5, 2), (10, 3), (14, 1)]),
        (registers((1, 3), (5, 2), (10, 3), (14, 1)), 5, [(1, 14)]),
        # TestRequestOptimizationMaxInsertSmall, "large gaps" and "large gaps filled": 5 to be inserted at most
        (registers((18, 3), (123, 5), (167, 2)), 5, [(18, 3), (123, 5), (167, 2)]),
        (registers((0, 1), (18, 3), (123, 5), (167, 2)), 5, [(0, 1), (18, 3), (123, 5), (167, 2)]),
        # TestRequestOverlap: fields that overlap share one request
        ([(1, 2), (3, 4), (5, 2), (7, 2)], 16, [(1, 8)]),
        # a field is never cut in two
        ([(0, 2), (2, 2), (124, 2)], 200, [(0, 4), (124, 2)]),
        (registers((0, 130)), 0, [(0, 125), (125, 5)]),
    ],
)
def test_requests_are_those_of_telegraf(fields, fill, expected):
    assert telegraf_plan.requests(reversed(fields), most=MOST, fill=fill) == expected


@pytest.mark.parametrize(("hole", "count"), [(50, 1), (51, 2)])
def test_fifty_registers_are_inserted_where_nothing_else_is_said(hole, count):
    assert len(telegraf_plan.requests([(0, 2), (2 + hole, 2)], most=MOST)) == count


def test_the_device_s_limit_is_kept():
    assert telegraf_plan.requests([(0, 2), (10, 2), (20, 2)], most=12) == [(0, 12), (20, 2)]


def test_no_fields_are_no_requests():
    assert telegraf_plan.requests([], most=MOST) == []
