from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from device_profiles.blocks import MAX_BITS, Block, Part, address, blocks
from device_profiles.schema import WORDS, Location, Profile


def profile(points: dict[str, dict[str, Any]], groups: tuple[str, ...] = ("a",), **modbus: int) -> Profile:
    """A profile of the given locations; a location may carry its poll group."""
    return Profile.model_validate(
        {
            "profile": "p", "version": 1, "function": "air", "maker": "m", "model": "m", "verified": "manual",
            "labels": {"en": "p", "zh": "点"}, "source": "made up for a test", "protocol": "modbus", "modbus": modbus,
            "polls": {group: {"every": "1s"} for group in groups},
            "points": {
                name: {"labels": {"en": "p", "zh": "点"}, "poll": at.pop("poll", "a"), "at": at}
                for name, at in points.items()
            },
        }
    )  # fmt: skip


def holding(address: int, type: str = "uint16", **more: object) -> dict[str, Any]:
    return {"table": "holding", "address": address, "type": type, **more}


def plain(found: list[Block]) -> list[tuple[str, int, int]]:
    return [(block.table, block.address, block.count) for block in found]


def test_neighbours_are_one_block_and_each_point_has_its_place() -> None:
    found = blocks(profile({"b": holding(11, "float32"), "a": holding(10), "c": holding(13)}), "a")
    parts = (
        Part(key=("", "a"), start=0, count=1),
        Part(key=("", "b"), start=1, count=2),
        Part(key=("", "c"), start=3, count=1),
    )
    assert found == [Block(table="holding", address=10, count=4, parts=parts)]


def test_a_hole_is_bridged_up_to_the_gap() -> None:
    at_gap = {"a": holding(0), "b": holding(5)}
    assert plain(blocks(profile(at_gap, gap=4), "a")) == [("holding", 0, 6)]
    at_gap = {"a": holding(0), "b": holding(6)}
    assert plain(blocks(profile(at_gap, gap=4), "a")) == [("holding", 0, 1), ("holding", 6, 1)]


def test_gap_zero_reads_nothing_that_is_not_asked_for() -> None:
    points = {"a": holding(0), "b": holding(1), "c": holding(3)}
    assert plain(blocks(profile(points, gap=0), "a")) == [("holding", 0, 2), ("holding", 3, 1)]


def test_a_block_ends_at_the_device_s_limit_and_never_in_a_value() -> None:
    points = {f"p{index}": holding(index * 2, "float32") for index in range(6)}
    assert plain(blocks(profile(points, block=5), "a")) == [("holding", 0, 4), ("holding", 4, 4), ("holding", 8, 4)]


def test_tables_are_never_mixed() -> None:
    points = {"a": holding(0), "b": {"table": "input", "address": 1, "type": "uint16"}}
    assert sorted(plain(blocks(profile(points), "a"))) == [("holding", 0, 1), ("input", 1, 1)]


def test_groups_are_read_apart() -> None:
    found = profile({"a": holding(0), "b": holding(1, poll="slow")}, ("a", "slow"))
    assert plain(blocks(found, "a")) == [("holding", 0, 1)]
    assert plain(blocks(found, "slow")) == [("holding", 1, 1)]


def test_bits_of_one_register_are_one_register() -> None:
    points = {"a": holding(7, "bool", bit=0), "b": holding(7, "bool", bit=15)}
    (block,) = blocks(profile(points), "a")
    assert (block.address, block.count) == (7, 1)
    assert [(part.point, part.start) for part in block.parts] == [("a", 0), ("b", 0)]


def test_a_value_inside_another_one_does_not_shorten_the_block() -> None:
    (block,) = blocks(profile({"a": holding(0, "uint64"), "b": holding(1)}), "a")
    assert block.count == 4


def test_bits_bridge_sixteen_times_as_many_and_stop_at_2000() -> None:
    def coil(address: int) -> dict[str, object]:
        return {"table": "coil", "address": address}

    assert plain(blocks(profile({"a": coil(0), "b": coil(33)}, gap=2), "a")) == [("coil", 0, 34)]
    assert plain(blocks(profile({"a": coil(0), "b": coil(34)}, gap=2), "a")) == [("coil", 0, 1), ("coil", 34, 1)]
    far = {f"p{index}": coil(index * 200) for index in range(12)}
    assert plain(blocks(profile(far), "a")) == [("coil", 0, 201), ("coil", 400, 1801)]
    assert all(block.count <= MAX_BITS for block in blocks(profile(far), "a"))


def test_a_channel_shifts_each_point_by_its_own_step() -> None:
    points = {"a": holding(100, step=10), "b": holding(101, step=10), "c": holding(300)}
    found = blocks(profile(points, channels=4), "a", channel=3)
    assert plain(found) == [("holding", 130, 2), ("holding", 300, 1)]
    assert address(Location(table="holding", address=100, type="uint16", step=10), 3) == 130


def test_an_empty_group_has_no_blocks() -> None:
    assert blocks(profile({"a": holding(0)}, ("a", "b")), "b") == []


@given(
    st.dictionaries(
        st.integers(0, 400), st.tuples(st.sampled_from(("uint16", "float32", "uint64")),
        st.sampled_from(("holding", "input"))),
        min_size=1, max_size=40,
    ),
    st.integers(4, 125), st.integers(0, 30),
)  # fmt: skip
def test_every_point_is_read_once_whole_and_in_its_place(
    layout: dict[int, tuple[str, str]], most: int, gap: int
) -> None:
    points = {f"p{at}": {"table": table, "address": at, "type": type} for at, (type, table) in layout.items()}
    found = profile({name: dict(at) for name, at in points.items()}, block=most, gap=gap)
    read = []
    for block in blocks(found, "a"):
        assert 1 <= block.count <= most
        for part in block.parts:
            assert part.count == WORDS[points[part.point]["type"]]
            assert block.address + part.start == points[part.point]["address"]
            assert part.start + part.count <= block.count
            assert block.table == points[part.point]["table"]
            read.append(part.point)
    assert sorted(read) == sorted(points)
