"""PromQL over what ingest's `/metrics` tells. Several workers are one ingest: their counters are added up.

What every worker knows (the nodes' statuses) is told by each, and the largest counts.
"""

_PREFIX = "multipole_ingest_"
JOB = "multipole-ingest"  # as compose/prometheus.yaml scrapes it
WINDOW = "$__rate_interval"


def rate(counter: str, *, where: str = "", by: str = "", times: int = 1) -> str:
    """How fast a counter grows in a second (times=60: in a minute), in all or by a label. where: as reason="unit"."""
    chosen = f"{_PREFIX}{counter}_total{f'{{{where}}}' if where else ''}"
    grown = f"sum{f' by ({by}) ' if by else ''}(rate({chosen}[{WINDOW}]))"
    return grown if times == 1 else f"{times} * {grown}"


def above_zero(query: str) -> str:
    """The same without the series that are zero: a legend of all that did not happen helps nobody."""
    return f"({query}) > 0"


def quantile(share: float, histogram: str) -> str:
    """The value that this share of what was observed lies below."""
    return f"histogram_quantile({share}, sum by (le) (rate({_PREFIX}{histogram}_bucket[{WINDOW}])))"


def total(gauge: str, *, by: str = "") -> str:
    """A gauge of which each worker has a part."""
    return f"sum{f' by ({by}) ' if by else ''}({_PREFIX}{gauge})"


def largest(gauge: str) -> str:
    """A gauge that every worker tells of the same."""
    return f"max({_PREFIX}{gauge})"


def age(gauge: str) -> str:
    """Seconds since the time that a gauge tells."""
    return f"time() - {largest(gauge)}"


def share(part: str, whole: str) -> str:
    """0 to 1."""
    return f"{total(part)} / {total(whole)}"


def cpu() -> str:
    """Cores that the processes use."""
    return f'sum by (worker) (rate(process_cpu_seconds_total{{job="{JOB}"}}[{WINDOW}]))'


def memory() -> str:
    """Bytes of memory that the processes hold."""
    return f'sum by (worker) (process_resident_memory_bytes{{job="{JOB}"}})'
