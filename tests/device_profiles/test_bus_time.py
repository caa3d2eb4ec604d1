import pytest

from device_profiles import loader
from device_profiles.bus_load import load, polled
from device_profiles.bus_time import Line, data_bytes, read_time
from device_profiles.site_model import Device
from device_profiles.unit_plan import unit_plan


@pytest.mark.parametrize(
    ("parity", "stop_bits", "bits"),
    [("none", 1, 10), ("none", 2, 11), ("even", 1, 11), ("odd", 1, 11), ("even", 2, 12)],
)
def test_bits_of_a_character(parity: str, stop_bits: int, bits: int) -> None:
    assert Line(baud=9600, parity=parity, stop_bits=stop_bits).character == pytest.approx(bits / 9600)


def test_the_silence_is_fixed_above_19200_baud() -> None:
    assert Line(baud=19200).silence == pytest.approx(3.5 * 10 / 19200)
    assert Line(baud=38400).silence == 0.00175
    assert Line(baud=115200).silence == 0.00175


@pytest.mark.parametrize(
    ("table", "count", "size"),
    [("input", 1, 2), ("holding", 125, 250), ("coil", 1, 1), ("coil", 8, 1), ("discrete", 9, 2)],
)
def test_bytes_of_an_answer(table: str, count: int, size: int) -> None:
    assert data_bytes(table, count) == size


def test_a_read_by_hand() -> None:
    # 2 registers at 9600 8N1: request 8 and answer 9 characters of 1.0417 ms, silence 3.646 ms, latency 20 ms.
    assert read_time(Line(baud=9600), "input", 2, 0.02) == pytest.approx(17 / 960 + 3.5 / 960 + 0.02)


def test_a_device_never_answers_before_the_silence_that_ends_the_request() -> None:
    assert read_time(Line(baud=9600), "input", 2, 0.001) == pytest.approx(17 / 960 + 2 * 3.5 / 960)


def test_on_tcp_the_latency_counts_alone() -> None:
    assert read_time(None, "input", 60, 0.015) == 0.015


def test_the_frames_of_a_golden_exchange_are_as_long_as_the_model_says() -> None:
    golden = loader.golden("weather-8in1")
    request, answer = (bytes.fromhex(text) for text in golden.exchanges[0])
    line = Line(baud=4800)
    modelled = read_time(line, "holding", 4, 0) - 2 * line.silence
    assert modelled == pytest.approx((len(request) + len(answer)) * line.character)


def test_the_load_of_a_device_is_the_sum_of_its_groups() -> None:
    profile, line = loader.profile("phoenix-ac1m"), Line(baud=9600)
    assert profile.modbus is not None
    state = read_time(line, "input", 1, profile.modbus.latency)
    enabled = read_time(line, "coil", 1, profile.modbus.latency)
    limit = read_time(line, "holding", 1, profile.modbus.latency)
    plan = unit_plan(1, [Device(pole="P1", device="d", profile=profile.profile, bus="b", unit=1)], profile, line)
    assert plan.load(line) == pytest.approx(state / 2 + (enabled + limit) / 10)


def test_a_meter_of_dlt645_by_hand() -> None:
    # Wake-up bytes and frames both ways: 20 characters to ask, 20 and the number to answer, of 11 bits at 2400 baud.
    line = Line(baud=2400, parity="even")
    profile = loader.load(loader.files()["dlt645-3p"])
    widths = {
        "0201": 2,
        "0202": 3,
        "0203": 3,
        "0204": 3,
        "0205": 3,
        "0206": 2,
        "0280": 2,
        "0000": 4,
        "0001": 4,
        "0002": 4,
    }
    expected = sum(
        ((40 + widths[point.item.name[:4]] + 3.5) * 11 / 2400 + 0.02) / profile.polls[point.poll].every
        for point in profile.points.values()
        if point.item is not None
    )
    meter = Device(pole="P0001", device="meter-1", profile="dlt645-3p", bus="b", address="1" * 12)
    (taken,) = polled([meter], {"dlt645-3p": profile}, line)
    assert load([taken]) == pytest.approx(expected)
    assert load(10 * [taken]) > 1.0  # so many on one line are asked less often than they should be
