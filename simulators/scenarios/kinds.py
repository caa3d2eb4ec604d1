"""Everything that can happen in a scenario: one model a kind, each value with its unit, range and meaning.

docs/scenarios.md and the JSON Schema are generated from here; `simulators.causes` says what the world is given.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from device_profiles.schema import Duration, Function, Model, Name
from device_profiles.vocabulary import vocabulary
from device_profiles.wording import suggestion
from simulators.causes import STEP_S
from simulators.world.kits import KITS

COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
RATED = ("drift", "spikes", "noise")  # the ways of a sensor's rot that have a rate
DEVICES = {name for kit in KITS for name, _ in kit.devices}
DAY = 86_400


def _whole_steps(seconds: float) -> float:
    if seconds % STEP_S:
        raise ValueError(f"the world goes in steps of {STEP_S} s: write a multiple of {STEP_S}s")
    return seconds


def _degrees(value: object) -> float:
    """A point of the compass, or degrees."""
    if isinstance(value, str):
        if value not in COMPASS:
            raise ValueError(
                f"write degrees from 0 to 360, or one of {', '.join(COMPASS)}.{suggestion(value, COMPASS)}"
            )
        return COMPASS.index(value) * 45.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 360:
        raise ValueError(f"write degrees from 0 to 360, or one of {', '.join(COMPASS)}.")
    return float(value)


Steps = Annotated[Duration, AfterValidator(_whole_steps)]
Direction = Annotated[float, BeforeValidator(_degrees, json_schema_input_type=float | Literal[COMPASS])]


def number(meaning: str, low: float, high: float, unit: str = "", default: Any = ...) -> Any:
    """A model's field with its meaning, range and unit."""
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra={"unit": unit})


class Kind(Model):
    """What the kinds have in common."""

    needed: ClassVar[tuple[str, ...]] = ()  # a pole is met only if it has a device of one of these functions
    is_everywhere: ClassVar[bool] = False  # `where` has nothing to say
    has_middle: ClassVar[bool] = False  # `where` must say near

    def values(self) -> dict[str, float | str]:
        """As `simulators.causes.Cause` has them."""
        return self.model_dump(exclude={"fade", "over"}, exclude_none=True)

    def functions(self) -> tuple[str, ...]:
        """What a pole must have to be met, where the file says nothing else; empty is any."""
        return self.needed


class Region(Kind):
    """What comes over a region, and fades in and out."""

    fade: Steps = number("how long it takes to come, and again to go", 0, DAY, default=600.0)


class Poles(Kind):
    """What poles meet one by one."""

    over: Steps = number(
        "poles (with `whole`: feeders …) are met one after another within this time, each as long",
        0,
        30 * DAY,
        default=0.0,
    )


class Front(Kind):
    """A weather front crosses the whole city: its first edge brings gusts, its band rain, and behind it is cooler air of a higher pressure. It ends when it has crossed, so it has neither `lasts` nor `where`."""  # noqa: E501

    is_everywhere = True

    comes_from: Direction = Field(315.0, description="a point of the compass, or degrees (0 north, 90 east)")
    speed: float = number("how fast it crosses the city", 1, 40, "m/s", 10)
    width: float = number("how deep its band of rain is", 0.2, 50, "km", 5)
    rain: float = number("in the middle of the band", 0, 200, "mm/h", 20)
    wind: float = number("by how much the wind rises at its first edge", 0, 50, "m/s", 8)
    cooling: float = number("by how much it is cooler behind", 0, 15, "K", 4)
    pressure: float = number("by how much the pressure is higher behind", 0, 10, "hPa", 2)

    def values(self) -> dict[str, float | str]:
        own = super().values()
        return own | {"from_deg": own.pop("comes_from"), "width_m": own.pop("width") * 1000}


class Weather(Region):
    """The weather is another than the season's for a while: each value is added to what it would be."""

    temperature: float = number("warmer or cooler", -30, 20, "K", 0)
    humidity: float = number("more or less humid", -80, 80, "%", 0)
    cloud: float = number("more or less of the sky is covered", -1, 1, "", 0)
    wind: float = number("more or less wind", -10, 40, "m/s", 0)
    rain: float = number("rain that falls", 0, 200, "mm/h", 0)


class Crowd(Region):
    """People gather around a place: Wi-Fi clients, their traffic and the noise rise with them."""

    has_middle = True

    people: float = number("how many there are when all have come", 1, 1_000_000)


class Traffic(Region):
    """More or fewer cars than at this hour on other days."""

    factor: float = number("times the usual traffic", 0, 10)


