"""The site file: which poles stand where, which buses they have, and which devices hang on them."""

from pathlib import Path

from device_profiles import loader, problems, site_checks
from device_profiles.site_buses import AnyBus, Bus, GatewayBus, SerialBus, TcpBus
from device_profiles.site_controllers import Controller
from device_profiles.site_model import Device, Gateway, Pole, Site

__all__ = [
    "AnyBus",
    "Bus",
    "Controller",
    "Device",
    "Gateway",
    "Pole",
    "SerialBus",
    "Site",
    "TcpBus",
    "load",
    "parse",
    "read",
]


def load(path: Path | str, *, crowded: bool = False) -> Site:
    """Site file -> Site, its relative paths counted from the file's folder. Raises FileProblem.

    crowded: its buses may have more to do than they can.
    """
    return parse(problems.read_bytes(path), shown=path, folder=Path(path).parent, crowded=crowded)[0]


def read(path: Path | str) -> tuple[Site, list[str]]:
    """Site file -> Site and what is allowed but doubtful, a message each. Raises FileProblem."""
    return parse(problems.read_bytes(path), shown=path, folder=Path(path).parent)


def parse(content: bytes, *, shown: Path | str, folder: Path, crowded: bool = False) -> tuple[Site, list[str]]:
    """As read, of a site that is in memory. shown: its name in messages; folder: what relative paths count from."""
    data = problems.parse_yaml(content, shown)
    site = _with_spools(problems.check(Site, data, shown, context={"folder": folder}), folder)
    profiles = loader.profiles()
    found = site_checks.faults(site, profiles)
    if not found and not crowded:  # a bus's load says nothing while its devices are wrong
        found = site_checks.overloads(site, profiles)
    if found:
        raise problems.problem(found, data, shown)
    doubts = problems.problem(site_checks.doubts(site, profiles), data, shown).messages
    return _with_owners(site), doubts


def _with_spools(site: Site, folder: Path) -> Site:
    gateways = {
        node: gateway if gateway.spool else gateway.model_copy(update={"spool": folder / f"{node}.db"})
        for node, gateway in site.gateways.items()
    }
    return site.model_copy(update={"gateways": gateways})


def _with_owners(site: Site) -> Site:
    buses = {
        name: bus.model_copy(update={"gateway": site.node_of(name)}) if isinstance(bus, GatewayBus) else bus
        for name, bus in site.buses.items()
    }
    return site.model_copy(update={"buses": buses})
