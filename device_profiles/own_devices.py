"""What a node tells of itself: a gateway and its buses on the gateway's pole, a controller on its own."""

from collections.abc import Iterator
from typing import NamedTuple

from device_profiles.site_model import Site, bus_device


class OwnDevice(NamedTuple):
    """id: pole/device. what: in words, as in "`…` is … on this pole"."""

    id: str
    node: str
    what: str


def of_gateways(site: Site) -> Iterator[OwnDevice]:
    """Of each gateway, and of each bus that hangs on one."""
    for node, gateway in site.gateways.items():
        yield OwnDevice(f"{gateway.pole}/gateway", node, f"the own device of {node}")
    for bus in site.buses:
        node = site.node_of(bus)
        if node in site.gateways:
            pole = site.gateways[node].pole
            yield OwnDevice(f"{pole}/{bus_device(bus)}", node, f"what {node} tells of its bus {bus}")


def of_controllers(site: Site) -> Iterator[OwnDevice]:
    """Each has its own name there, so several may share a pole."""
    for node, controller in site.controllers.items():
        yield OwnDevice(f"{controller.pole}/{node}", node, f"the controller {node} itself")


def of_all(site: Site) -> Iterator[OwnDevice]:
    """Of every node of a site."""
    yield from of_gateways(site)
    yield from of_controllers(site)
