"""What holds for every shipped profile. CRC and words are read by pymodbus here, not by our own code."""

import struct
from pathlib import Path

import pytest
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer import FramerRTU

from device_profiles import blocks, consistency, exchange, loader, placement, registers
from device_profiles.problems import FileProblem
from device_profiles.schema import BIT_TABLES, WORDS, Golden, Profile
from protocols import modbus

ON_THE_WIRE = sorted(name for name, profile in loader.profiles().items() if profile.protocol == "modbus")
REPLAYED = sorted(name for name, profile in loader.profiles().items() if profile.is_exchanged)

# RFC 8428 section 12.1 and RFC 8798 section 3, as far as profiles use them.
SENML_UNITS = {
    "", "V", "A", "W", "VA", "var", "/", "Hz", "kWh", "Cel", "%RH", "%", "m/s", "deg", "dB", "ug/m3", "hPa", "lx", "mm",
    "m", "s", "count", "B", "kvarh", "mA", "m/s2", "ppm", "mm/h", "W/m2", "h", "ms", "%EL", "dBm", "bit/s", "m3/s",
}  # fmt: skip


def test_the_profiles_of_the_first_release_are_there() -> None:
    wanted = {
        "sdm120", "xy-md03", "weather-8in1", "qdy30a", "arlight-dali", "wp8028adam", "phoenix-ac1m", "gateway",
    }  # fmt: skip
    assert wanted <= set(loader.profiles())


@pytest.mark.parametrize("name", sorted(loader.profiles()))
def test_a_profile_is_complete(name: str) -> None:
    profile = loader.profiles()[name]
    assert loader.files()[name].parent.name == profile.function
    assert (
        loader.files()[name].read_text("utf-8").startswith("# yaml-language-server: $schema=../profile.schema.json\n")
    )
    assert {point.unit for point in profile.points.values()} <= SENML_UNITS
    labels = [point.labels for point in profile.points.values()] + [c.labels for c in profile.commands.values()]
    for label in [profile.labels, *labels]:
        assert label.en.isascii()
        assert any("一" <= char <= "鿿" for char in label.zh), f"{label.zh} is not Chinese"


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_every_point_of_a_device_can_be_emulated_within_its_range(name: str) -> None:
    for point_name, point in loader.profiles()[name].points.items():
        assert point.emulate is not None, point_name
        reach = point.emulate.swing + 4 * point.emulate.noise
        low, high = point.emulate.around - reach, point.emulate.around + reach
        if point.range is not None:
            assert point.range[0] <= low <= high <= point.range[1], point_name
        if point.values and point.emulate.swing == 0:
            assert point.emulate.around in point.values, point_name


def checked(frame: bytes) -> bytes:
    """An RTU frame without its CRC, which pymodbus must find right."""
    assert FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))
    return frame[:-2]


def words_of(golden: Golden) -> dict[tuple[str, int], int]:
    """(table, address) -> word, by nothing of ours but the table's names."""
    out: dict[tuple[str, int], int] = {}
    for request, response in golden.exchanges:
        ask, answer = bytes.fromhex(request), bytes.fromhex(response)
        ask, answer = (checked(ask), checked(answer)) if golden.framing == "rtu" else (ask[6:], answer[6:])
        unit, function, first, count = struct.unpack(">BBHH", ask)
        assert answer[:2] == bytes([unit, function])
        data = answer[3:]
        assert answer[2] == len(data)
        if function in (1, 2):
            assert len(data) == (count + 7) // 8
            bits = [int(char) for byte in data for char in f"{byte:08b}"[::-1]][:count]
            out |= {({1: "coil", 2: "discrete"}[function], first + i): bit for i, bit in enumerate(bits)}
        else:
            words = struct.unpack(f">{count}H", data)
            out |= {({3: "holding", 4: "input"}[function], first + i): word for i, word in enumerate(words)}
    return out


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_the_recorded_exchange_decodes_to_the_stated_values(name: str) -> None:
    profile, golden = loader.profiles()[name], loader.golden(name)
    words = words_of(golden)
    for point_name, stated in golden.values.items():
        at = profile.points[point_name].at
        assert at is not None
        held = [words[at.table, at.address + index] for index in range(WORDS[at.type])]
        if stated is None:
            with pytest.raises(registers.NoValue):
                registers.value(profile.points[point_name], held)
            continue
        assert registers.value(profile.points[point_name], held) == stated, point_name
        if at.type != "bool":
            kind = getattr(ModbusClientMixin.DATATYPE, at.type.upper())
            order = {"high_first": "big", "low_first": "little"}[at.word_order]
            raw = ModbusClientMixin.convert_from_registers(held, kind, word_order=order)
            assert raw * at.scale + at.offset == pytest.approx(stated, rel=1e-6), point_name


@pytest.mark.parametrize("name", REPLAYED)
def test_every_point_is_covered_or_listed(name: str) -> None:
    profile, golden = loader.profiles()[name], loader.golden(name)
    assert set(golden.values) | set(golden.uncovered) == set(profile.points)
    assert not set(golden.values) & set(golden.uncovered)


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_the_poll_plan_reads_every_point_once_and_keeps_the_limits(name: str) -> None:
    profile = loader.profiles()[name]
    assert profile.modbus is not None
    read: list[str] = []
    for group in profile.polls:
        for block in blocks.blocks(profile, group):
            assert block.count <= (blocks.MAX_BITS if block.table in BIT_TABLES else profile.modbus.block)
            read.extend(part.point for part in block.parts)
    assert sorted(read) == sorted(profile.points)


def test_the_weather_stations_differ_in_the_wind_alone() -> None:
    first, second = (loader.profiles()[name] for name in ("weather-8in1", "weather-8in1-w01"))
    differing = [name for name in first.points if first.points[name] != second.points[name]]
    assert differing == ["wind_speed"]


