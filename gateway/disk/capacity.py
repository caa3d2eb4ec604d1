"""How long a spool lasts while nothing is confirmed: a site's plan IN, hours OUT."""

from collections.abc import Mapping

from device_profiles.schema import Profile
from device_profiles.site_model import Site
from gateway.birth import OWN_PROFILE

# 42 bytes in a pack of 100 readings of one device, 61 in one of six: the names of devices and points, and the row.
READING_BYTES = 70


def planned_hours(site: Site, node: str, profiles: Mapping[str, Profile]) -> tuple[float, float]:
    """(least, most): every point changes at every poll; no point changes, and each is told once a silence."""
    used = [profiles[device.profile] for device in site.devices_of(node)] + [profiles[OWN_PROFILE]]
    groups = [(profile.polls[point.poll].every, profile.polls[point.poll].silence)
              for profile in used for point in profile.points.values()]  # fmt: skip
    readings = (site.gateways[node].spool_megabytes << 20) / READING_BYTES
    busiest = sum(1 / every for every, _ in groups)
    quietest = sum(1 / max(every, silence) for every, silence in groups)
    return readings / busiest / 3600, readings / quietest / 3600
