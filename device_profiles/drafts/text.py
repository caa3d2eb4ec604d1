"""The text of a new profile: from the rows of a register table, or from a like device's file."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device_profiles import units
from device_profiles.drafts.choice import Chosen, choose, scale_of
from device_profiles.drafts.placeholders import MARK, WHAT
from device_profiles.drafts.table import RegisterTable, Row
from device_profiles.problems import FileProblem
from device_profiles.schema import FUNCTIONS, WORDS, Labels, Point, Profile, duration_text
from device_profiles.vocabulary import vocabulary

NOTE = "#:"  # so that all of the draft's comments can be deleted at once
SURE = 0.99
POLLS = {  # group -> every, silence
    "live": ("10s", "5m"), "totals": ("60s", "15m"), "settings": ("15m", "6h"),
}  # fmt: skip
_TOP = re.compile(r"^([a-z_]+):")
_COUNTING = ("kWh", "kvarh", "kVAh", "Wh", "varh", "m3", "h", "B")


@dataclass(frozen=True, kw_only=True)
class Head:
    """What only the author knows; None is left as a placeholder."""

    name: str
    function: str
    maker: str | None = None
    model: str | None = None
    source: str | None = None
    verified: str | None = None
    caveat: str | None = None
    label_en: str | None = None
    label_zh: str | None = None
    modbus: Mapping[str, str | int] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """A value of the file, or its placeholder."""
        said: str | None = getattr(self, key)
        return quoted(said if said is not None else MARK + WHAT[key])


@dataclass(frozen=True, kw_only=True)
class Draft:
    """`taken` and `guessed` are names of points; `left_out` tells line and reason."""

    text: str
    taken: tuple[str, ...]
    own: tuple[str, ...]
    left_out: tuple[tuple[int, str], ...] = ()


def from_table(head: Head, table: RegisterTable, likes: Sequence[Profile], *, known_only: bool = False) -> Draft:
    """A profile of a register table. Ranges, deadbands and emulated values come from like devices' same points.

    Raises FileProblem where nothing is left of the table.
    """
    chosen, left_out = choose(head.function, table.rows, likes, known_only)
    if not chosen:
        raise FileProblem("no register of the table becomes a point: they are settings, or no standard points")
    names = {each.name: each for each in chosen}
    lines = [
        *_heading(head), "protocol: modbus", f"modbus: {{{_modbus(head)}}}", "polls:",
        *(f"  {group}: {{every: {POLLS[group][0]}, silence: {POLLS[group][1]}}}" for group in _groups(chosen)),
        "points:",
        *(line for each in chosen for line in _point(each)),
        *_footer([*left_out, *table.skipped]),
    ]  # fmt: skip
    own = tuple(name for name, each in names.items() if each.match is None)
    return Draft(text="\n".join(lines) + "\n", taken=tuple(names), own=own, left_out=(*left_out, *table.skipped))


def from_like(head: Head, path: Path) -> Draft:
    """A like device's file with a new head; what stands in points and commands is for the author to change."""
    sections = _sections(path.read_text(encoding="utf-8"))
    points = re.findall(r'^  "?([a-z][a-z0-9_]*)"?:', sections.get("points", ""), re.M)
    given = {
        "profile": f"profile: {head.name}\n", "version": "version: 1\n", "maker": f"maker: {head.text('maker')}\n",
        "model": f"model: {head.text('model')}\n", "source": f"source: {head.text('source')}\n",
        "verified": f"verified: {head.text('verified')}\n", "caveats": f"caveats:\n  - {head.text('caveat')}\n",
    }  # fmt: skip
    if head.label_en or head.label_zh:
        given["labels"] = _labels_line(head)
    sections.setdefault("caveats", "")
    out = [given.get(key, text) for key, text in _ordered(sections)]
    note = f"{NOTE} copied from {path.stem}: compare each point with the manual, delete what is not there"
    text = "".join(out).replace("\npoints:\n", f"\n{note}\npoints:\n", 1)
    for key, wanted in head.modbus.items():
        text = re.sub(rf"(?m)(^modbus: .*\b{key}: )[\w.]+", rf"\g<1>{wanted}", text)
    return Draft(text=text, taken=tuple(points), own=())


def quoted(text: str) -> str:
    """A text as YAML reads it back, plain where that is safe."""
    plain = re.fullmatch(r"[A-Za-z一-鿿][^:#\[\]{},&*!|>'\"%@`]*", text) and text.strip() == text
    return text if plain and text.lower() not in ("true", "false", "null") else json.dumps(text, ensure_ascii=False)


def _heading(head: Head) -> list[str]:
    return [
        "# yaml-language-server: $schema=../profile.schema.json",
        f"profile: {head.name}", "version: 1", f"function: {head.function}", f"maker: {head.text('maker')}",
        f"model: {head.text('model')}", _labels_line(head).rstrip(), f"source: {head.text('source')}",
        f"verified: {head.text('verified')}", "caveats:", f"  - {head.text('caveat')}",
    ]  # fmt: skip


def _labels_line(head: Head) -> str:
    en = head.label_en or MARK + WHAT["en"]
    zh = head.label_zh or MARK + WHAT["zh"]
    return f"labels: {{en: {quoted(en)}, zh: {quoted(zh)}}}\n"


