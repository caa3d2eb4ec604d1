"""How long a spool lasts while nothing is confirmed: a site's plan IN, hours OUT."""

from collections.abc import Mapping

from device_profiles.schema import Profile
from device_profiles.site_model import Site
from gateway.birth import devices_of

# Measured with packs of a full pole (docs/spool.md). A pack is written each second in which something is to be told.
READING_BYTES = 50  # with the names of its device and its point
PACK_BYTES = 70


def planned_hours(site: Site, node: str, profiles: Mapping[str, Profile]) -> tuple[float, float]:
    """(least, most): every point changes at every poll; no point changes, and each is told once a silence."""
    used = [profiles[profile] for _, _, profile in devices_of(site, node)]
    groups = [(profile.polls[point.poll].every, profile.polls[point.poll].silence)
              for profile in used for point in profile.points.values()]  # fmt: skip
    room = site.gateways[node].spool_megabytes << 20
    busiest = sum(1 / every for every, _ in groups)
    quietest = sum(1 / max(every, silence) for every, silence in groups)
    return room / bytes_a_second(busiest) / 3600, room / bytes_a_second(quietest) / 3600


def bytes_a_second(readings: float) -> float:
    """Readings a second -> bytes a second of the spool."""
    return readings * READING_BYTES + min(1.0, readings) * PACK_BYTES
