"""What the servers of line protocol say to a write, and whom they blame.

All good: 204 (200 without a word). Refused for good, though the other lines may be stored:
  InfluxDB 1  400 "partial write: field type conflict: input field "x" on measurement "air" is type string, already
              exists as type float dropped=2", "partial write: points beyond retention policy dropped=2", "unable to
              parse 'LINE': why"; only one of several reasons is told (observed on 1.6)
  InfluxDB 2  the same in {"code", "message"}: 422 and "failure writing points to database: partial write: …" where the
              other lines are stored, 400 and each unparsed line where nothing is; of too old points the bound that they
              are under: "dropped 2 points outside retention policy of duration 1h0m0s - oldest point KEY at T dropped
              because it violates a Retention Policy Lower Bound at T, newest … dropped=2 for database: …" (observed on
              2.7.12). What is dropped counts one week's shard only. 413, "at line 3:13: why" and {"line": 3} are of
              InfluxDB Cloud and proxies
  InfluxDB 3  400 {"error", "data": [{"line_number", "error_message", …}]}, of at most 100 lines; one object instead of
              the list where the write as a whole was refused (InfluxDB 3 Core, "Use the v3 write_lp API")
201 and 207 say that a part was taken. All else may pass, with the server's Retry-After (429, 503).
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, NamedTuple

from ingest import lines
from ingest.errors import Refused, Unavailable
from ingest.rows import Reading, Run, readings, together

REFUSED = (200, 201, 207, 400, 413, 422)
NOTHING_WRITTEN = "incoming write was empty"  # InfluxDB 3 to a probe, not in JSON (influxdb3_server/src/http.rs)
LONGEST_PAUSE_S = 300.0  # a server that asks for a day is tried before

_CONFLICT = re.compile(r'field type conflict: input field "(.+?)" on measurement "(.+?)" is type (\w+), already')
_UNPARSED = re.compile(r"unable to parse '(.*?)': ")
_AT_LINE = re.compile(r"\bat line (\d+)\b")
_COLUMN = re.compile(r"column '(.+?)'")
_ASTRAY = re.compile(r"(database|bucket|organization)\b.*(is required|not found)")  # of the address, not of the lines
_DROPPED = re.compile(r"\bdropped=(\d+)")
_TOO_OLD = re.compile(r"\bRetention Policy Lower Bound at ([-\d]+T[:\d]+)")
_TYPES = {float: "float", bool: "boolean", str: "string"}


class Answer(NamedTuple):
    """To a write: the status, the body's text, and the header Retry-After (empty where there is none)."""

    status: int
    text: str
    retry_after: str


def check(name: str, answer: Answer, runs: list[Run], ledgers: int) -> None:
    """Raises Refused where these very lines are at fault, Unavailable for all else. ledgers: how many lines of them."""
    status, told = answer.status, _json(answer.text)
    if status == 204 or (status == 200 and not answer.text):
        return
    said = _said(answer.text, told)
    astray = _ASTRAY.match(said) is not None  # at its beginning: further on it may tell a line, whose text is a node's
    if status in REFUSED and not astray and (told is not None or status == 413 or answer.text == NOTHING_WRITTEN):
        rows, of_lines = readings(runs), lines.readings_of_lines(runs)
        reason = _reason(status, said)
        listed = _listed(told, said, rows, of_lines)
        alike = _alike(listed, said, rows) | _too_old(said, rows)
        every = _dropped(said) == len(of_lines) + ledgers or (not ledgers and len(listed) == len(rows) > 0)
        # A line is too old with all its fields; else one of them may condemn the others.
        every = every and (reason == "retention" or len(rows) == len(of_lines))
        raise Refused(reason, f"{name}: {said[:400]}", rows=listed | alike, every=every)
    if status == 400:
        said += f" ({'' if astray else 'no InfluxDB says this: '}is something else at this address?)"
    if status in (401, 403):
        said += " (is that its token in token_file, and may it write there?)"
    pause = pause_s(answer.retry_after)
    raise Unavailable(f"{name}: {status} {said[:300] or 'without a word'}", retry_after_s=pause)


def pause_s(header: str) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3); None where it is neither."""
    try:
        seconds = float(header) if header.isdigit() else parsedate_to_datetime(header).timestamp() - time()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)


def _json(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _said(text: str, told: dict[str, Any] | None) -> str:
    words = str((told or {}).get("message") or (told or {}).get("error") or text.strip())
    details = [f"line {number}: {why}" for number, why in _lines(told)]
    return "; ".join([words, *details[:3]])


def _reason(status: int, said: str) -> str:
    if status == 413:
        return "too-large"
    if "field type conflict" in said or "invalid column type" in said:
        return "field-type"
    return "retention" if "retention" in said else "store"


def _dropped(said: str) -> int:
    found = _DROPPED.findall(said)
    return int(found[-1]) if found else -1


def _lines(told: dict[str, Any] | None) -> Iterator[tuple[int, str]]:
    """(Number from 1, why) of each line that the answer lists."""
    data = (told or {}).get("data")
    for line in data if isinstance(data, list) else [data]:
        if isinstance(line, dict) and isinstance(line.get("line_number"), int):
            yield line["line_number"], str(line.get("error_message"))
    if isinstance((told or {}).get("line"), int):
        yield told["line"], ""  # type: ignore[index]


def _listed(told: dict[str, Any] | None, said: str, rows: list[Reading], of_lines: list[list[int]]) -> frozenset[int]:
    """Positions of the readings in the lines that the answer names by number or text."""
    numbers = [*_lines(told), *((int(number), "") for number in _AT_LINE.findall(said))]
    unparsed = set(_UNPARSED.findall(said))
    out: set[int] = set()
    for number, why in numbers:
        if 0 < number <= len(of_lines):
            out |= _of_column(why, of_lines[number - 1], rows)
    for positions in of_lines if unparsed else ():
        if lines.encode(together(rows[position] for position in positions), []).decode() in unparsed:
            out |= set(positions)
    return frozenset(out)


def _alike(listed: frozenset[int], said: str, rows: list[Reading]) -> frozenset[int]:
    """Positions in rows with the field and the type of a conflict: what is wrong with one is wrong with all."""
    conflicts = {(function, point, kind) for point, function, kind in _CONFLICT.findall(said)}
    if "invalid column type" in said:
        conflicts |= {_field(rows[position]) for position in listed}
    if not conflicts:
        return frozenset()
    return frozenset(position for position, row in enumerate(rows) if _field(row) in conflicts)


def _too_old(said: str, rows: list[Reading]) -> frozenset[int]:
    """Positions of the readings before the end of the second in which the server's bound lies; InfluxDB 2 tells it."""
    found = _TOO_OLD.search(said)
    if found is None:
        return frozenset()
    bound_ms = (datetime.fromisoformat(f"{found[1]}+00:00").timestamp() + 1) * 1000
    return frozenset(position for position, (_, _, time_ms, _) in enumerate(rows) if time_ms < bound_ms)


def _field(row: Reading) -> tuple[str, str, str]:
    _, rule, _, value = row
    return rule.function, rule.point, _TYPES.get(type(value), "")


def _of_column(why: str, positions: list[int], rows: list[Reading]) -> set[int]:
    column = _COLUMN.search(why)
    named = {place for place in positions if column is not None and rows[place][1].point == column[1]}
    return named or set(positions)
