"""What hangs on a bus: profiles in the order of their unit ids, as poles have them."""

from collections.abc import Mapping

from bench.wire import Place
from device_profiles.schema import Profile
from simulators.city import EVERY_POLE, FIRST_OF_A_BUS, OTHERS

_FIRST = tuple(profile for _, profile in EVERY_POLE + FIRST_OF_A_BUS)
_NEXT = tuple(profile for _, profile in EVERY_POLE + OTHERS)

MIXES: dict[str, tuple[str, ...]] = {
    "demo pole": _FIRST,
    "demo bus": _FIRST + 2 * _NEXT,  # three poles, as `make demo` has them
    "meters": ("adw300", "dtsu666", "dtsu666-401e", "sdm230", "sdm120", "pzem-016"),
    "air and water": ("wb-msw-v4", "sokol-m", "metsens550", "gas-station", "xy-md03", "qdy30a", "rain-gauge"),
    "charging": ("phoenix-ac1m", "heidelberg-energy-control", "em2go", "vigipact-rhu", "rcmb300"),
    "lamps": 16 * ("arlight-dali",) + ("wp8028adam",),  # channels of one unit
    "32 units": 8 * ("xy-md03", "qdy30a", "wp8028adam", "sdm120"),
}


def places(names: tuple[str, ...], profiles: Mapping[str, Profile], latency: float | None = None) -> tuple[Place, ...]:
    """The devices of a mix. Those with channels share a unit. latency: seconds, of every device."""
    out: list[Place] = []
    unit = 0
    for name in names:
        profile = profiles[name]
        last = out[-1] if out else None
        if last and last.profile.profile == name and profile.modbus and last.channel + 1 < profile.modbus.channels:
            out.append(Place(profile=last.profile, unit=last.unit, channel=last.channel + 1))
        else:
            unit += 1
            out.append(Place(profile=with_latency(profile, latency), unit=unit))
    return tuple(out)


def with_latency(profile: Profile, latency: float | None) -> Profile:
    """The profile as it is where latency is None."""
    if latency is None or profile.modbus is None:
        return profile
    return profile.model_copy(update={"modbus": profile.modbus.model_copy(update={"latency": latency})})


def with_periods(profile: Profile, factor: float) -> Profile:
    """The same profile with every period times `factor`, and each reading told, changed or not."""
    polls = {
        name: group.model_copy(update={"every": group.every * factor, "silence": 0.001})
        for name, group in profile.polls.items()
    }
    return profile.model_copy(update={"polls": polls})
