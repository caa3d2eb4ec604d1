"""A world that holds what a test says."""

import numpy as np

PLAUSIBLE = {
    "temperature": 24.0, "humidity": 60.0, "pressure": 955.0, "voltage": 229.0, "current": 1.4, "active_power": 300.0,
    "power_factor": 0.95, "frequency": 50.0, "energy_total": 1200.0, "rssi": -95.0, "battery": 90.0, "noise": 58.0,
    "acceleration_z": 9.8, "leakage_current": 12.0, "camera_alive": 1.0, "uplink_up": 1.0, "screen_on": 1.0,
    "screen_brightness": 70.0, "device_temperature": 31.0, "co2": 430.0, "co": 600.0,
}  # fmt: skip


class FakeWorld:
    """quantities: name -> a number, or an array by pole. step: set it, or call go()."""

    def __init__(self, poles, **quantities):
        self.step = 0
        self.poles = poles
        self.powered = np.ones(poles, dtype=bool)
        self.silent = np.zeros(poles, dtype=bool)
        self.held = PLAUSIBLE | quantities
        self.asked = set()

    def go(self, steps=1):
        self.step += steps
        return self

    def quantity(self, name, poles):
        self.asked.add(name)
        value = self.held.get(name, 0.0)
        return np.broadcast_to(np.asarray(value, dtype=float), (self.poles,))[poles].copy()
