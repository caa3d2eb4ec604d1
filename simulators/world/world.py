"""The world: one deterministic city that goes from step to step, and what every pole of it could read."""

from collections.abc import Callable, Sequence
from datetime import datetime

from simulators.causes import Cause
from simulators.world.air import Air
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.charging import Charging
from simulators.world.city_map import CityMap
from simulators.world.drains import Drains
from simulators.world.happenings import Happening as Happening
from simulators.world.happenings import News
from simulators.world.incidents import Incidents
from simulators.world.lamps import Lamps
from simulators.world.nodes import Nodes
from simulators.world.power import Power
from simulators.world.present import STEP_S as STEP_S
from simulators.world.present import Present
from simulators.world.screens import Screens
from simulators.world.streets import Streets
from simulators.world.sun import Sun
from simulators.world.weather import Weather
from simulators.world.wifi import Wifi

QUANTITIES = frozenset((
    "sun_elevation", "illuminance", "solar_radiation", "cloud", "temperature", "humidity", "dew_point", "pressure",
    "wind_speed", "wind_gust", "wind_direction", "rain_rate", "rain", "pm1", "pm2_5", "pm10", "tsp", "no", "no2",
    "so2", "o3", "co", "co2", "noise", "water_level", "flooded", "vehicles", "people", "wifi_clients",
    "wifi_octets_in", "wifi_octets_out", "lamp_level", "lamp_on", "lamp_power", "lamp_energy", "lamp_hours",
    "screen_on", "screen_brightness", "ev_connected", "ev_charging", "ev_power", "ev_current", "ev_energy_session",
    "ev_energy_total", "ev_soc", "ev_limit", "ev_enabled",
    "voltage", "current", "active_power", "reactive_power", "power_factor", "frequency",
    "energy_total", "leakage_current", "tripped", "angle", "angle_x", "angle_y", "acceleration_z", "impact",
    "cover_open", "cover_angle", "sos_pressed", "call_active", "camera_alive", "uplink_up", "battery", "rssi",
    "device_temperature",
))  # fmt: skip
_ACTS = (
    "lamp_level", "lamp_auto", "screen_on", "screen_brightness", "charger_current", "charger_enabled",
)  # fmt: skip


class World:
    """A city, its causes, and the present step. Nothing in it knows the real time.

    start: naive local time (UTC+8) of step 0. The same seed, city, causes and acts give the same values, bit for bit.
    """

    def __init__(self, *, seed: int, city: CityMap, causes: Sequence[Cause], start: datetime) -> None:
        self.city = city
        self._present = present = Present(seed=seed, city=city, start=start)
        self._sun = Sun(present=present)
        self._weather = Weather(present=present, causes=causes)
        self._streets = Streets(present=present, causes=causes)
        self._air = Air(present=present, causes=causes, sun=self._sun)
        self._drains = Drains(present=present)
        self._lamps = Lamps(present=present, causes=causes, sun=self._sun)
        self._screens = Screens(present=present)
        self._wifi = Wifi(present=present)
        self._charging = Charging(present=present, causes=causes)
        self._power = Power(
            present=present, causes=causes, lamps=self._lamps, screens=self._screens, charging=self._charging
        )
        self._incidents = Incidents(present=present, causes=causes)
        self._nodes = Nodes(present=present, causes=causes)
        self._news = News(present=present, causes=causes, fronts=self._weather.fronts)
        self._acts: list[tuple[int, str, float]] = []

    @property
    def step(self) -> int:
        """-1 before the first advance."""
        return self._present.step

    def advance(self) -> int:
        """Goes to the next step and returns its number."""
        self._present.begin(self.step + 1)
        self._take_acts()
        raining = self._weather.raining()
        self._weather.advance()
        self._nodes.advance()
        powered = self._nodes.powered
        live = powered & ~self._power.tripped
        self._drains.advance(raining)
        self._lamps.advance(powered)
        self._screens.advance(live, self._sun.height)
        self._charging.advance(live)
        self._power.advance(powered, self._weather.mild(), raining)
        self._wifi.advance(powered, self._nodes.reachable)
        self._air.advance(raining)
        self._news.advance(self._lamps.dusk, self._drains.floods, self._power.tripped)
        return self.step

    def local(self) -> datetime:
        """Naive local time (UTC+8) of the present step."""
        return self._present.local

    def quantity(self, name: str, poles: IntArray) -> FloatArray:
        """Values of the present step at these poles, in the vocabulary's units. Raises KeyError."""
        return self._present[name][poles]

    def happenings(self) -> list[Happening]:
        """What began or ended at the present step."""
        return self._news.now

    def act(self, pole: int, what: str, value: float) -> None:
        """From the next step on. lamp_level and screen_brightness in %, charger_current in A, screen_on and
        charger_enabled 0 or 1; lamp_auto gives the lamp back to its schedule. Raises KeyError where the pole has no
        such device, or for another word."""
        if what not in _ACTS:
            raise KeyError(f"{what}: an act is one of {', '.join(_ACTS)}")
        if what.startswith("screen"):
            self._screens.place(pole)
        if what.startswith("charger"):
            self._charging.place(pole)
        self._acts.append((pole, what, value))

    def _take_acts(self) -> None:
        for pole, what, value in self._acts:
            self._doing(what)(pole, value)
        self._acts.clear()

    def _doing(self, what: str) -> Callable[[int, float], None]:
        return {
            "lamp_level": lambda pole, value: self._lamps.by_hand(pole, value),
            "lamp_auto": lambda pole, value: self._lamps.by_hand(pole, None),
            "screen_on": self._screens.switch,
            "screen_brightness": self._screens.dim,
            "charger_current": self._charging.limit_to,
            "charger_enabled": self._charging.enable,
        }[what]

    @property
    def powered(self) -> BoolArray:
        return self._nodes.powered

    @property
    def reachable(self) -> BoolArray:
        """Its network cell works."""
        return self._nodes.reachable

    @property
    def running(self) -> BoolArray:
        """The node has power and its software is up: not starting, not in a boot loop."""
        return self._nodes.running

    @property
    def silent(self) -> BoolArray:
        """The node's software runs, and does not read its devices."""
        return self._nodes.silent

    @property
    def clock_known(self) -> BoolArray:
        return self._nodes.clock_known

    @property
    def clock_offset_ms(self) -> IntArray:
        """What the node's clock is ahead of the truth."""
        return self._nodes.clock_offset_ms

    @property
    def version(self) -> IntArray:
        """Index into versions: the software that each node runs."""
        return self._nodes.version

    @property
    def versions(self) -> tuple[str, ...]:
        return self._nodes.versions
