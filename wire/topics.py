"""MQTT topics: `poles/{area}/{node}/{up|down}/{channel}`."""

from wire.errors import TopicError, shown
from wire.names import NAME_RULE, is_name

ROOT = "poles"

# channel -> (QoS, retained)
UP = {
    "status": (1, True),
    "birth": (1, True),
    "event": (1, False),
    "telemetry": (1, False),
    "backfill": (1, False),
    "reply": (1, False),
    "fetch": (1, False),
}
DOWN = {
    "stored": (0, False),
    "command": (1, False),
    "config": (1, True),
    "release": (1, True),
    "chunk": (0, False),
}
PACK_CHANNELS = ("event", "telemetry", "backfill")


def up(area: str, node: str, channel: str) -> str:
    """Topic on which a node speaks."""
    return _join(area, node, "up", channel, UP)


def down(area: str, node: str, channel: str) -> str:
    """Topic on which a node listens."""
    return _join(area, node, "down", channel, DOWN)


def parse(topic: str) -> tuple[str, str, str, str]:
    """topic -> (area, node, "up" or "down", channel). Raises TopicError."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] != ROOT:
        raise TopicError("topic", "a topic is poles/area/node/up|down/channel, not %s" % shown(topic))
    area, node, direction, channel = parts[1], parts[2], parts[3], parts[4]
    _check_name(area, "area")
    _check_name(node, "node")
    if direction not in ("up", "down"):
        raise TopicError("topic", "direction is up or down, not %s" % shown(direction))
    _check_channel(channel, UP if direction == "up" else DOWN)
    return area, node, direction, channel


def _join(area: str, node: str, direction: str, channel: str, channels: dict[str, tuple[int, bool]]) -> str:
    _check_name(area, "area")
    _check_name(node, "node")
    _check_channel(channel, channels)
    return "/".join((ROOT, area, node, direction, channel))


def _check_name(text: str, what: str) -> None:
    if not is_name(text):
        raise TopicError("topic", "%s is %s; not %s" % (what, NAME_RULE, shown(text)))


def _check_channel(channel: str, channels: dict[str, tuple[int, bool]]) -> None:
    if channel not in channels:
        raise TopicError("topic", "channel is one of %s; not %s" % (", ".join(sorted(channels)), shown(channel)))
