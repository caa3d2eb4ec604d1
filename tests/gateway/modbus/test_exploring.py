"""Devices that refuse this and that: what exploring teaches lets the next plan succeed, and nothing good is lost."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.blocks import Limits, Refused, Wanted, block_of, plan
from gateway.modbus.exploring import Exploration, Lesson, is_one
from gateway.modbus.learned import REFUSED_MOST, UnitMemory


@dataclass
class Device:
    """bad: addresses that it has not. cuts: addresses that no read may cross. most: registers at once."""

    bad: frozenset = frozenset()
    cuts: frozenset = frozenset()
    most: int = 125
    asked: int = 0

    def gives(self, block):
        self.asked += 1
        end = block.address + block.count
        return (
            self.bad.isdisjoint(range(block.address, end))
            and not any(block.address < cut < end for cut in self.cuts)
            and (block.table == "coil" or block.count <= self.most)
        )


def explored(block, device):
    """(the lesson, what was given, what was refused alone, requests)"""
    exploration, given, refused = Exploration(block), set(), set()
    before = device.asked
    while exploration.asked is not None:
        part = exploration.asked
        good = device.gives(part)
        if good:
            given |= {each.key for each in part.parts}
        elif is_one(part):
            refused |= {each.key for each in part.parts}
        exploration.heard(good)
    return exploration.lesson, given, refused, device.asked - before


def a_round(values, limits, memory, device):
    """One poll of everything. (what was given, blocks that taught something, most requests for a value of a block)"""
    given, taught, most = set(), 0, 0
    for block in plan(values, memory.within(limits)):
        if device.gives(block):
            given |= {part.key for part in block.parts}
        elif not is_one(block):
            lesson, had, _, requests = explored(block, device)
            assert bool(lesson) == bool(had), "who gives a part teaches, who gives nothing does not"
            taught += bool(lesson)
            given |= had
            memory.take(lesson)
            most = max(most, requests / len(block.parts))
    return given, taught, most


def spots(*places, table="holding"):
    return [Wanted(key=("d", f"p{at}"), table=table, address=at, count=count) for at, count in places]


places = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4)), min_size=2, max_size=12)
devices = st.builds(
    Device,
    bad=st.frozensets(st.integers(0, 34), max_size=6), cuts=st.frozensets(st.integers(1, 33), max_size=2),
    most=st.integers(4, 40),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(places, devices, st.sampled_from(["holding", "coil"]), st.none() | st.integers(0, 4))
def test_what_can_be_had_is_had_in_every_round_and_soon_nothing_is_refused(places, device, table, gap):
    if table == "coil":
        places = [(at, 1) for at, _ in places]
    values = [
        Wanted(key=("d", f"p{index}"), table=table, address=at, count=count) for index, (at, count) in enumerate(places)
    ]
    good = {value.key for value in values if device.gives(block_of([value]))}
    limits, memory = Limits(gap=gap, overhead=20), UnitMemory(profile="p 1")
    rounds = 0
    while True:
        had, learned, most = a_round(values, limits, memory, device)
        assert had == good
        assert most <= 3
        if not learned:
            break
        rounds += 1
        assert rounds <= len(values)
    taught = {(each.address, each.count) for each in memory.refused}
    for value in values:
        if value.key in good:
            assert (value.address, value.count) not in taught, "a value that is given is not kept apart"


@given(st.integers(2, 40))
def test_one_hole_costs_few_requests(count):
    values = spots(*[(2 * index, 1) for index in range(count)])
    for hole in range(1, 2 * count - 2, 2):
        lesson, given, refused, requests = explored(block_of(values), Device(bad=frozenset({hole})))
        assert lesson.refused == [Refused(table="holding", address=hole, count=1)]
        assert (len(given), refused) == (count, set())
        assert requests <= 2 * count.bit_length() + 1


def test_a_value_that_the_device_lacks_is_told_by_itself():
    values = spots(*[(at, 1) for at in range(8)])
    lesson, given, refused, _ = explored(block_of(values), Device(bad=frozenset({5})))
    assert lesson.refused == [Refused(table="holding", address=5, count=1)]
    assert refused == {("d", "p5")}
    assert len(given) == 7


def test_a_limit_is_learned_as_the_most_that_was_given():
    values = spots(*[(at, 1) for at in range(40)])
    lesson, given, _, _ = explored(block_of(values), Device(most=12))
    assert (lesson.refused, lesson.block, len(given)) == ([], 10, 40)


def test_a_seam_is_no_limit():
    """7 and 8 are never given together, and ten others are: reads of one register each would be a high price."""
    values = spots(*[(at, 1) for at in range(20)])
    lesson, *_ = explored(block_of(values), Device(cuts=frozenset({8})))
    assert (lesson.refused, lesson.block) == ([Refused(table="holding", address=7, count=2)], Lesson().block)


def test_bits_have_no_limit_in_registers():
    values = spots(*[(at, 1) for at in range(6)], table="coil")
    lesson, *_ = explored(block_of(values), Device(cuts=frozenset({3})))
    assert (lesson.refused, lesson.block) == ([Refused(table="coil", address=2, count=2)], Lesson().block)


def test_a_device_that_refuses_everything_teaches_nothing():
    values = spots((0, 1), (3, 2), (9, 1))
    lesson, given, refused, requests = explored(block_of(values), Device(most=0))
    assert not lesson
    assert (given, len(refused)) == (set(), 3)
    assert requests <= 6


def test_a_device_that_was_only_busy_for_a_moment_teaches_nothing():
    """Both halves are given, and then the whole as well."""
    values = spots((0, 1), (3, 2), (9, 1))
    lesson, given, *_ = explored(block_of(values), Device())
    assert not lesson
    assert lesson.given
    assert len(given) == 3


def test_two_values_at_one_address_are_told_apart_by_their_length():
    values = [Wanted(key=("d", name), table="holding", address=4, count=count) for name, count in (("a", 1), ("b", 2))]
    lesson, given, refused, _ = explored(block_of(values), Device(bad=frozenset({5})))
    assert lesson.refused == [Refused(table="holding", address=4, count=2)]
    assert (given, refused) == ({("d", "a")}, {("d", "b")})
    again = plan(values, UnitMemory(profile="p", refused=set(lesson.refused)).within(Limits()))
    assert [(block.address, block.count) for block in again] == [(4, 1), (4, 2)]


def test_a_memory_of_one_unit_has_an_end():
    memory = UnitMemory(profile="p")
    many = [Refused(table="holding", address=at, count=1) for at in range(2 * REFUSED_MOST)]
    memory.take(Lesson(refused=many, given=1))
    memory.take(Lesson(refused=many[::-1], given=1))
    assert len(memory.refused) == REFUSED_MOST


def test_a_device_that_comes_back_while_it_is_explored_teaches_nothing():
    block = block_of(spots((0, 1), (1, 1), (2, 1), (3, 1)))
    for silent in range(1, 6):  # so many parts get no answer, then all do
        exploration = Exploration(block, silence=True)
        asked = 0
        while exploration.asked is not None:
            asked += 1
            exploration.heard(asked > silent)
        assert not exploration.lesson


def test_what_a_device_keeps_silent_about_is_learned_by_its_silence():
    block = block_of(spots((0, 1), (1, 1), (2, 1), (3, 1)))
    exploration, device = Exploration(block, silence=True), Device(bad=frozenset({2}))
    while exploration.asked is not None:
        exploration.heard(device.gives(exploration.asked))
    assert exploration.lesson.refused == [Refused(table="holding", address=2, count=1)]
