"""Which poles of a city are read by which real node: groups of poles by a gateway, single poles by a controller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any, Literal

from device_profiles import loader
from device_profiles.schema import Profile
from simulators.network import DEVICES, LORA_USER
from simulators.world.city_map import CityMap, city_map
from simulators.world.kits import KITS

MOST_WIRES, MOST_AGENTS = 64, 16
POLES_A_GATEWAY = 8
POLES_A_BUS = 4


class DepthError(Exception):
    """What is asked for cannot be run here; the message says what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A gateway or a controller, and the poles (index) that it reads; it hangs on the first of them."""

    name: str
    kind: Literal["gateway", "controller"]
    area: str
    poles: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Hung:
    """A device of a pole. place: of the pole along the node's buses. without: why it cannot hang there, or empty."""

    pole: str
    name: str
    profile: Profile
    place: int
    without: str

    @property
    def device(self) -> str:
        return f"{self.pole}/{self.name}"


def check(order: Mapping[str, Any]) -> None:
    """Raises DepthError."""
    for key, most, what in (("wires", MOST_WIRES, "behind gateways"), ("agents", MOST_AGENTS, "with an agent")):
        if not 0 <= order[key] <= most:
            raise DepthError(
                f"--{key} {order[key]}: 0 to {most} poles can stand {what} on one machine; each gateway and each agent"
                " is a process of its own. The others are nodes."
            )
    if order["wires"] + order["agents"] > order["poles"]:
        raise DepthError(
            f"--wires {order['wires']} and --agents {order['agents']} are more than --poles {order['poles']}; they are"
            " the first poles of the map."
        )
    if order["wires"] + order["agents"] and order["speed"] != 1:
        raise DepthError(
            f"--speed {order['speed'] or 'max'}: wires and agents work in real time alone. Leave out --speed, or"
            " --wires and --agents."
        )


def city_of(order: Mapping[str, Any]) -> CityMap:
    """The map that the order's world has too."""
    return city_map(seed=order["seed"], poles=order["poles"])


def nodes(order: Mapping[str, Any], city: CityMap) -> list[Node]:
    """Agents stand on the first poles, wires on the next. The poles of a gateway are of one district."""
    first = order["agents"]
    return [
        *(_node(city, "controller", (index,)) for index in range(first)),
        *(_node(city, "gateway", group) for group in _groups(city, range(first, first + order["wires"]))),
    ]


def hung(node: Node, city: CityMap) -> Iterator[Hung]:
    """Its poles' kits; on a gateway's own pole also one device of each other protocol."""
    for place, index in enumerate(node.poles):
        kit = KITS[city.kit[index]].devices
        more = _more(kit) if node.kind == "gateway" and place == 0 else ()
        for name, profile in (*kit, *more):
            made = loader.profiles()[profile]
            yield Hung(pole=city.names[index], name=name, profile=made, place=place, without=_without(node.kind, made))


def users(order: Mapping[str, Any]) -> list[str]:
    """The MQTT users that depths 1 and 2 need in the broker's password file, beside ingest and operator."""
    if not order["wires"] + order["agents"]:
        return []
    return [*(node.name for node in nodes(order, city_of(order))), LORA_USER]


def _node(city: CityMap, kind: Literal["gateway", "controller"], poles: tuple[int, ...]) -> Node:
    suffix = "gw" if kind == "gateway" else "ctl"
    return Node(name=f"{city.names[poles[0]]}-{suffix}", kind=kind, area=city.area[poles[0]], poles=poles)


def _groups(city: CityMap, poles: range) -> Iterator[tuple[int, ...]]:
    for _, group in groupby(poles, key=lambda index: city.area[index]):
        members = list(group)
        for start in range(0, len(members), POLES_A_GATEWAY):
            yield tuple(members[start : start + POLES_A_GATEWAY])


def _without(kind: str, profile: Profile) -> str:
    if kind == "gateway":
        return "a gateway has no pins" if profile.protocol == "wired" else ""
    if profile.protocol == "modbus" or all(point.input is not None for point in profile.points.values()):
        return ""
    return f"a controller does not speak {profile.protocol}"


def _more(kit: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """Devices of the protocols that the kit lacks."""
    protocols = {loader.profiles()[profile].protocol for _, profile in kit}
    taken = {name for name, _ in kit}
    for name, profile in DEVICES:
        if loader.profiles()[profile].protocol not in protocols:
            protocols.add(loader.profiles()[profile].protocol)
            kind = name.rpartition("-")[0]
            yield next(each for each in (f"{kind}-{number}" for number in count(1)) if each not in taken), profile
