"""Rows to InfluxDB's line protocol, time in milliseconds.

Escapes as in InfluxData's "Line protocol" reference: comma, space and = in tags and field keys, quote and backslash in
field strings. Every number is a float, so that a field never changes its type.
"""

import msgspec

from ingest.rows import LANES, Ledger, Place, Reading, Rule

# Names follow wire.names, so nothing in them needs an escape; a profile's code or text may hold anything.
_KEY = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\n"})
_STRING = str.maketrans({"\\": r"\\", '"': r"\""})
_digits = msgspec.json.Encoder().encode  # as repr() has them; true and false are those of line protocol


def encode(readings: list[Reading], ledgers: list[Ledger]) -> bytes:
    """A line for each device and instant, for each bad quality and for each pack. Raises UnicodeEncodeError."""
    out: list[str] = []
    fields: list[str] = []
    place_now, function_now, time_now = None, "", -1
    # All numbers at once: a third of the time goes into their digits, and msgspec finds the shortest ones sooner.
    told = _digits([0.0 if type(reading[3]) is str else reading[3] for reading in readings]).decode()[1:-1].split(",")
    for (place, rule, time_ms, value, quality), text in zip(readings, told, strict=False):
        if quality is not None:
            out.append(_quality(place, rule, time_ms, quality))
            continue
        if place is not place_now or time_ms != time_now or rule.function != function_now:
            if place_now is not None:
                out.append(f"{_head(place_now, function_now)} {','.join(fields)} {time_now}")
            place_now, function_now, time_now = place, rule.function, time_ms
            fields = []
        fields.append((rule.field or _named(rule)) + (_string(value) if type(value) is str else text))
    if place_now is not None:
        out.append(f"{_head(place_now, function_now)} {','.join(fields)} {time_now}")
    return "\n".join([*out, *map(_pack, ledgers)]).encode()


def rows_of_lines(readings: list[Reading]) -> list[list[int]]:
    """Positions of the readings that stand in each line of `encode`, in its order."""
    out: list[list[int]] = []
    line: list[int] = []
    open_now: tuple[Place, str, int] | None = None
    for position, (place, rule, time_ms, _, quality) in enumerate(readings):
        if quality is not None:
            out.append([position])
            continue
        if open_now is None or place is not open_now[0] or (rule.function, time_ms) != open_now[1:]:
            if line:
                out.append(line)
            open_now, line = (place, rule.function, time_ms), []
        line.append(position)
    return [*out, line] if line else out


def _head(place: Place, function: str) -> str:
    """Measurement and tags; kept with the place."""
    head = place.heads.get(function)
    if head is None:
        head = f"{key(function)},area={key(place.area)},pole={key(place.pole)},device={key(place.device)}"
        place.heads[function] = head
    return head


def _named(rule: Rule) -> str:
    rule.field = f"{key(rule.point)}="
    return rule.field


def _quality(place: Place, rule: Rule, time_ms: int, code: str) -> str:
    tags = f"area={key(place.area)},pole={key(place.pole)},device={key(place.device)}"
    return f"quality,{tags},function={key(rule.function)},point={key(rule.point)} code={_string(code)} {time_ms}"


def key(text: str) -> str:
    """A measurement, tag or field key, or a tag's value."""
    if " " in text or "," in text or "=" in text or "\n" in text:
        return text.translate(_KEY)
    return text  # as nearly all do: to look costs a tenth of to translate


def _string(text: str) -> str:
    return f'"{text.translate(_STRING)}"'


def _pack(pack: Ledger) -> str:
    # a topic's names and an epoch have nothing to escape
    tags = f"area={pack.area},node={pack.node},ep={pack.epoch},lane={pack.number % LANES}"
    fields = f"sq={pack.number}i,readings={pack.readings}i,refused={pack.refused}i,latency_ms={pack.latency_ms}i"
    return f"pack,{tags} {fields} {pack.time_ms}"
