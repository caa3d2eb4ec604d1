import json

import pytest

from device_profiles import loader, sensor_rows
from device_profiles.site_model import Device


def test_sensors(interpreter):
    interpreter.run("sensors")


def shipped():
    """Every profile of a sensor at a controller's own ADC or I2C, as a device of that name."""
    for name, profile in loader.profiles().items():
        kinds = {kind for point in profile.points.values() for kind in ("adc", "i2c") if getattr(point, kind)}
        if kinds:
            yield Device(
                pole="P0001", device=name, profile=name, bus="pins", **{kind: f"{name}-{kind}" for kind in kinds}
            )


def wire(device, folder):
    """What the profile's recorded exchange holds stands at the pins."""
    for sent, came in loader.golden(device.profile).exchanges:
        if sent:
            row = next(row for row in sensor_rows.rows(device, loader.profile(device.profile)) if row[2])
            (folder / f"{device.i2c}-{row[2][0]:02x}").write_text(came.replace(" ", ""))
        else:
            (folder / device.adc).write_text(came.removeprefix("adc "))


def test_shipped_profiles_give_their_recorded_values(interpreter, tmp_path):
    """A profile, compiled for a controller and measured there, says what its recorded exchange means."""
    devices = list(shipped())
    assert {"sht31", "bh1750", "level-4-20ma"} <= {device.device for device in devices}
    (tmp_path / "pins").mkdir()
    rows = [row for device in devices for row in sensor_rows.rows(device, loader.profile(device.profile))]
    for device in devices:
        wire(device, tmp_path / "pins")
    (tmp_path / "config.json").write_text(json.dumps({"sensors": rows}))
    output = interpreter.run("sensors_shipped", folder=str(tmp_path))
    told = {}
    for line in output.splitlines():
        if line.startswith("told "):
            _, name, point, field = line.split(" ")
            told[name, point] = json.loads("{" + field + "}")
    for device in devices:
        for point, value in loader.golden(device.profile).values.items():
            decimals = next(field[6] for row in rows for field in row[5] if (row[0], field[0]) == (device.id, point))
            assert told[device.id, point]["v"] == pytest.approx(value, abs=0.51 * 10**-decimals), (device.id, point)
