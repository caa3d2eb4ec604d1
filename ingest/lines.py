"""Rows to InfluxDB's line protocol, time in milliseconds.

Escapes as in InfluxData's "Line protocol" reference: comma, space and = in tags and field keys, quote and backslash in
field strings. Every number is a float, so that a field never changes its type.
"""

from ingest.rows import LANES, Ledger, Row

# Names follow wire.names, so nothing in them needs an escape; a profile's code or text may hold anything.
_KEY = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\n"})
_STRING = str.maketrans({"\\": r"\\", '"': r"\""})


def encode(rows: list[Row], ledgers: list[Ledger]) -> bytes:
    """A line for each device and instant, for each bad quality and for each pack. Raises UnicodeEncodeError."""
    lines: dict[tuple[str, str, str, str, int], list[str]] = {}
    qualities: list[str] = []
    for function, area, pole, device, point, time_ms, value, quality in rows:
        if quality is None:
            fields = lines.setdefault((function, area, pole, device, time_ms), [])
            fields.append(f"{key(point)}={_field(value)}")
        else:
            tags = f"area={key(area)},pole={key(pole)},device={key(device)},function={key(function)},point={key(point)}"
            qualities.append(f"quality,{tags} code={_field(quality)} {time_ms}")
    out = [
        f"{key(function)},area={key(area)},pole={key(pole)},device={key(device)} {','.join(fields)} {time_ms}"
        for (function, area, pole, device, time_ms), fields in lines.items()
    ]
    return "\n".join([*out, *qualities, *map(_pack, ledgers)]).encode()


def key(text: str) -> str:
    """A measurement, tag or field key, or a tag's value."""
    return text.translate(_KEY)


def _field(value: float | bool | str | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value.translate(_STRING)}"'
    return repr(value)


def _pack(pack: Ledger) -> str:
    tags = f"area={key(pack.area)},node={key(pack.node)},ep={key(pack.epoch)},lane={pack.number % LANES}"
    fields = f"sq={pack.number}i,readings={pack.readings}i,refused={pack.refused}i,latency_ms={pack.latency_ms}i"
    return f"pack,{tags} {fields} {pack.time_ms}"