class Plume(Region):
    """Something burns or leaks at a place, and the wind carries it over the poles downwind."""

    has_middle = True

    pollutant: Literal["pm2_5", "pm10", "no2", "so2", "o3", "co"] = Field(description="what it is")
    strength: float = number("concentration close to the source", 1, 50_000, "µg/m³")


class Outage(Poles):
    """A feeder or circuit is dead: everything on its poles is dark, the nodes too. Say `whole: feeder` or `whole: circuit` in `where`."""  # noqa: E501


class Sag(Poles):
    """The voltage is too low."""

    percent: float = number("by how much the voltage falls", 1, 60, "%")


class Offline(Poles):
    """The network is away. The nodes go on, keep their readings, and send them when it is back. Say `whole: network_cell` in `where`."""  # noqa: E501


class Rollout(Poles):
    """The nodes take another version of their software, some of them badly; at the end of `lasts` they go back to the one before."""  # noqa: E501

    version: Name = Field(description="of the software")
    sick: float = number("share of the poles that it makes ill", 0, 1, "", 0)
    symptom: Literal["boot-loop", "silent-sensors"] = Field(
        "boot-loop", description="boot-loop: the node starts over and over; silent-sensors: every reading times out"
    )


class Rot(Poles):
    """Sensors fail."""

    function: Function | None = Field(None, description="of the devices; all where left out")
    device: str | None = Field(None, description="its name on every pole, as in air-1; all where left out")
    point: str | None = Field(None, description="of the vocabulary; all where left out")
    how: Literal["drift", "stuck", "spikes", "noise", "dead"] = Field(
        description="stuck: the same value for ever; spikes: beyond the range; dead: every reading times out"
    )
    rate: float = number(
        "drift: % of the point's range an hour, down where negative; spikes: how many an hour; noise: ± % of the range",
        -100, 1_000, "", 0,
    )  # fmt: skip

    def functions(self) -> tuple[str, ...]:
        return (self.function,) if self.function else ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.how in RATED) != bool(self.rate):
            raise ValueError(f"how: {self.how} {'needs a rate' if self.how in RATED else 'has no rate'}")
        if self.how != "drift" and self.rate < 0:
            raise ValueError(f"rate: {self.rate:g}: only a drift goes down; write a number above 0")
        if self.device and self.device not in DEVICES:
            raise ValueError(f"device: no pole has a '{self.device}'.{suggestion(self.device, DEVICES)}")
        known = _points(self.function)
        if self.point and self.point not in known:
            whose = f"of {self.function}" if self.function else "of any function"
            raise ValueError(
                f"point: '{self.point}' is no point {whose} (docs/vocabulary.md).{suggestion(self.point, known)}"
            )
        return self


class Clock(Poles):
    """The nodes' clocks are wrong; at the end of `lasts` they are right again."""

    how: Literal["step", "drift", "unset"] = Field(
        description="step: wrong at once; drift: more and more; unset: the node knows no time at all"
    )
    by: float = number("step: s ahead; drift: s an hour ahead; behind where negative", -400 * DAY, 400 * DAY, "", 0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.how == "unset") == bool(self.by):
            raise ValueError(f"how: {self.how} {'has no `by`' if self.how == 'unset' else 'needs `by`, and not 0'}")
        return self


class Cover(Poles):
    """Manhole covers are opened, and closed again at the end of `lasts`."""

    needed = ("manhole",)


class Hit(Poles):
    """A vehicle hits poles: an impact, and they lean until the end of `lasts`."""

    needed = ("tilt",)
    angle: float = number("how far they lean from then on", 0, 90, "°", 5)


class Sos(Poles):
    """Somebody presses the emergency button, and is connected, until the end of `lasts`."""

    needed = ("emergency",)


class Charging(Region):
    """More or fewer cars at the chargers than at this hour on other days."""

    factor: float = number("times the cars that usually come", 0, 100)


class Lamps(Poles):
    """The control centre sets the lamps, in place of their schedule."""

    needed = ("lighting",)
    level: float = number("of every lamp", 0, 100, "%")


def _points(function: str | None) -> set[str]:
    shipped = vocabulary()
    functions = [function] if function else list(shipped.functions)
    return {point for each in functions for point in shipped.points(each)}


KINDS: dict[str, type[Kind]] = {
    kind.__name__.lower(): kind
    for kind in (
        Front, Weather, Crowd, Traffic, Plume, Outage, Sag, Offline, Rollout, Rot, Clock, Cover, Hit, Sos, Charging,
        Lamps,
    )
}  # fmt: skip
