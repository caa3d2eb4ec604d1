"""The points of the vocabulary, and those of makers that mean a quantity too, each with its source.

The errors are of the order that data sheets promise for such a device: 0.2 to 0.5 K and 2 %RH of a digital thermometer,
1 % of a class 1 meter (IEC 62053-21), a tenth of an optical particle counter or a small gas cell.
"""

from collections.abc import Callable
from typing import Any

from simulators.sensing import conversions as to
from simulators.sensing.source import UPTIME, Source
from simulators.world.arrays import FloatArray

_FIXED = Source()  # what the profile's `emulate` says: a setting, or a state that no scenario moves
_POWER = ("active_power", "power_factor")
_AIR: dict[str, Any] = {"gain": 0.06, "offset": 1.0, "noise": 0.8, "drift": 0.02, "lag_s": 60.0}
_GAS: dict[str, Any] = {"gain": 0.08, "offset": 1.0, "noise": 0.6, "drift": 0.05, "lag_s": 90.0}
_WARMTH: dict[str, Any] = {"offset": 0.2, "noise": 0.03, "lag_s": 60.0}
_METER: dict[str, Any] = {"gain": 0.004}


def _of(*quantities: str, by: Callable[..., FloatArray] = to.same, **errors: Any) -> Source:
    return Source(quantities=quantities, of=by, **errors)


COMMON: dict[str, Source] = {
    "reachable": Source(answers=True),
    "uptime": _of(UPTIME),
    "round_trip": Source(noise=1.0, offset=0.5),
    "battery": _of("battery", offset=1.0),
    "battery_voltage": _of("battery", by=to.battery_volts, offset=0.01),
    "battery_low": _of("battery", by=to.battery_low),
    "rssi": _of("rssi", noise=2.0),
    "snr": _of("rssi", by=to.signal_to_noise, noise=1.0),
    "device_temperature": _of("device_temperature", **_WARMTH),
}

