"""Makers' words to standard points: what is taken, and what must not be."""

import pytest

from device_profiles.drafts.matching import best, is_setting


@pytest.mark.parametrize(
    ("function", "name", "unit", "point"),
    [
        ("energy", "Phase 1 line to neutral volts", "V", "voltage_l1"),
        ("energy", "Ua", "V", "voltage_l1"),
        ("energy", "AB线电压", "V", "voltage_l1_l2"),
        ("energy", "Current phase C", "A", "current_l3"),
        ("energy", "L2", "A", "current_l2"),
        ("energy", "Total system power", "W", "active_power"),
        ("energy", "总有功功率", "kW", "active_power"),
        ("energy", "Import active energy", "Wh", "energy_import"),
        ("energy", "当前正向有功总电能", "kWh", "energy_import"),
        ("energy", "反向有功电能", "kWh", "energy_export"),
        ("energy", "组合有功总电能", "kWh", "energy_total"),
        ("energy", "kWh (+) TOT", "kWh", "energy_import"),
        ("energy", "PF", "", "power_factor"),
        ("energy", "Frequency of supply voltages", "Hz", "frequency"),
        ("air", "当前温度", "Cel", "temperature"),
        ("air", "PM2.5浓度", "ug/m3", "pm2_5"),
        ("air", "大气压值", "kPa", "pressure"),
        ("air", "风向(0-360°)", "deg", "wind_direction"),
        ("air", "Current wind speed", "m/s", "wind_speed"),
        ("air", "3 s wind gust, updated every 30 s", "m/s", "wind_gust"),
        ("water", "液位", "mm", "level"),
    ],
)
def test_what_a_maker_means(function, name, unit, point):
    match = best(function, name, unit)
    assert match is not None
    assert match.point == point


@pytest.mark.parametrize(
    ("function", "name", "unit"),
    [
        ("energy", "Voltage THD", "%"),  # no voltage: the unit forbids it
        ("energy", "Voltage", "A"),
        ("energy", "Total kvarh", "kWh/a"),
        ("air", "Temperature", "V"),
        ("air", "Wibble wobble", ""),
        ("air", "湿敏电容频率", "Hz"),
        ("energy", "", "V"),
    ],
)
def test_what_no_standard_point_is(function, name, unit):
    assert best(function, name, unit) is None


def test_a_bit_is_no_number():
    assert best("lighting", "Lamp fault", "", boolean=True).point == "fault"
    assert best("lighting", "Lamp level", "%", boolean=True) is None


@pytest.mark.parametrize("name", ["Modbus address", "Baud rate", "波特率", "设备地址", "CT ratio", "Firmware version"])
def test_settings_are_no_quantities(name):
    assert is_setting(name)


@pytest.mark.parametrize("name", ["Voltage", "有功功率", "Supply current", "Illuminance"])
def test_quantities_are_no_settings(name):
    assert not is_setting(name)
