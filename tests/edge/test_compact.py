"""Polls and commands of a controller, compiled on the host; and that what reads them has no float."""

import ast
import itertools
import random
import struct

import pytest

from device_profiles import compact, compact_commands, loader, registers
from device_profiles.blocks import address
from device_profiles.bus_time import Line
from device_profiles.raw_ranges import domain, held, ranges, value
from device_profiles.site_model import Device
from edge.commands import _words
from pole.edge.bundle import ROOT
from tests.edge.pole_bus import POLE
from tests.edge.test_poller import LEVEL, point, profile

LINE = Line(baud=9600)
MODBUS = {name: each for name, each in loader.profiles().items() if each.protocol == "modbus"}
WHOLE = {name: each for name, each in MODBUS.items() if each.commands}


def device(name, unit=1, bus="a", channel=0):
    return Device(pole="P1", device=f"{name}-{unit}-{channel}", profile=name, bus=bus, unit=unit, channel=channel)


def plan(*devices, profiles=MODBUS, line=LINE):
    return compact.plan(dict.fromkeys(sorted({each.bus for each in devices}), line), devices, profiles)


def section(data, at=2):
    size, length = struct.unpack_from("<HB", data, at)
    return data[at + 3 + length : at + 3 + length + size]


def blocks(made):
    """The blocks of a section, each as its bytes."""
    starts = [struct.unpack_from("<H", made, 8 + 6 * index + 2)[0] for index in range(made[3] + 1)]
    return [made[start:end] for start, end in itertools.pairwise(starts)]


def test_every_modbus_profile_compiles():
    for unit, name in enumerate(MODBUS, 1):
        found = blocks(section(plan(device(name, unit))))
        assert all(block[0] == unit for block in found)
        assert sum(block[16] for block in found) == len(MODBUS[name].points)


def test_byte_by_byte():
    made = plan(device("probe", 7), profiles={"probe": LEVEL})
    assert made[:2] == bytes((compact.VERSION, 1))
    assert made[2:6] == struct.pack("<HB", len(made) - 6, 1) + b"a"
    # 1042 µs a character and 3.5 of them in ms; one block; 6 bytes of state and a register; 70 bytes of the block
    assert section(made)[:8] == struct.pack("<HBBHH", 1042, 4, 1, 8, 70)
    assert section(made)[8:20] == struct.pack("<BBHHBBHH", 7, 0, 20, 0, 0, 0, 90, 8)
    (block,) = blocks(section(made))
    # unit 7, function 3, address 0, count 1; 300 ms, every second, told again after an hour, a point
    assert block[:17] == bytes.fromhex("070300000001") + struct.pack("<HIIB", 300, 1000, 3600000, 1)
    # an unsigned number that is scaled, one range, 2 bytes at 0, bit 0; names end at 20 and 25, constants at 49
    assert block[17:25] == bytes((53, 1 | 16, 1 << 4 | 2, 0, 0, 20, 25, 49))
    assert block[25:42] == b"P1/probe-7-0level"
    assert block[42:] == struct.pack(">ddd", 0.0, 0.1, 0.0) + bytes.fromhex("0000ffff")


def test_the_requests_are_those_of_a_gateway():
    from device_profiles.unit_plan import unit_plans

    devices = [device(name, unit) for unit, name in enumerate(POLE, 1)]
    asked = [struct.unpack_from(">BBHH", block) for block in blocks(section(plan(*devices)))]
    functions = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
    expected = [
        (unit.unit, functions[block.table], block.address, block.count)
        for unit in unit_plans(devices, MODBUS, LINE)
        for group in unit.groups
        for block in unit.blocks(group)
    ]
    assert asked == expected


def test_channels_share_requests():
    lamps = [device("arlight-dali", 1, channel=channel) for channel in range(16)]
    assert len(blocks(section(plan(*lamps)))) == len(blocks(section(plan(lamps[0])))) == 2


def test_a_pole_takes_little_memory():
    made = plan(*(device(name, unit) for unit, name in enumerate(POLE, 1)))
    assert len(made) < 5000
    assert compact.memory(made) < 2000


def test_each_bus_has_its_section():
    made = plan(device("xy-md03", bus="a"), device("sdm120", bus="b"))
    first = section(made)
    second = section(made, 2 + 4 + len(first))
    assert b"xy-md03" in first
    assert b"sdm120" not in first
    assert b"sdm120" in second
    assert len(made) == 2 + 2 * 4 + len(first) + len(second)


UNFIT = [
    ({"protocol": "dlt645"}, r"P1/probe-1-0 on bus a speaks dlt645, but a controller's bus carries Modbus alone"),
    ({"unit": 0}, r"has the unit 0. On a serial line it is 1 to 247"),
    ({"unit": 248}, r"has the unit 248"),
    ({"latency": 7.0}, r"P1/probe-1-0: profile probe has a latency of 7 s. A controller waits 65 s .* 6.5 s at most"),
    ({"silence": 30 * 86400.0}, r"bus a, unit 1 \(probe\), poll group all: silence is 2.592e\+06 s"),
    ({"every": 0.0001}, r"poll group all: every is 0.0001 s. A controller counts from 1 ms to six days"),
    (
        {"invalid": tuple(range(2, 40, 2))},
        r"profile probe, point level: 19 numbers are invalid, .* A controller takes 255, and 14 invalid numbers",
    ),
    ({"bits": 300}, r"one read brings 300 points. A controller takes 255. Write a smaller `block`"),
    ({"points": 1200}, r"bus a: its plan has more bytes than the 65535 that a controller takes: put devices elsewhere"),
    ({"bits": 200}, r"poll group all: what one read brings takes \d+ bytes. A controller takes 4096."),
]