_LIGHTING = {
    "level": _of("lamp_level"),
    "on": _of("lamp_on"),
    "fault": _FIXED,
    "gear_fault": _FIXED,
    "status": _FIXED,
    "bus_status": _FIXED,
    "bus_fault": _FIXED,
    "bus_load": _FIXED,
    "bus_devices": _FIXED,
    "voltage": _of("voltage", **_METER),
    "current": _of("lamp_power", "voltage", by=to.amperes, **_METER),
    "active_power": _of("lamp_power", **_METER),
    "power_factor": _FIXED,
    "energy_total": _of("lamp_energy"),
    "temperature": _of("device_temperature", **_WARMTH),
    "operating_hours": _of("lamp_hours"),
    "switch_count": _FIXED,
}
_WIFI = {
    "interface_up": _FIXED,
    "uplink_up": _of("uplink_up"),
    "octets_in": _of("wifi_octets_in"),
    "octets_out": _of("wifi_octets_out"),
    "errors_in": _of("wifi_octets_in", by=to.errors),
    "errors_out": _of("wifi_octets_out", by=to.errors),
    "speed": _FIXED,
    "clients": _of("wifi_clients"),
    "clients_2g": _of("wifi_clients", by=to.radio_2g),
    "clients_5g": _of("wifi_clients", by=to.radio_5g),
    "channel": _FIXED,
    "noise_floor": Source(noise=1.0, offset=2.0),
    "transmit_power": _FIXED,
    "cpu_load": _of("wifi_clients", by=to.processor, noise=2.0),
    "memory_free": _of("wifi_clients", by=to.free_memory),
}
_CAMERA = {
    "reachable": _of("camera_alive", answers=True),
    "stream_alive": _of("camera_alive", answers=True),
    "clock_skew": Source(offset=2.0, drift=0.5, alive="camera_alive"),
    "round_trip": Source(noise=3.0, offset=3.0, alive="camera_alive"),
    "stream_round_trip": Source(noise=5.0, offset=3.0, alive="camera_alive"),
    "preset": _FIXED,
    "recording": _of("camera_alive"),
}
_SCREEN = {
    "brightness": _of("screen_brightness"),
    "on": _of("screen_on"),
    "program": _FIXED,
    "fault": _FIXED,
    "temperature": _of("device_temperature", **_WARMTH),
}
_AIR_POINTS = {
    "temperature": _of("temperature", **_WARMTH),
    "humidity": _of("humidity", offset=1.0, noise=0.2, drift=0.01, lag_s=30.0),
    "dew_point": _of("dew_point", offset=0.3, noise=0.05, lag_s=60.0),
    "pressure": _of("pressure", offset=0.4, noise=0.05),
    "pm1": _of("pm1", **_AIR),
    "pm2_5": _of("pm2_5", **_AIR),
    "pm10": _of("pm10", **_AIR),
    "tsp": _of("tsp", **_AIR),
    "so2": _of("so2", **_GAS),
    "no2": _of("no2", **_GAS),
    "no": _of("no", **_GAS),
    "co": _of("co", gain=0.08, offset=20.0, noise=10.0, drift=1.0, lag_s=90.0),
    "o3": _of("o3", **_GAS),
    "co2": _of("co2", offset=15.0, noise=3.0, drift=0.1, lag_s=60.0),
    "noise": _of("noise", offset=0.5, noise=0.8),
    "noise_leq": _of("noise", offset=0.5, noise=0.2, lag_s=60.0),
    "noise_max": _of("noise", by=to.louder, offset=0.5, noise=1.5),
    "illuminance": _of("illuminance", gain=0.05, noise=0.5),
    "wind_speed": _of("wind_speed", gain=0.02, noise=0.1),
    "wind_gust": _of("wind_gust", gain=0.02, noise=0.1),
    "wind_direction": _of("wind_direction", offset=3.0, noise=2.0, wraps=True),
    "wind_direction_code": _of("wind_direction", by=to.eighths),
    "wind_force": _of("wind_speed", by=to.beaufort),
    "rain": _of("rain"),
    "rain_rate": _of("rain_rate", gain=0.02),
    "raining": _of("rain_rate", by=to.raining),
    "solar_radiation": _of("solar_radiation", gain=0.03),
    "status": _FIXED,
    # makers' own
    "pm2_5_raw": _of("pm2_5", **_AIR),
    "pm10_raw": _of("pm10", **_AIR),
    "so2_raw": _of("so2", **_GAS),
    "no2_raw": _of("no2", **_GAS),
    "o3_raw": _of("o3", **_GAS),
    "co_raw": _of("co", by=to.milligrams, gain=0.08, lag_s=90.0),
    "wind_direction_16": _of("wind_direction", by=to.sixteenths),
    "wind_direction_5min": _of("wind_direction", offset=3.0, wraps=True),
    "wind_gust_direction": _of("wind_direction", offset=3.0, noise=8.0, wraps=True),
    "wind_speed_5min": _of("wind_speed", gain=0.02, lag_s=300.0),
}
_EMERGENCY = {
    "sos_pressed": _of("sos_pressed"),
    "alive": Source(answers=True),
    "status_code": _FIXED,
    "call_active": _of("call_active"),
    "tamper": _FIXED,
}
_WATER = {
    "level": _of("water_level", offset=0.004, noise=0.002, lag_s=10.0),
    "distance": _of("water_level", offset=0.004, noise=0.002, lag_s=10.0),
    "mount_height": _FIXED,
    "flooded": _of("flooded"),
    "level_alarm": _of("water_level", by=to.alarmed),
    "rain": _of("rain"),
    "rain_rate": _of("rain_rate", gain=0.02),
    "temperature": _of("temperature", by=to.ground, offset=0.2, noise=0.02, lag_s=600.0),
    "velocity": _FIXED,
    "flow": _FIXED,
    "status": _FIXED,
}
_CHARGING = {
    "state": _of("ev_connected", "ev_charging", by=to.vehicle),
    "error_code": _FIXED,
    "fault": _FIXED,
    "enabled": _of("ev_enabled"),
    "connected": _of("ev_connected"),
    "charging": _of("ev_charging"),
    "transaction": _of("ev_energy_total", "ev_energy_session", "ev_connected", by=to.session),
    "max_current": _of("ev_limit"),
    "failsafe_current": _FIXED,
    "watchdog": _FIXED,
    "power": _of("ev_power", **_METER),
    "energy_total": _of("ev_energy_total"),
    "energy_session": _of("ev_energy_session"),
    "voltage": _of("voltage", **_METER),
    "voltage_l1": _of("voltage", **_METER),
    "voltage_l2": _of("voltage", **_METER),
    "voltage_l3": _of("voltage", **_METER),
    "current": _of("ev_current", **_METER),
    "current_l1": _of("ev_power", "voltage", by=to.third_amperes, **_METER),
    "current_l2": _of("ev_power", "voltage", by=to.third_amperes, **_METER),
    "current_l3": _of("ev_power", "voltage", by=to.third_amperes, **_METER),
    "temperature": _of("device_temperature", "ev_power", by=to.warm, **_WARMTH),
    "soc": _of("ev_soc"),
}
_MANHOLE = {
    "cover_open": _of("cover_open"),
    "moved": _of("cover_open"),
    "angle": _of("cover_angle", noise=0.1, offset=0.3),
    "level": _of("water_level", offset=0.004, noise=0.002, lag_s=10.0),
    "distance": _of("water_level", offset=0.004, noise=0.002, lag_s=10.0),
    "flooded": _of("flooded"),
    "temperature": _of("temperature", by=to.ground, offset=0.2, noise=0.02, lag_s=600.0),
    "humidity": _of("humidity", by=to.damp, offset=1.0, noise=0.2, lag_s=300.0),
}
_ENERGY = {
    **{f"voltage{phase}": _of("voltage", **_METER) for phase in ("", "_l1", "_l2", "_l3")},
    **{f"voltage_{pair}": _of("voltage", by=to.line_to_line, **_METER) for pair in ("l1_l2", "l2_l3", "l3_l1")},
    **{f"power_factor{phase}": _of("power_factor", noise=0.001) for phase in ("", "_l1", "_l2", "_l3")},
    "current": _of("current", **_METER),
    "current_n": _FIXED,
    "active_power": _of("active_power", **_METER),
    "apparent_power": _of(*_POWER, by=to.apparent, **_METER),
    "reactive_power": _of("reactive_power", **_METER),
    "frequency": _of("frequency", noise=0.002),
    "energy_import": _of("energy_total"),
    "energy_export": _FIXED,
    "energy_total": _of("energy_total"),
    "reactive_energy_import": _of("energy_total", by=to.reactive_energy),
    "reactive_energy_export": _FIXED,
    "demand": _of("active_power", gain=0.004, lag_s=900.0),
    "relay_on": _of("tripped", by=to.absent),
    "temperature": _of("device_temperature", **_WARMTH),
    "status": _FIXED,
}
for _phase, _part in (("l1", to.l1), ("l2", to.l2), ("l3", to.l3)):
    _ENERGY |= {
        f"current_{_phase}": _of("current", by=_part, **_METER),
        f"active_power_{_phase}": _of("active_power", by=_part, **_METER),
        f"apparent_power_{_phase}": _of("active_power", by=_part, **_METER),
        f"reactive_power_{_phase}": _FIXED,
        f"energy_import_{_phase}": _of("energy_total", by=_part),
    }