def test_the_gateway_s_counters_are_those_that_it_supplies() -> None:
    points = loader.profiles()["gateway"].points
    assert tuple(point.counter for point in points.values()) == consistency.COUNTERS
    assert tuple(points) == consistency.COUNTERS
    points = loader.profiles()["bus"].points
    assert tuple(point.counter for point in points.values()) == tuple(points) == placement.BUS_COUNTERS


def test_an_unknown_profile_is_answered_with_a_near_one() -> None:
    wanted = r"^'sdm12' is not a known profile\. Did you mean 'sdm120'\? `pole profile list` shows all\.$"
    for ask in (loader.profile, loader.golden):
        with pytest.raises(FileProblem, match=wanted):
            ask("sdm12")
    assert loader.profile("sdm120").profile == "sdm120"


def test_the_gateway_has_no_exchange() -> None:
    with pytest.raises(FileProblem, match="gateway is not on a wire, so it has no recorded exchange"):
        loader.golden("gateway")


GOLDEN = """\
source: a test of the replay
recorded: false
exchanges:
  - ["01 04 00 01 00 02 20 0b", "01 04 04 01 31 02 22 2a ce"]
values: {temperature: 30.5, humidity: 54.6}
"""

BROKEN_EXCHANGES = {
    "a value that is not so": (
        "30.5", "30.6",
        ":5: values.temperature: 30.6 is stated, but the exchange decodes to 30.5."),
    "a wrong CRC": (
        "22 2a ce", "22 2a cf",
        ":4: exchanges[0]: the response's CRC is 2a cf, but should be 2a ce."),
    "not hexadecimal": (
        "20 0b", "20 0g",
        ":4: exchanges[0]: the bytes are not hexadecimal pairs, as in 01 04 00 01."),
    "a short answer": (
        "01 04 04 01 31 02 22 2a ce", "01 04 02 01 31 79 74",
        ":4: exchanges[0]: the response must carry 4 bytes of data for 2 input addresses."),
    "another unit answers": (
        "01 04 04 01 31 02 22 2a ce", "02 04 04 01 31 02 22 19 ce",
        ":4: exchanges[0]: the response's unit and function are not the request's."),
    "a write": (
        "01 04 00 01 00 02 20 0b", "01 06 00 01 00 02 59 cb",
        ":4: exchanges[0]: the request is not a read (functions 1 to 4)."),
    "a point that is not there": (
        "humidity: 54.6", "humidty: 54.6, humidity: 54.6",
        ":5: values.humidty: 'humidty' is not a point of xy-md03. There are temperature, humidity."),
    "a point left out": (
        ", humidity: 54.6", "",
        ":5: values: humidity: give the value, or list it under uncovered."),
    "a point both stated and not covered": (
        "values:", "uncovered: [humidity]\nvalues:",
        ":6: values.humidity: stands under uncovered too: keep one of them."),
    "a value that no exchange reads": (
        '"01 04 00 01 00 02 20 0b", "01 04 04 01 31 02 22 2a ce"', '"01 04 00 01 00 01 60 0a", "01 04 02 01 31 79 74"',
        ":5: values.humidity: no exchange reads input 2, where this point stands. "
        "Add the exchange, or list the point under uncovered."),
    "a missing header": (
        "recorded: false", "recorded: false\nframing: tcp",
        ":5: exchanges[0]: the request's MBAP header does not fit its bytes."),
    "no exchange": (
        '  - ["01 04 00 01 00 02 20 0b", "01 04 04 01 31 02 22 2a ce"]', "  []",
        ":3: exchanges: a list is too short: at least 1."),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN_EXCHANGES)
def test_a_wrong_exchange_is_one_message(tmp_path: Path, kind: str) -> None:
    old, new, wanted = BROKEN_EXCHANGES[kind]
    assert GOLDEN.count(old) == 1
    profile = tmp_path / "xy-md03.yaml"
    beside = tmp_path / "xy-md03.golden.yaml"
    beside.write_text(GOLDEN.replace(old, new))
    with pytest.raises(FileProblem) as caught:
        loader.load_golden(profile, loader.profile("xy-md03"))
    assert [text.removeprefix(str(beside)) for text in caught.value.messages] == [wanted]


def test_no_value_is_stated_as_null(tmp_path: Path) -> None:
    profile = loader.profile("xy-md03")
    request, response = ("01 04 00 01 00 02 20 0b", "01 04 04 7f ff 02 22 6a 1f")
    body = bytes.fromhex(response)[:-2]
    response = (body + FramerRTU.compute_CRC(body).to_bytes(2, "big")).hex(" ")
    golden = Golden(
        source="a test of the replay", recorded=False, exchanges=((request, response),),
        values={"temperature": None, "humidity": 54.6},
    )  # fmt: skip
    assert exchange.faults(profile, golden) == []


@pytest.mark.parametrize("length", range(1, 9))
def test_our_crc_is_pymodbus_s(length: int) -> None:
    for seed in range(64):
        frame = bytes((seed * 37 + index * 101) & 0xFF for index in range(length))
        assert modbus.crc16(frame).to_bytes(2, "little") == FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def test_bits_of_several_bytes() -> None:
    golden = loader.golden("wp8028adam")
    request, response = (bytes.fromhex(text) for text in golden.exchanges[0])
    image = exchange.image(request, response, "rtu")
    assert [image["discrete", index] for index in range(8)] == [0, 1, 0, 0, 0, 0, 1, 1]


def test_profiles_are_read_once() -> None:
    assert loader.profiles() is loader.profiles()
    assert all(isinstance(profile, Profile) for profile in loader.profiles().values())
