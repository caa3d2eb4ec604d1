"""How long a spool lasts while nothing is confirmed: a site's plan IN, hours OUT."""

from collections.abc import Mapping

from device_profiles.schema import Profile
from device_profiles.site_model import Site
from gateway.birth import devices_of

# With the names of devices and points, and the row: 51 to 56 in the packs of a full pole, 61 in one of six readings.
READING_BYTES = 70


def planned_hours(site: Site, node: str, profiles: Mapping[str, Profile]) -> tuple[float, float]:
    """(least, most): every point changes at every poll; no point changes, and each is told once a silence."""
    used = [profiles[profile] for _, _, profile in devices_of(site, node)]
    groups = [(profile.polls[point.poll].every, profile.polls[point.poll].silence)
              for profile in used for point in profile.points.values()]  # fmt: skip
    readings = (site.gateways[node].spool_megabytes << 20) / READING_BYTES
    busiest = sum(1 / every for every, _ in groups)
    quietest = sum(1 / max(every, silence) for every, silence in groups)
    return readings / busiest / 3600, readings / quietest / 3600
