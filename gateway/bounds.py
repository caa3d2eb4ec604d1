"""What may change while a gateway runs, and what of it may come from the broker.

Who may write a node's `down/config` can make the gateway speak to any address of its network. He can neither cut it
off, nor have it open a serial port or listen where the site file on the gateway does not, nor have it read a file and
send what stands there to somebody.
"""

from collections.abc import Iterator
from pathlib import Path

from device_profiles.site_buses import AnyBus
from device_profiles.site_model import Site
from gateway.identity import spoken_for

# area and node name the topics, the spool holds what is not stored yet, and the own device hangs on the pole
AT_START = ("spool", "spool_megabytes", "pole")


def needs_restart(new: Site, running: Site, node: str) -> list[str]:
    """A sentence for each change that a running gateway does not make."""
    changed = [] if new.area == running.area else [f"area: {running.area} becomes {new.area}"]
    before, after = running.gateways[node], new.gateways[node]
    for key in AT_START:
        old, now = getattr(before, key), getattr(after, key)
        if old != now:
            changed.append(f"gateways.{node}.{key}: {old} becomes {now}")
    return [f"{each}: that needs a restart of the gateway." for each in changed]


def overreach(offered: Site, own: Site, node: str) -> list[str]:
    """A sentence for each thing that a site from the broker may not say. own: the site file on the gateway."""
    found = []
    if offered.gateways[node] != own.gateways[node]:
        keys = [key for key, value in offered.gateways[node] if value != getattr(own.gateways[node], key)]
        found.append(
            f"gateways.{node}: {', '.join(keys)}: not as in the gateway's own site file. What comes from the broker "
            "must leave the node's own entry as it is, or one mistake would cut the node off."
        )
    found += _speakers(offered, own, node)
    ends = {end for bus in own.buses_of(node).values() if (end := _local_end(bus)) is not None}
    for name, bus in offered.buses_of(node).items():
        found += _bus_overreach(name, bus, own.buses.get(name), ends)
    return found


def _speakers(offered: Site, own: Site, node: str) -> Iterator[str]:
    """The controllers that the gateway speaks for are its own file's: names, credentials, places on its lines."""
    before, after = _speaks_for(own, node), _speaks_for(offered, node)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield (
                f"controllers.{name}: not as in the gateway's own site file. The gateway speaks for it at the broker: "
                "who that is, how it proves it, and where it is on the line, the broker cannot change."
            )


def _speaks_for(site: Site, node: str) -> dict[str, tuple[object, ...]]:
    return {
        controller: (bus, *said) for bus in site.buses_of(node) for controller, said in spoken_for(site, bus).items()
    }


def _bus_overreach(name: str, bus: AnyBus, own: AnyBus | None, ends: set[str]) -> Iterator[str]:
    end = _local_end(bus)
    if end is not None and end not in ends:
        yield f"buses.{name}: {end} is in no bus of the gateway's own site file, so the broker cannot have it opened."
    files = [key for key, value in bus if isinstance(value, Path)]
    if files and bus != own:
        yield (
            f"buses.{name}: {', '.join(files)}: a bus with files of the gateway is exactly as in its own site file, "
            "or a secret could be sent to somebody else. Its devices may change."
        )


def _local_end(bus: AnyBus) -> str | None:
    """The serial port, or the address to listen at, that a bus has of the gateway."""
    end = bus.end
    return end if end is not None and (end.startswith("/") or end == getattr(bus, "listen", None)) else None
