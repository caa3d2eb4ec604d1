"""Who a node is on the wire, and how it reaches its broker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from device_profiles.site_model import Site
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
    address = urlsplit(own.broker)
    secure = address.scheme == "mqtts"
    connect: dict[str, Any] = {
        "hostname": address.hostname,
        "port": address.port or (8883 if secure else 1883),
        "username": site.user_of(name),
        "password": first_line(own.password_file),
    }
    if secure:
        connect["tls_params"] = aiomqtt.TLSParameters(
            ca_certs=_text(own.ca), certfile=_text(own.cert), keyfile=_text(own.key)
        )
    return Node(site.area, name, connect, confirm_by_broker=own.confirm == "broker")


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
