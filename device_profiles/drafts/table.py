"""A maker's register table: a CSV file comes IN, its rows go OUT, each with the line where it stands."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device_profiles.drafts import cells
from device_profiles.drafts.columns import REQUIRED, columns, is_hexadecimal, plain
from device_profiles.problems import FileProblem
from device_profiles.schema import BIT_TABLES, WORDS, Table

ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = (",", ";", "\t", "|")
HEADER_WITHIN = 20  # lines; a title and remarks may stand above
MOST_BYTES = 4 << 20
_EMPTY_NAMES = re.compile(r"(reserved?|spare|unused|not used|n/?a|[-—_./ ]*|保留|预留|备用|空)", re.I)
_NO_NUMBER = re.compile(r"ascii|string|char|^str|text|bcd|date|time|bitmap|enum\[|字符|字串|日期|时间", re.I)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One register, or several that hold one value. `line` is the file's; `scale` is raw -> the maker's unit."""

    line: int
    name: str
    short: str  # the maker's own abbreviation, where there is one
    table: Table
    address: int
    type: str
    word_order: str | None
    unit: str
    scale: float
    bit: int | None
    writable: bool
    hexadecimal: bool  # how the maker writes the address
    said: str  # the row's own words, for a comment


@dataclass(frozen=True, kw_only=True)
class RegisterTable:
    """`skipped`: line and why. `numbering`: in a sentence, how the addresses were read."""

    rows: tuple[Row, ...]
    skipped: tuple[tuple[int, str], ...]
    numbering: str


@dataclass(kw_only=True)
class _Reading:
    """What is known while a file is read."""

    path: Path
    place: dict[str, int]
    hexadecimal: bool
    table: Table | None
    base: int | None
    order: str | None
    problems: list[str] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    numbered: bool = False


