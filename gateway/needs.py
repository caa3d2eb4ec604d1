"""What a node of a site needs beside the site file: secrets, certificates, a folder, ports, room in one birth."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from device_profiles import loader
from device_profiles.schema import Model
from device_profiles.site_buses import AnyBus
from device_profiles.site_model import Site
from gateway import drivers
from gateway.birth import birth
from gateway.drivers import first_line
from wire import messages
from wire.errors import MessageError


def missing(site: Site, node: str) -> list[str]:
    """A sentence for each thing without which the node cannot work."""
    gateway = site.gateways[node]
    found = list(_too_large_a_birth(site, node))
    found += _files(f"gateways.{node}", gateway)
    for name, bus in site.buses_of(node).items():
        found += list(_files(f"buses.{name}", bus)) or _library(name, bus)
        for controller, own in site.controllers_on(name).items():
            found += _files(f"controllers.{controller}", own)
    if gateway.spool is not None and not gateway.spool.parent.is_dir():
        found.append(f"gateways.{node}.spool: there is no folder {gateway.spool.parent}; create it")
    return found


def unplugged(site: Site, node: str) -> list[str]:
    """A sentence for each port that is not there. It may still be plugged in, so that is no reason not to start."""
    ports = {name: bus.end for name, bus in site.buses_of(node).items()}
    return [
        f"bus {name}: there is no port {port}; is the adapter plugged in? ls /dev/serial/by-id"
        for name, port in ports.items()
        if port is not None and port.startswith("/") and not Path(port).exists()
    ]


def spool_trouble(site: Site, node: str) -> list[str]:
    """A sentence where the spool's folder takes nothing, or its disk has less room than the spool may need."""
    gateway = site.gateways[node]
    spool = gateway.spool
    if spool is None or not spool.parent.is_dir():  # the latter is said by missing()
        return []
    if not os.access(spool.parent, os.W_OK):
        return [f"gateways.{node}.spool: nothing can be written in {spool.parent}: check its rights, and its disk"]
    own = spool.stat().st_size if spool.is_file() else 0
    room = (shutil.disk_usage(spool.parent).free + own) >> 20
    if room >= gateway.spool_megabytes:
        return []
    return [
        f"gateways.{node}.spool_megabytes: {gateway.spool_megabytes}, but the disk of {spool.parent} has room for "
        f"{room} MB: the oldest telemetry goes when it is full. Make room, name another disk, or lower spool_megabytes"
    ]


def _library(name: str, bus: AnyBus) -> Iterator[str]:
    """A protocol's library is imported by whoever needs it alone: this is where its absence shows."""
    try:
        drivers.way(bus)
    except ModuleNotFoundError as absent:
        yield f"buses.{name}: the library {absent.name} is not installed. Install multipole with its extra [gateway]."


def _files(owner: str, holder: Model) -> Iterator[str]:
    """Every file that a gateway or a bus names, but for the spool, which is made, is there and holds something."""
    for key, path in holder:
        if not isinstance(path, Path) or key == "spool":
            continue
        if not path.is_file():
            yield f"{owner}.{key}: there is no file {path}; create it, or name another in the site file"
        elif key.endswith("_file"):
            yield from _secret(f"{owner}.{key}", path)


def _secret(key: str, path: Path) -> Iterator[str]:
    try:
        if not first_line(path):
            yield f"{key}: the first line of {path} is empty; write the secret there"
    except (OSError, UnicodeError) as error:
        yield f"{key}: {path} cannot be read as text: {error}; name the file whose first line is the secret"


def _too_large_a_birth(site: Site, node: str) -> Iterator[str]:
    message = birth(site=site, node=node, profiles=loader.profiles(), epoch="0" * 8, version="0.1.0", now_ms=1 << 41)
    try:
        messages.encode(message, messages.BIRTH)
    except MessageError as error:
        yield f"gateways.{node}: it has too many devices to announce in one message ({error.detail}); use two gateways"
