"""Runs to InfluxDB's line protocol, time in nanoseconds.

Escapes as in InfluxData's "Line protocol" reference: comma, space and = in tags and field keys, quote and backslash in
field strings. Every number is a float, so that a field never changes its type.
"""

from itertools import chain

import msgspec

from ingest.rows import Bad, Ledger, Place, Rule, Run, Shape, Value

# Names follow wire.names, so nothing in them needs an escape; a profile's code or text may hold anything.
_KEY = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\n"})
_STRING = str.maketrans({"\\": r"\\", '"': r"\""})
NS = 1_000_000  # in a millisecond: numbers of packs that its nanoseconds can tell
_digits = msgspec.json.Encoder().encode  # as repr() has them; true and false are those of line protocol


def encode(runs: list[Run], ledgers: list[Ledger]) -> bytes:
    """A line for each run, for each bad quality in it, and for each pack. Raises UnicodeEncodeError."""
    # All at once: a third of the time goes into digits, and msgspec finds the shortest ones sooner.
    plain = list(chain.from_iterable([values for _, _, _, values, plain in runs if plain]))
    digits = tuple(_digits(plain).decode()[1:-1].split(","))
    out: list[str] = []
    at = 0
    for place, shape, time_ms, values, has_digits in runs:
        if has_digits:
            end = at + len(values)
            out.append((shape.line or _line(shape)) % (place.tags or tags_of(place), *digits[at:end], time_ms))
            at = end
        else:
            out += _mixed(place, shape, time_ms, values)
    return "\n".join([*out, *map(_pack, ledgers)]).encode()


def readings_of_lines(runs: list[Run]) -> list[list[int]]:
    """Positions of the readings that stand in each line of `encode`, in its order."""
    out: list[list[int]] = []
    at = 0
    for _, _, _, values, _ in runs:
        bad = [at + place for place, value in enumerate(values) if type(value) is Bad]
        good = [place for place in range(at, at + len(values)) if place not in bad]
        out += [[place] for place in bad]
        if good:
            out.append(good)
        at += len(values)
    return out


def tags_of(place: Place) -> str:
    """From the first comma on; kept with the place. In the order of their names, or the server sorts them each time
    (InfluxData, "Optimize writes")."""
    place.tags = f",area={key(place.area)},device={key(place.device)},pole={key(place.pole)}"
    return place.tags


def _line(shape: Shape) -> str:
    """A line without tags, digits and time."""
    function, *points = (key(name).replace("%", "%%") for name in (shape.function, *(r.point for r in shape.rules)))
    shape.line = f"{function}%s {','.join(f'{point}=%s' for point in points)} %d000000"
    return shape.line


def _mixed(place: Place, shape: Shape, time_ms: int, values: list[Value]) -> list[str]:
    out: list[str] = []
    fields: list[str] = []
    for rule, value in zip(shape.rules, values, strict=True):
        if type(value) is Bad:
            out.append(_quality(place, rule, time_ms, value))
        else:
            fields.append(f"{key(rule.point)}={_string(value) if type(value) is str else _digits(value).decode()}")
    if fields:
        out.append(f"{key(shape.function)}{place.tags or tags_of(place)} {','.join(fields)} {time_ms}000000")
    return out


def _quality(place: Place, rule: Rule, time_ms: int, code: str) -> str:
    tags = place.tags or tags_of(place)
    return f"quality{tags},function={key(rule.function)},point={key(rule.point)} code={_string(code)} {time_ms}000000"


def key(text: str) -> str:
    """A measurement, tag or field key, or a tag's value."""
    if " " in text or "," in text or "=" in text or "\n" in text:
        return text.translate(_KEY)
    return text  # as nearly all do: to look costs a tenth of to translate


def _string(text: str) -> str:
    return f'"{text.translate(_STRING)}"'


def pack_line(pack: Ledger, *, number: str, tag: str = "", ns: int = 0) -> str:
    """number: the field that tells it, with its comma, where one does; tag: one more, with its comma; ns: what is added
    to the pack's time."""
    refused = f",refused={pack.refused}i" if pack.refused else ""
    tags = f"area={pack.area},ep={pack.epoch}{tag},node={pack.node}"  # which have nothing to escape
    fields = f"{number}readings={pack.readings}i,latency_ms={pack.latency_ms}i{refused}"
    return f"pack,{tags} {fields} {pack.time_ms}{ns:06d}"


def _pack(pack: Ledger) -> str:
    # Two packs of a node may have one time, and would be one point: the nanoseconds tell them apart, and tell the
    # number too. Each field that the ledger has costs an InfluxDB of many nodes a tenth of what their readings do, and
    # a tag of its own (sixteen series of each node) cost more than all readings.
    number = "" if pack.number < NS else f"sq={pack.number}i,"
    return pack_line(pack, number=number, ns=pack.number % NS)