@pytest.mark.parametrize(("wrong", "said"), UNFIT)
def test_what_a_controller_cannot_do_is_refused(wrong, said):
    with pytest.raises(compact.Unfit, match=said):
        plan(device("probe", wrong.get("unit", 1)), profiles={"probe": unfit(**wrong)})


def unfit(protocol=None, latency=None, silence=None, every=None, invalid=None, bits=0, points=0, unit=None):
    made = profile({"level": point(0)} | {f"b{at}": point(at, table="discrete") for at in range(bits)})
    if points:
        made = profile({f"a_point_with_a_name_{at}": point(at, range=[0, 9]) for at in range(points)})
    if protocol:
        return loader.profiles()["dlt645-1p"]
    if latency:
        made = made.model_copy(update={"modbus": made.modbus.model_copy(update={"latency": latency})})
    if silence or every:
        group = made.polls["all"].model_copy(update={"silence": silence or 1.0, "every": every or 1.0})
        made = made.model_copy(update={"polls": {"all": group}})
    if invalid:
        level = made.points["level"].model_copy(update={"invalid": invalid})
        made = made.model_copy(update={"points": {"level": level}})
    return made


@pytest.mark.parametrize("name", MODBUS)
def test_a_number_is_in_a_range_where_it_has_a_value(name):
    random.seed(name)
    for each in MODBUS[name].points.values():
        low, high = domain(each.at)
        found = ranges(each)
        tries = {low, high, 0, *(random.randint(low, high) for _ in range(50))}
        tries |= {bound + step for pair in found for bound in pair for step in (-1, 0, 1)}
        for number in tries:
            if low <= number <= high and each.at.type != "bool":
                assert has_value(each, number) == any(first <= number <= last for first, last in found), number


def has_value(each, number):
    words = struct.unpack(f">{len(held(each.at, number)) // 2}H", held(each.at, number))
    try:
        return registers.value(each, words) == value(each.at, number)
    except registers.NoValue:
        return False


@pytest.mark.parametrize("name", WHOLE)
def test_a_command_writes_the_words_that_a_gateway_writes(name):
    each = device(name, 3, channel=1)
    for line in compact_commands.commands([each], MODBUS):
        command = MODBUS[name].commands[line[1]]
        (argument,) = command.args.values()
        _, low, high, decimals = line[2]
        assert (low / 10**decimals, high / 10**decimals) == argument.range
        steps = [low, high, *(random.randint(low, high) for _ in range(200))]
        for counted in steps if command.write.type != "bool" else (0, 1):
            wanted = counted / 10**decimals
            assert near(_words(line[3], counted), registers.words(command.write, wanted), command.write), counted
        assert line[3][:4] == ["a", 3, {"coil": 5}.get(command.write.table, 6), address(command.write, 1)]


def near(words, theirs, at):
    """The same words; where two are as near, either of them."""
    if at.table == "coil":
        return words == (0xFF00 * theirs[0],)
    return abs(words[0] - theirs[0]) <= (at.type != "bool" and words[0] != theirs[0]) and len(words) == len(theirs) == 1


def test_a_command_that_writes_a_float_is_refused():
    made = MODBUS["phoenix-ac1m"].commands["set_current"]
    wide = made.model_copy(update={"write": made.write.model_copy(update={"type": "float32"})})
    profiles = {"probe": MODBUS["phoenix-ac1m"].model_copy(update={"commands": {"set_current": wide}})}
    with pytest.raises(compact.Unfit, match=r"P1/probe-1-0: set_current of profile .* writes a float32"):
        compact_commands.commands([device("probe")], profiles)


@pytest.mark.parametrize("name", ["decimal", "plan", "poller", "modbus", "access"])
def test_no_float_comes_near_a_value(name):
    """A controller's floats have 24 bits. Only asyncio.sleep is given one."""
    tree = ast.parse((ROOT / "edge" / f"{name}.py").read_text())
    slept = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.sleep"
        for argument in node.args
    }
    assert [ast.unparse(node) for node in ast.walk(tree) if makes_float(node) and id(node) not in slept] == []


def makes_float(node):
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return isinstance(node.op, ast.Div)
    return (isinstance(node, ast.Name) and node.id in ("float", "round", "math")) or (
        isinstance(node, ast.Import) and ("math" in {each.name for each in node.names})
    )


def test_the_search_for_floats_finds_them():
    wrong = "x / 2", "x /= 2", "float(x)", "import math", "1e3", "round(x)"
    assert all(any(makes_float(node) for node in ast.walk(ast.parse(each))) for each in wrong)
