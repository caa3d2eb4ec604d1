"""The planner against all ways to share reads, and units whose channels and groups share them."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.blocks import MAX_BITS, Block, Limits, Refused, Wanted, plan
from device_profiles.bus_time import Line, data_bytes, request_overhead
from device_profiles.schema import BIT_TABLES, Profile
from device_profiles.unit_plan import Group, UnitPlan, unit_plans

LABELS = {"en": "p", "zh": "点"}


def profile(points, polls, **modbus):
    return Profile.model_validate(
        {
            "profile": "p", "version": 1, "function": "air", "maker": "m", "model": "m", "verified": "manual",
            "labels": LABELS, "source": "made up for a test", "protocol": "modbus", "modbus": modbus,
            "polls": {name: {"every": every} for name, every in polls.items()},
            "points": {
                name: {"labels": LABELS, "poll": poll, "at": {"table": "holding", "type": "uint16", **at}}
                for name, (poll, at) in points.items()
            },
        }
    )  # fmt: skip


@dataclass
class Device:
    device: str
    unit: int
    pole: str = "P1"
    profile: str = "p"
    channel: int = 0


spans = st.tuples(st.sampled_from(["holding", "input", "coil"]), st.integers(0, 14), st.integers(1, 4))
values = st.lists(spans, min_size=1, max_size=6).map(
    lambda places: [
        Wanted(key=("d", f"p{index}"), table=table, address=address, count=1 if table == "coil" else count)
        for index, (table, address, count) in enumerate(places)
    ]
)
limits = st.builds(
    Limits,
    block=st.integers(2, 16), gap=st.none() | st.integers(0, 6), overhead=st.integers(0, 24).map(float),
    refused=st.frozensets(spans.map(lambda at: Refused(table=at[0], address=at[1], count=at[2])), max_size=3),
)  # fmt: skip


def cost(blocks, limits):
    return sum(limits.overhead + data_bytes(block.table, block.count) for block in blocks)


def is_allowed(members, limits):
    """By hand, register by register: one read of these values."""
    table = members[0].table
    if any(each.table != table for each in members):
        return False
    if len({(each.address, each.count) for each in members}) == 1:
        return True
    first, end = min(each.address for each in members), max(each.end for each in members)
    wanted = {place for each in members for place in range(each.address, each.end)}
    run = longest = 0
    for place in range(first, end):
        run = 0 if place in wanted else run + 1
        longest = max(longest, run)
    read = set(range(first, end))
    return (
        end - first <= (MAX_BITS if table in BIT_TABLES else limits.block)
        and (limits.gap is None or longest <= limits.gap * (16 if table in BIT_TABLES else 1))
        and not any(
            each.table == table and set(range(each.address, each.address + each.count)) <= read
            for each in limits.refused
        )
    )


def partitions(members):
    if not members:
        yield []
        return
    for rest in partitions(members[1:]):
        yield [[members[0]], *rest]
        for index in range(len(rest)):
            yield [*rest[:index], [members[0], *rest[index]], *rest[index + 1 :]]


def as_block(members):
    first = min(each.address for each in members)
    return Block(table=members[0].table, address=first, count=max(each.end for each in members) - first, parts=())


@settings(max_examples=200, deadline=None)
@given(values, limits)
def test_no_other_way_to_share_reads_costs_less(values, limits):
    least = min(
        cost([as_block(members) for members in partition], limits)
        for partition in partitions(values)
        if all(is_allowed(members, limits) for members in partition)
    )
    assert cost(plan(values, limits), limits) == least


@settings(max_examples=200, deadline=None)
@given(values, limits)
def test_every_value_is_whole_in_one_read_that_keeps_the_limits(values, limits):
    by_key = {value.key: value for value in values}
    read = []
    for block in plan(values, limits):
        members = [by_key[part.key] for part in block.parts]
        assert is_allowed(members, limits)
        assert (block.address, block.count) == (as_block(members).address, as_block(members).count)
        for part, value in zip(block.parts, members, strict=True):
            assert (block.address + part.start, part.count, block.table) == (value.address, value.count, value.table)
            read.append(part.key)
    assert sorted(read) == sorted(by_key)


def test_a_refused_value_is_asked_alone_and_a_refused_hole_is_not_bridged():
    spots = [Wanted(key=("d", f"p{at}"), table="holding", address=at, count=1) for at in (0, 1, 2, 5, 6)]
    refused = frozenset({Refused(table="holding", address=1, count=1), Refused(table="holding", address=3, count=2)})
    blocks = plan(spots, Limits(overhead=20, refused=refused))
    assert [(block.address, block.count) for block in blocks] == [(0, 1), (1, 1), (2, 1), (5, 2)]
    elsewhere = frozenset(Refused(table="input", address=each.address, count=each.count) for each in refused)
    assert len(plan(spots, Limits(overhead=20, refused=elsewhere))) == 1


def test_neighbours_that_are_not_given_together_are_cut_where_they_meet():
    spots = [Wanted(key=("d", f"p{at}"), table="holding", address=at, count=1) for at in range(8)]
    cut = frozenset({Refused(table="holding", address=4, count=2)})
    assert [(each.address, each.count) for each in plan(spots, Limits(refused=cut))] == [(0, 5), (5, 3)]


def test_what_a_longer_value_covers_is_no_hole():
    spots = [Wanted(key=("d", f"p{at}"), table="holding", address=at, count=n) for at, n in ((0, 8), (1, 1), (9, 1))]
    assert [(each.address, each.count) for each in plan(spots, Limits(gap=1, overhead=20))] == [(0, 10)]


def test_what_a_hole_of_one_group_holds_for_another_is_read_with_its_neighbours():
    """Registers 1 to 9 were refused as a hole; some of them are another group's values, and good."""
    hole = frozenset({Refused(table="holding", address=1, count=9)})
    spots = [Wanted(key=("d", f"p{at}"), table="holding", address=at, count=1) for at in range(2, 9)]
    assert len(plan(spots, Limits(overhead=20, refused=hole))) == 1


