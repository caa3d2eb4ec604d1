"""Which poles of a city are read by which real node: groups of poles by a gateway, single poles by a controller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from simulators.network import LORA_USER
from simulators.world.city_map import CityMap, city_map

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
