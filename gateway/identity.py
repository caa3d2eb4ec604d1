"""Who a node is on the wire, and how it reaches its broker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from device_profiles.site_controllers import Controller
from device_profiles.site_model import Gateway, Site
from gateway.drivers import first_line


@dataclass(frozen=True)
class Node:
    """Who speaks: the topic's area and node, and what aiomqtt.Client needs to reach the broker."""

    area: str
    name: str
    connect: dict[str, Any]
    confirm_by_broker: bool = False


def node_of(site: Site, name: str) -> Node:
    """A gateway of the site. Raises OSError where a file that it names cannot be read."""
    own = site.gateways[name]
    return Node(site.area, name, _connect(site, name, own), confirm_by_broker=own.confirm == "broker")


def controllers_on(site: Site, bus: str) -> dict[int, Node]:
    """The controllers that a gateway speaks for on one of its lines, by their addresses there. Raises OSError."""
    return {
        each.address: Node(site.area, name, _connect(site, name, each))
        for name, each in site.controllers_on(bus).items()
        if each.address is not None
    }


def spoken_for(site: Site, bus: str) -> dict[str, tuple[object, ...]]:
    """What a gateway has to know of the controllers on one of its lines, by their names; other keys are their own."""
    return {
        name: (each.address, site.user_of(name), each.password_file, site.broker_of(name), each.cert, each.key)
        for name, each in site.controllers_on(bus).items()
    }


def _connect(site: Site, name: str, own: Gateway | Controller) -> dict[str, Any]:
    broker, ca = site.broker_of(name)
    address = urlsplit(broker)
    secure = address.scheme == "mqtts"
    connect: dict[str, Any] = {
        "hostname": address.hostname,
        "port": address.port or (8883 if secure else 1883),
        "username": site.user_of(name),
        "password": first_line(own.password_file),
    }
    if secure:
        connect["tls_params"] = aiomqtt.TLSParameters(
            ca_certs=_text(ca), certfile=_text(own.cert), keyfile=_text(own.key)
        )
    return connect


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