groups = st.lists(st.tuples(values, st.sampled_from([1.0, 2.0, 3.0, 10.0])), min_size=2, max_size=3)


@settings(max_examples=150, deadline=None)
@given(groups, st.none() | st.integers(0, 6), st.integers(2, 16), st.sampled_from([1200, 9600, 115200]))
def test_groups_that_fall_due_together_never_cost_more_than_apart(groups, gap, block, baud):
    line = Line(baud=baud)
    model = profile({"a": ("g", {"address": 0})}, {"g": "1s"}, latency="15ms")
    made = [
        Group(
            name=f"g{index}", every=every, event=False,
            values=tuple(
                Wanted(key=(f"g{index}", each.key[1]), table=each.table, address=each.address, count=each.count)
                for each in members
            ),
        )
        for index, (members, every) in enumerate(groups)
    ]  # fmt: skip
    bounds = Limits(block=block, gap=gap, overhead=request_overhead(line, 0.015))
    unit = UnitPlan(unit=1, profile=model, devices=(), groups=tuple(made), limits=bounds)
    for size in range(2, len(made) + 1):
        for together in itertools.combinations(made, size):
            apart = sum(unit.time(line, each) for each in together)
            assert unit.time(line, *together) <= apart + 1e-9
    together = unit.time(line, *made)
    assert unit.load(line) <= sum(unit.time(line, each) / each.every for each in made) + 1e-9
    assert unit.load(line) >= together / max(each.every for each in made) - 1e-9


def test_channels_of_one_unit_share_reads_and_units_do_not():
    model = profile({"a": ("g", {"address": 0, "step": 2}), "b": ("g", {"address": 1, "step": 2})}, {"g": "1s"},
                    channels=3)  # fmt: skip
    devices = [Device(f"d{channel}", 7, channel=channel) for channel in range(3)] + [Device("e", 8)]
    first, second = unit_plans(devices, {"p": model}, Line(baud=9600))
    assert [(block.address, block.count) for block in first.blocks(*first.groups)] == [(0, 6)]
    keys = [part.key for part in first.blocks(*first.groups)[0].parts]
    assert keys == [(f"P1/d{channel}", name) for channel in range(3) for name in ("a", "b")]
    assert [(block.address, block.count) for block in second.blocks(*second.groups)] == [(0, 2)]


def test_the_load_of_groups_that_meet_now_and_then_by_hand():
    line = Line(baud=9600)
    model = profile({"a": ("fast", {"address": 0}), "b": ("slow", {"address": 1})}, {"fast": "1s", "slow": "4s"})
    (unit,) = unit_plans([Device("d", 1)], {"p": model}, line)
    fast, slow = unit.groups
    assert unit.load(line) == pytest.approx((3 * unit.time(line, fast) + unit.time(line, fast, slow)) / 4)
    assert unit.load(line) < unit.time(line, fast) + unit.time(line, slow) / 4


def test_reads_with_events_come_first():
    model = profile({"a": ("g", {"address": 0}), "b": ("e", {"address": 500})}, {"g": "1s", "e": "1s"})
    points = model.points | {"b": model.points["b"].model_copy(update={"event": True})}
    (unit,) = unit_plans([Device("d", 1)], {"p": model.model_copy(update={"points": points})}, Line(baud=9600))
    assert [block.address for block in unit.blocks(*unit.groups)] == [500, 0]
