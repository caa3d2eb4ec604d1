"""What a pole with all nine functions tells, second by second: profiles and emulated values IN, readings OUT."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from device_profiles import loader
from gateway.reading import Reading, Value
from gateway.reports import SILENCE, Report
from simulators.device import EmulatedDevice

POLE = "P0001"
OF_A_FULL_POLE = {  # device: profile; nine functions, and what they hang on
    "lamp-1": "arlight-dali",
    "wifi-1": "openwrt-ap",
    "camera-1": "onvif-camera",
    "screen-1": "multivision-led-text",
    "air-1": "weather-8in1",
    "intercom-1": "sip-intercom",
    "water-1": "hlk-ld8001h",
    "charger-1": "em2go",
    "cover-1": "em300-di",
    "meter-1": "dtsu666",
    "leakage-1": "rcmb300",
    "tilt-1": "wtvb01-485",
}
BUSES = ("modbus-1", "modbus-2", "snmp-1", "onvif-1", "screens", "lora-1")
OF_THE_GATEWAY = {"gateway": "gateway"} | dict.fromkeys(BUSES, "bus")


@dataclass
class Second:
    telemetry: list[Reading] = field(default_factory=list)
    events: list[Reading] = field(default_factory=list)


def told(*, start_ms: int, seconds: int, busiest: bool = False) -> list[Second]:
    """What the gateway would write in each second, its own counters among it. busiest: every value differs."""
    out = [Second() for _ in range(seconds)]
    profiles = loader.profiles()
    for device, profile in OF_A_FULL_POLE.items():
        emulated = EmulatedDevice(profile=profiles[profile], pole=POLE, name=device)
        for at_ms, point, value in _asked(emulated, start_ms, seconds, busiest):
            second = out[(at_ms - start_ms) // 1000]
            reading = (emulated.name, point, at_ms, value[0], None if value[0] is not None else "range")
            (second.events if value[1] else second.telemetry).append(reading)
    for device, profile in OF_THE_GATEWAY.items():
        for name, counter in profiles[profile].points.items():
            group = profiles[profile].polls[counter.poll]
            moves = busiest or profile == "gateway"  # a bus that nothing ails has little to tell
            for at_s in range(0, seconds, int(group.every if moves else group.silence)):
                out[at_s].telemetry.append((f"{POLE}/{device}", name, start_ms + at_s * 1000, 1000 + at_s, None))
    return out


def _asked(
    device: EmulatedDevice, start_ms: int, seconds: int, busiest: bool
) -> Iterator[tuple[int, str, tuple[Value, bool]]]:
    """(time, point, (value, is it an event)) of what is to be told."""
    for name, point in device.points.items():
        group = device.profile.polls[point.poll]
        report = Report(deadband=point.deadband, silence=group.silence)
        every_ms = int(group.every * 1000)
        # Groups come one after the other on a bus, so they are spread over their period.
        first_ms = start_ms + zlib.crc32(f"{device.name} {point.poll}".encode()) % every_ms // 10 * 10
        for at_ms in range(first_ms, start_ms + seconds * 1000, every_ms):
            value = next(iter(device.held(name, at_ms)))
            why = report.reason(at_ms / 1000, value, None if value is not None else "range")
            if why is not None or busiest:
                yield at_ms, name, (value, point.event and why not in (None, SILENCE))
