"""From the world's quantities to what a point means: arrays of the world's units IN, an array of the point's unit OUT.

Beaufort's limits: GB/T 28591 (m/s at 10 m). Leakage: alarm at 300 mA, where fire detectors have theirs, and half of it.
"""

import math

import numpy as np

from simulators.world.arrays import FloatArray

GRAVITY = 9.80665
LEAKAGE_LIMIT_MA = 300.0
_BEAUFORT_TOPS = (
    0.2, 1.5, 3.3, 5.4, 7.9, 10.7, 13.8, 17.1, 20.7, 24.4, 28.4, 32.6, 36.9, 41.4, 46.1, 50.9, 56.0,
)  # fmt: skip
_PHASE_SHARES = (0.38, 0.34, 0.28)  # of the power on L1, L2, L3
_REACTIVE = math.tan(math.acos(0.95))  # reactive over active power at the world's usual power factor


def same(quantity: FloatArray) -> FloatArray:
    return quantity


def absent(quantity: FloatArray) -> FloatArray:
    """1 where a bool quantity is false."""
    return 1.0 - quantity


def beaufort(speed: FloatArray) -> FloatArray:
    """m/s -> force 0 to 17."""
    return np.searchsorted(_BEAUFORT_TOPS, speed, side="left").astype(np.float64)


def eighths(degrees: FloatArray) -> FloatArray:
    """Degrees -> 0 north, 1 north-east, … 7."""
    return np.rint(degrees / 45.0) % 8


def sixteenths(degrees: FloatArray) -> FloatArray:
    return np.rint(degrees / 22.5) % 16


def raining(rate: FloatArray) -> FloatArray:
    return (rate > 0.1).astype(np.float64)


def louder(noise: FloatArray) -> FloatArray:
    """The loudest of an interval lies some 9 dB over its usual level in a street."""
    return noise + 9.0


def milligrams(micrograms: FloatArray) -> FloatArray:
    return micrograms / 1000.0


def alarmed(level_m: FloatArray) -> FloatArray:
    return (level_m > 0.3).astype(np.float64)


def ground(air: FloatArray) -> FloatArray:
    """The ground follows the air a little."""
    return 16.0 + 0.3 * (air - 16.0)


def damp(air: FloatArray) -> FloatArray:
    """Humidity of a shaft."""
    return 80.0 + 0.15 * air


def signal_to_noise(rssi: FloatArray) -> FloatArray:
    """dBm -> dB: LoRa at 125 kHz has its noise near -117 dBm; a receiver tells 12 dB at most."""
    return np.clip(rssi + 117.0, -20.0, 12.0)


def battery_volts(percent: FloatArray) -> FloatArray:
    return 3.0 + 0.006 * percent


def battery_low(percent: FloatArray) -> FloatArray:
    return (percent < 10.0).astype(np.float64)


def line_to_line(phase: FloatArray) -> FloatArray:
    return phase * math.sqrt(3.0)


def amperes(power: FloatArray, voltage: FloatArray) -> FloatArray:
    """One phase at power factor 1; 0 without a voltage."""
    return np.divide(power, voltage, out=np.zeros_like(power), where=voltage > 1.0)


def third_amperes(power: FloatArray, voltage: FloatArray) -> FloatArray:
    return amperes(power, voltage) / 3.0


def l1(total: FloatArray) -> FloatArray:
    return total * _PHASE_SHARES[0]


def l2(total: FloatArray) -> FloatArray:
    return total * _PHASE_SHARES[1]


def l3(total: FloatArray) -> FloatArray:
    return total * _PHASE_SHARES[2]


def apparent(power: FloatArray, factor: FloatArray) -> FloatArray:
    return np.divide(power, factor, out=np.zeros_like(power), where=np.abs(factor) > 0.01)


def reactive_energy(energy: FloatArray) -> FloatArray:
    return energy * _REACTIVE


def over_limit(leakage: FloatArray) -> FloatArray:
    return (leakage > LEAKAGE_LIMIT_MA).astype(np.float64)


def over_half(leakage: FloatArray) -> FloatArray:
    return (leakage > LEAKAGE_LIMIT_MA / 2).astype(np.float64)


def limit_percent(leakage: FloatArray) -> FloatArray:
    return leakage / LEAKAGE_LIMIT_MA * 100.0


def alternating(leakage: FloatArray) -> FloatArray:
    return leakage * 0.95


def direct(leakage: FloatArray) -> FloatArray:
    return leakage * 0.05


def tilted(angle: FloatArray) -> FloatArray:
    return (angle > 5.0).astype(np.float64)


def upright(angle: FloatArray) -> FloatArray:
    """The third axis of a sensor that is mounted level on the pole."""
    return 90.0 - angle


def pull(angle: FloatArray) -> FloatArray:
    """What gravity makes of an angle along that axis."""
    return GRAVITY * np.sin(np.radians(angle))


def processor(clients: FloatArray) -> FloatArray:
    return 8.0 + 1.2 * clients


def free_memory(clients: FloatArray) -> FloatArray:
    return 380e6 - 1.5e6 * clients


def errors(octets: FloatArray) -> FloatArray:
    """A radio loses a packet or so in some hundred megabytes."""
    return np.floor(octets / 4e8)


def radio_2g(clients: FloatArray) -> FloatArray:
    return np.floor(clients * 0.35)


def radio_5g(clients: FloatArray) -> FloatArray:
    return clients - radio_2g(clients)


def warm(inside: FloatArray, power: FloatArray) -> FloatArray:
    """A device's own temperature, and what its power adds to it (K a kW)."""
    return inside + power / 1000.0


def session(total: FloatArray, own: FloatArray, connected: FloatArray) -> FloatArray:
    """A number that one charging session keeps and the next has not: the counter's kWh when it began, from 1."""
    return np.where(connected > 0.5, np.rint(total - own) + 1.0, 0.0)


def vehicle(connected: FloatArray, charging: FloatArray) -> FloatArray:
    """0 no vehicle, 1 connected, 2 charging: the letters A, B, C of IEC 61851-1."""
    return np.where(connected > 0.5, np.where(charging > 0.5, 2.0, 1.0), 0.0)
