"""What hangs on a pole: kits of devices, and how often each is found on a lane, a street, a main road and a square."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kit:
    """Devices of one pole: (name, profile). shares: of the poles by road (lane, street, main road, square)."""

    name: str
    devices: tuple[tuple[str, str], ...]
    shares: tuple[float, float, float, float]

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset(profile for _, profile in self.devices)

    def device(self, kind: str) -> bool:
        """Whether it has one of that name, without its number: `charger` for charger-1."""
        return any(name.rpartition("-")[0] == kind for name, _ in self.devices)


_LAMP = ("lamp-1", "arlight-dali")
_METER = ("meter-1", "pzem-016")
_TILT = ("tilt-1", "wtvb01-485")

KITS = (
    Kit("lamp", (_LAMP, _METER, _TILT), (0.80, 0.25, 0.0, 0.0)),
    Kit("cover", (_LAMP, _METER, _TILT, ("cover-1", "wp8028adam")), (0.15, 0.15, 0.0, 0.0)),
    Kit("climate", (_LAMP, _METER, _TILT, ("air-1", "xy-md03")), (0.05, 0.20, 0.0, 0.0)),
    Kit("drain", (_LAMP, _METER, ("level-1", "qdy30a"), ("cover-1", "em300-mcs")), (0.0, 0.20, 0.08, 0.0)),
    Kit("charger", (_LAMP, _METER, ("charger-1", "ocpp16"), ("leakage-1", "rcmb300")), (0.0, 0.12, 0.15, 0.10)),
    Kit("watch", (_LAMP, _METER, ("camera-1", "onvif-camera"), ("sos-1", "sos-button")), (0.0, 0.08, 0.15, 0.10)),
    Kit("weather", (_LAMP, _METER, ("air-1", "weather-8in1"), ("tilt-1", "em310-tilt")), (0.0, 0.0, 0.22, 0.10)),
    Kit(
        "screen",
        (_LAMP, _METER, ("screen-1", "multivision-led-text"), ("wifi-1", "openwrt-ap"), ("leakage-1", "vigipact-rhu")),
        (0.0, 0.0, 0.20, 0.20),
    ),
    Kit("air", (_LAMP, _METER, ("air-1", "hj212-air"), ("air-2", "hj212-noise")), (0.0, 0.0, 0.08, 0.10)),
    Kit(
        "plaza",
        (
            _LAMP, ("meter-1", "sdm230"), ("air-1", "hj212-dust"), ("wifi-1", "unifi-ap"), ("camera-1", "onvif-camera"),
            ("screen-1", "multivision-led-text"), ("sos-1", "sos-button"), ("cover-1", "cover-contact"),
            ("level-1", "youwei-ultrasonic"),
        ),
        (0.0, 0.0, 0.06, 0.25),
    ),
    Kit(
        "plaza-charger",
        (
            _LAMP, ("meter-1", "sdm120"), ("charger-1", "ocpp16"), ("sos-1", "sip-intercom"), ("wifi-1", "ap-if-mib"),
            ("leakage-1", "rgu-100a"), ("tilt-1", "em310-tilt"),
        ),
        (0.0, 0.0, 0.06, 0.15),
    ),
)  # fmt: skip
