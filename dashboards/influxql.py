"""The overview's queries: InfluxQL, which InfluxDB 1, 2 and 3 all answer. Grafana puts in what starts with a $.

Measurements and tags are those that ingest writes: one measurement a function with the tags area, pole and device;
`quality` for readings without a value; `pack` for the packs, with the tags area and node.
"""

AREA = '"area" =~ /^${area:regex}$/'
POLE = f'{AREA} AND "pole" =~ /^${{pole:regex}}$/'
EVERY_AREA = 'SHOW TAG VALUES WITH KEY = "area"'
EVERY_POLE = f'SHOW TAG VALUES WITH KEY = "pole" WHERE {AREA}'

_EACH_DEVICE = 'GROUP BY time($__interval), "pole", "device" fill(none)'
_EACH_NODE = 'GROUP BY time($__interval), "node" fill(0)'  # a node that is silent stands at 0
_RATE = 'sum("readings") * 1000 / $__interval_ms'


def values(function: str, point: str, pick: str) -> str:
    """A point of each device over time; pick is mean for quantities and last for states."""
    return f'SELECT {pick}("{point}") FROM "{function}" WHERE {POLE} AND $timeFilter {_EACH_DEVICE}'


def growth(function: str, point: str, time: str = "1m") -> str:
    """How much a total of each device grows in a time; a restart, which begins at 0 again, is left out."""
    rate = f'non_negative_derivative(max("{point}"), {time})'
    return f'SELECT {rate} FROM "{function}" WHERE {POLE} AND $timeFilter {_EACH_DEVICE}'


def latest(function: str, point: str, name: str) -> str:
    """The last value of a point at each pole, as a table."""
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    return f'SELECT last("{point}") AS "{quoted}" FROM "{function}" WHERE {POLE} AND $timeFilter GROUP BY "pole"'


def poles(function: str, point: str) -> str:
    """How many poles told this point."""
    each = f'SELECT last("{point}") AS "value" FROM "{function}" WHERE {POLE} AND $timeFilter GROUP BY "pole"'
    return f'SELECT count("value") FROM ({each})'


def packs() -> str:
    """How many packs were stored."""
    return _packs('count("readings")')


def age(share: int) -> str:
    """The age (ms) of a pack's oldest reading when it was stored, which this share (%) of the packs stayed within."""
    return _packs(f'percentile("latency_ms", {share})')


def age_over_time(share: int) -> str:
    """The same in each interval."""
    return f"{age(share)} GROUP BY time($__interval) fill(none)"


def rate() -> str:
    """Readings stored per second, in each interval."""
    return f"{_packs(_RATE)} GROUP BY time($__interval) fill(0)"


def rate_of_nodes() -> str:
    """The same of each node."""
    return f"{_packs(_RATE)} {_EACH_NODE}"


def packs_of_nodes() -> str:
    """Packs stored per minute, of each node."""
    per_minute = 'count("readings") * 60000 / $__interval_ms'
    return f"{_packs(per_minute)} {_EACH_NODE}"


def refused_of_nodes() -> str:
    """Readings that ingest refused, of each node."""
    refused = 'sum("refused")'
    return f"{_packs(refused)} {_EACH_NODE}"


def qualities() -> str:
    """How many readings had no value."""
    return f'SELECT count("code") FROM "quality" WHERE {POLE} AND $timeFilter'


def qualities_of(code: str) -> str:
    """The same in each interval for one reason, a code or a regular expression between slashes."""
    match = f"=~ {code}" if code.startswith("/") else f"= '{code}'"
    return f'{qualities()} AND "code" {match} GROUP BY time($__interval) fill(none)'


def latest_qualities() -> str:
    """The last reason of each point that had one, as a table."""
    tags = '"pole", "device", "function", "point"'
    return f'SELECT last("code") AS "reason" FROM "quality" WHERE {POLE} AND $timeFilter GROUP BY {tags}'


def _packs(select: str) -> str:
    return f'SELECT {select} FROM "pack" WHERE {AREA} AND $timeFilter'