_LEAKAGE = {
    "leakage_current": _of("leakage_current", offset=0.5, noise=0.5),
    "leakage_alarm": _of("leakage_current", by=to.over_limit),
    "pre_alarm": _of("leakage_current", by=to.over_half),
    "tripped": _of("tripped"),
    "breaker_closed": _of("tripped", by=to.absent),
    "temperature": _of("device_temperature", **_WARMTH),
    "temperature_alarm": _FIXED,
    "status": _FIXED,
    # makers' own
    "leakage_current_ac": _of("leakage_current", by=to.alternating, offset=0.5, noise=0.5),
    "leakage_current_dc": _of("leakage_current", by=to.direct, offset=0.1, noise=0.05),
    "limit_share": _of("leakage_current", by=to.limit_percent),
}
_TILT = {
    "angle": _of("angle", offset=0.05, noise=0.02),
    "angle_x": _of("angle_x", offset=0.05, noise=0.02),
    "angle_y": _of("angle_y", offset=0.05, noise=0.02),
    "angle_z": _of("angle", by=to.upright, offset=0.05, noise=0.02),
    "tilted": _of("angle", by=to.tilted),
    "impact": _of("impact"),
    "acceleration_x": _of("angle_x", by=to.pull, offset=0.02, noise=0.01),
    "acceleration_y": _of("angle_y", by=to.pull, offset=0.02, noise=0.01),
    "acceleration_z": _of("acceleration_z", offset=0.02, noise=0.01),
    "temperature": _of("device_temperature", **_WARMTH),
}
SOURCES: dict[tuple[str, str], Source] = {
    (function, point): source
    for function, points in {
        "lighting": _LIGHTING, "wifi": _WIFI, "camera": _CAMERA, "screen": _SCREEN, "air": _AIR_POINTS,
        "emergency": _EMERGENCY, "water": _WATER, "charging": _CHARGING, "manhole": _MANHOLE, "energy": _ENERGY,
        "leakage": _LEAKAGE, "tilt": _TILT,
    }.items()
    for point, source in points.items()
}  # fmt: skip
