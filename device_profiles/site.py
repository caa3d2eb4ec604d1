"""The site file: which poles stand where, which buses they have, and which devices hang on them."""

from pathlib import Path

from device_profiles import loader, problems, site_checks
from device_profiles.site_buses import BAUD_RATES, AnyBus, Bus, SerialBus, TcpBus
from device_profiles.site_model import Device, Gateway, Pole, Site

__all__ = ["BAUD_RATES", "AnyBus", "Bus", "Device", "Gateway", "Pole", "SerialBus", "Site", "TcpBus", "load", "read"]


def load(path: Path | str) -> Site:
    """Site file -> Site, its relative paths counted from the file's folder. Raises FileProblem."""
    return read(path)[0]


def read(path: Path | str) -> tuple[Site, list[str]]:
    """Site file -> Site and what is allowed but doubtful, a message each. Raises FileProblem."""
    path = Path(path)
    data = problems.read_yaml(path)
    site = _with_spools(problems.check(Site, data, path, context={"folder": path.parent}), path.parent)
    profiles = loader.profiles()
    found = site_checks.faults(site, profiles)
    if found:
        raise problems.problem(found, data, path)
    doubts = problems.problem(site_checks.doubts(site, profiles), data, path).messages
    return _with_owners(site), doubts


def _with_spools(site: Site, folder: Path) -> Site:
    gateways = {
        node: gateway if gateway.spool else gateway.model_copy(update={"spool": folder / f"{node}.db"})
        for node, gateway in site.gateways.items()
    }
    return site.model_copy(update={"gateways": gateways})


def _with_owners(site: Site) -> Site:
    buses = {name: bus.model_copy(update={"gateway": site.gateway_of(name)}) for name, bus in site.buses.items()}
    return site.model_copy(update={"buses": buses})