def _modbus(head: Head) -> str:
    settings: dict[str, str | int] = {"unit": 1, "baud": 9600, "parity": "none", "stop_bits": 1, "block": 60}
    return ", ".join(f"{key}: {value}" for key, value in (settings | dict(head.modbus)).items())


def _groups(chosen: Sequence[Chosen]) -> list[str]:
    used = {_group(each) for each in chosen}
    return [group for group in POLLS if group in used]


def _group(each: Chosen) -> str:
    if each.match is None and each.row.writable and each.row.table == "holding":
        return "settings"
    return "totals" if (each.match.standard.unit if each.match else each.row.unit) in _COUNTING else "live"


def _point(each: Chosen) -> list[str]:
    row, match = each.row, each.match
    unit = match.standard.unit if match else _own_unit(row.unit)
    labels = match.standard.labels if match else _labels(row)
    out = [
        f"  {NOTE} line {row.line}: {row.said}",
        *(f"  {NOTE} {doubt}" for doubt in _doubts(each)),
        f"  {each.name if each.name not in ('on', 'off', 'no', 'yes') else json.dumps(each.name)}:",
        f"    labels: {{en: {quoted(labels.en)}, zh: {quoted(labels.zh)}}}",
    ]  # fmt: skip
    if unit:
        out.append(f"    unit: {quoted(unit)}")
    if match is None:
        out.append("    own: true")
    out.append(f"    at: {_at(row, scale_of(row, unit))}")
    if match is not None and match.standard.values:
        out.append(
            f"    values: {{{', '.join(f'{code}: {quoted(text)}' for code, text in match.standard.values.items())}}}"
        )
    like = each.like[1] if each.like else None
    out.extend(_from_like(like))
    out.append(f"    poll: {_group(each)}")
    moves = _emulate(like) if like is not None and like.emulate is not None else "{around: 0}"
    return [*out, f"    emulate: {moves}"]


def _doubts(each: Chosen) -> Iterator[str]:
    """What the author should look at."""
    if each.match is None:
        written = "; it can be written" if each.row.writable else ""
        yield f"no standard point is near: docs/vocabulary.md lists them{written}"
    elif each.match.score < SURE:
        yield f"a guess: {each.match.score:.0%} of the words agree"
    if each.match is not None and each.match.standard.unit and not each.row.unit:
        yield f"the unit is taken to be {each.match.standard.unit}"
    if each.like is not None:
        yield f"range and emulation as in {each.like[0]}"
    else:
        yield "write a range, and a usual value for the emulated device"


def _own_unit(unit: str) -> str:
    """The maker's unit, or the SenML one that it can be scaled to."""
    if unit in units.SENML or not unit:
        return unit
    return next((known for known in sorted(units.SENML) if units.factor(unit, known) is not None), "")


def _labels(row: Row) -> Labels:
    """The maker's words; the other language is only known where some function has a point of just that label."""
    for function in FUNCTIONS:
        for standard in vocabulary().functions[function].values():
            if row.name.lower() in (standard.labels.en.lower(), standard.labels.zh):
                return standard.labels
    if row.name.isascii():
        return Labels(en=row.name, zh=f"{MARK}“{row.name}”, in Chinese (简体中文)")
    return Labels(en=f"{MARK}“{row.name}”, in English", zh=row.name)


def _at(row: Row, scale: float) -> str:
    parts = [f"table: {row.table}", f"address: {f'0x{row.address:04X}' if row.hexadecimal else row.address}"]
    if row.bit is not None:
        parts.append(f"bit: {row.bit}")
    elif row.type != "bool":
        parts.append(f"type: {row.type}")
    if WORDS[row.type] > 1 and row.word_order == "low_first":
        parts.append("word_order: low_first")
    if scale != 1:
        parts.append(f"scale: {scale:.12g}")
    return f"{{{', '.join(parts)}}}"


def _from_like(like: Point | None) -> list[str]:
    if like is None:
        return []
    out = [f"    range: [{like.range[0]:.12g}, {like.range[1]:.12g}]"] if like.range else []
    return [*out, f"    deadband: {like.deadband:.12g}"] if like.deadband else out


def _emulate(like: Point) -> str:
    assert like.emulate is not None
    said = like.emulate.model_dump(exclude_unset=True, exclude={"texts"})
    words = {key: duration_text(value) if key == "period" else f"{value:.12g}" for key, value in said.items()}
    return f"{{{', '.join(f'{key}: {word}' for key, word in words.items())}}}"


def _footer(left_out: Sequence[tuple[int, str]]) -> list[str]:
    if not left_out:
        return []
    return [f"{NOTE} Not taken from the table:", *(f"{NOTE}   line {line}, {why}" for line, why in sorted(left_out))]


def _sections(text: str) -> dict[str, str]:
    """A profile's text by its top-level keys; what stands above the first one is ""."""
    out: dict[str, str] = {"": ""}
    key = ""
    for line in text.splitlines(keepends=True):
        top = _TOP.match(line)
        key = top[1] if top else key
        out[key] = out.get(key, "") + line
    return out


def _ordered(sections: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """As they stand, but caveats after verified, where they were added."""
    for key, text in sections.items():
        if (key == "caveats" and not text) or key == "variant_of":
            continue
        yield key, text
        if key == "verified" and not sections["caveats"]:
            yield "caveats", ""