def read(
    path: Path, *, table: Table | None = None, base: int | None = None, word_order: str | None = None
) -> RegisterTable:
    """The rows of a maker's table. table: where no column tells it; base: the number of the first register, 0 or 1.

    Raises FileProblem with a message for each bad line.
    """
    lines = list(_lines(path))
    head, place = _header(path, lines)
    reading = _Reading(
        path=path, place=place, hexadecimal=is_hexadecimal(lines[head][1][place["address"]]), table=table, base=base,
        order=word_order,
    )  # fmt: skip
    raw = [(line, cells) for line, cells in lines[head + 1 :] if any(cell.strip() for cell in cells)]
    found = list(_addressed(reading, raw))
    reading.numbered = base != 0 and _is_numbered(reading, found)
    rows = [row for line, cells_, where in found if (row := _row(reading, line, cells_, where)) is not None]
    _refuse_overlaps(reading, rows)
    if reading.problems:
        raise FileProblem(reading.problems)
    if not rows:
        raise FileProblem(f"{path}: the table has no register below its header (line {lines[head][0]}).")
    return RegisterTable(rows=tuple(rows), skipped=tuple(reading.skipped), numbering=_numbering(reading))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line from 1, cells) of a file in UTF-8 or GB18030, with commas, semicolons, tabs or bars."""
    try:
        data = path.read_bytes()[: MOST_BYTES + 1]
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror}. Check the path and its permissions.") from None
    if len(data) > MOST_BYTES:
        raise FileProblem(f"{path}: larger than {MOST_BYTES >> 20} MiB: this is no register table.")
    text = _decoded(path, data)
    if not text.strip():
        raise FileProblem(f"{path}: the file is empty.")
    start = "\n".join(text.splitlines()[:HEADER_WITHIN])
    delimiter = max(DELIMITERS, key=start.count)
    if not start.count(delimiter):
        raise FileProblem(f"{path}:1: no columns: separate them by commas, semicolons or tabs.")
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise FileProblem(f"{path}:{reader.line_num}: this is not CSV: {error}.") from None


def _decoded(path: Path, data: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileProblem(f"{path}: neither UTF-8 nor GB18030. Save the table again as CSV (UTF-8).")


def _header(path: Path, lines: Sequence[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    """Which line is the header, and what its columns hold."""
    for index, (_, row) in enumerate(lines[:HEADER_WITHIN]):
        place = columns(row)
        if all(column in place for column in REQUIRED):
            return index, place
    line, row = max(lines[:HEADER_WITHIN], key=lambda each: len(columns(each[1])))
    missing = " and ".join(column for column in REQUIRED if column not in columns(row))
    shown = ", ".join(cell for cell in row if cell)
    raise FileProblem(
        f"{path}:{line}: no column holds the {missing}. The header must name it, as in `address,name,type,unit,scale` "
        f"or `寄存器地址,名称,数据类型,单位,倍率`; this line has {shown[:120]}."
    )


def _cell(reading: _Reading, row: Sequence[str], column: str) -> str:
    place = reading.place.get(column)
    return row[place] if place is not None and place < len(row) else ""


def _addressed(
    reading: _Reading, raw: Sequence[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str], cells.Address]]:
    for line, row in raw:
        text, name = _cell(reading, row, "address"), _cell(reading, row, "name")
        if not text and sum(1 for cell in row if cell) <= 2:
            continue  # a caption between the rows
        if plain(text) and plain(text) == plain(name):
            continue  # a caption that spreadsheets repeat in merged cells
        if _EMPTY_NAMES.fullmatch(name):
            reading.skipped.append((line, f"{text or 'no address'}: {name or 'no name'}"))
            continue
        try:
            yield line, row, cells.address(text, hexadecimal=reading.hexadecimal)
        except ValueError as error:
            reading.problems.append(f"{reading.path}:{line}: address: {error}.")


def _is_numbered(reading: _Reading, found: Sequence[tuple[int, list[str], cells.Address]]) -> bool:
    """True where the addresses are 30001 and 40001 as manuals number registers, and no function code contradicts."""
    for _, row, where in found:
        numbered = cells.numbered_table(where.number, where.digits)
        told = _told_table(reading, row)
        if numbered is None or (told is not None and told != numbered[0]):
            return False
    return bool(found)


def _told_table(reading: _Reading, row: Sequence[str]) -> Table | None:
    text = _cell(reading, row, "function")
    try:
        return cells.table(text) if text else reading.table
    except ValueError:
        return None


def _row(reading: _Reading, line: int, row: Sequence[str], where: cells.Address) -> Row | None:
    """One line; None, with the reason kept, where it holds no number or cannot be read."""
    name, kind = _cell(reading, row, "name"), _cell(reading, row, "type")
    if _NO_NUMBER.search(kind):
        reading.skipped.append((line, f"{name}: '{kind}' is no number"))
        return None
    column = "address"
    try:
        table, address = _location(reading, row, where)
        column = "count"
        count = _count(_cell(reading, row, "count")) or where.span
        column = "type"
        chosen = "bool" if table in BIT_TABLES else cells.number_type(kind, count)
        column = "bit"
        bit = _bit(_cell(reading, row, "bit"), table, chosen)
        column = "word order"
        order = cells.word_order(_cell(reading, row, "order")) or cells.word_order(kind) or reading.order
        column = "scale"
        scale, beside = _scale(reading, row)
    except ValueError as error:
        reading.problems.append(f"{reading.path}:{line}: {column}: {error}.")
        return None
    is_bit = bit is not None or chosen == "bool"
    unit = "" if is_bit else cells.unit(_cell(reading, row, "unit") or beside)
    said = ", ".join(" ".join(cell.split()) for cell in row if cell)
    return Row(
        line=line, name=" ".join(name.split()), short=_cell(reading, row, "short"), table=table, address=address,
        type="bool" if bit is not None else chosen, word_order=order if WORDS[chosen] > 1 else None, unit=unit,
        scale=scale, bit=bit, writable=cells.is_writable(_cell(reading, row, "access")), said=said,
        hexadecimal=reading.hexadecimal or where.digits == 0,
    )  # fmt: skip


def _location(reading: _Reading, row: Sequence[str], where: cells.Address) -> tuple[Table, int]:
    """The table and the address in the frame. Raises ValueError."""
    text = _cell(reading, row, "function")
    table = where.table or (cells.table(text) if text else reading.table)
    number = where.number
    if where.table is not None and reading.base is None:
        number -= 1  # 4x0001 is the first
    elif reading.numbered:
        numbered = cells.numbered_table(number, where.digits)
        assert numbered is not None
        table, number = numbered[0], numbered[1] - 1
    else:
        number -= reading.base or 0
    if table is None:
        raise ValueError(
            f"{where.number} may stand in any table: add a column `function code`, or say --table holding (function 3) "
            "or --table input (function 4)"
        )
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"{where.number} is address {number} in the frame, which has 0 to 65535: check --base")
    return table, number


def _count(text: str) -> int:
    """How many registers, as `2`, `2 words`, `4 bytes`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,3})\s*(bytes?|字节|registers?|regs?|words?|字|个)?", text.strip().lower())
    if not text.strip() or text.strip() in ("-", "/"):
        return 0
    if not found:
        raise ValueError(f"'{text}' is no number of registers")
    return int(found[1]) // 2 if found[2] and found[2].startswith(("byte", "字节")) else int(found[1])


def _bit(text: str, table: Table, kind: str) -> int | None:
    found = re.fullmatch(r"(?:bit\s*)?(\d{1,2})", text.strip().lower())
    if found and table not in BIT_TABLES:
        if int(found[1]) > 15:
            raise ValueError(f"'{text}': a register has the bits 0 to 15")
        return int(found[1])
    if kind == "bool" and table not in BIT_TABLES:
        raise ValueError(f"a bool in a {table} register needs its bit: add a column `bit` (0 to 15)")
    return None


def _scale(reading: _Reading, row: Sequence[str]) -> tuple[float, str]:
    if divisor := _cell(reading, row, "divisor"):
        number, beside = cells.factor(divisor)
        return 1 / number, beside
    return cells.factor(_cell(reading, row, "scale"))


def _refuse_overlaps(reading: _Reading, rows: Sequence[Row]) -> None:
    taken: dict[tuple[str, int], Row] = {}
    for row in rows:
        for place in range(row.address, row.address + WORDS[row.type]):
            other = taken.setdefault((row.table, place), row)
            if other is not row and (other.bit is None or row.bit is None or other.bit == row.bit):
                reading.problems.append(
                    f"{reading.path}:{row.line}: address: {row.table} {row.address} ({row.type}) overlaps line "
                    f"{other.line}, '{other.name}' at {other.address} ({other.type}). Check type and address of both."
                )
                break


def _numbering(reading: _Reading) -> str:
    if reading.numbered:
        return "addresses are numbered as 30001 and 40001: the first register is 0 in the frame"
    written = "hexadecimal" if reading.hexadecimal else "as they stand"
    first = f", and register {reading.base} is 0 in the frame" if reading.base else ""
    return f"addresses are read {written}{first}"
