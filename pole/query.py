"""`pole query`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.rows import Row
    from ingest.stores import Store

_COLUMNS = ("time", "function", "area", "pole", "device", "point", "value", "quality")


def query(
    store: Annotated[
        str | None, typer.Option(help="sqlite:FILE, influx1:URL/DATABASE or influx2:URL/ORG/BUCKET.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Ingest's configuration, which names the store.  [default: ingest.yaml]")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="With --store: its token, or user:password.")] = None,
    function: Annotated[str | None, typer.Option(help="air, water, lighting, …")] = None,
    pole: Annotated[str | None, typer.Option()] = None,
    device: Annotated[str | None, typer.Option()] = None,
    point: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str, typer.Option(help="How far back: 30s, 15m, 24h, 7d.")] = "15m",
    limit: Annotated[int, typer.Option(min=1, help="The most readings.")] = 1000,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """Readings from the store, newest first."""
    import asyncio
    import time

    from device_profiles.schema import seconds
    from ingest.errors import IngestError
    from ingest.stores import Wanted
    from pole import absence

    if format not in _FORMATS:
        raise typer.BadParameter(f"{format!r} is not a format; write {', '.join(_FORMATS)}", param_hint="--format")
    try:
        since_ms = int((time.time() - seconds(since)) * 1000)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    _check_function(function)
    wanted = Wanted(function=function, pole=pole, device=device, point=point, since_ms=since_ms, limit=limit)
    opened = _open(store, config, token_file)

    async def read() -> tuple["list[Row]", str]:
        try:
            rows = await opened.readings(wanted)
            return rows, "" if rows else await absence.reason(opened, wanted)
        finally:
            await opened.close()

    try:
        rows, nothing = asyncio.run(read())
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
    _FORMATS[format](rows)
    if nothing:
        print(nothing, file=sys.stderr)


def _check_function(name: str | None) -> None:
    from device_profiles.schema import FUNCTIONS
    from device_profiles.wording import suggestion

    if name is not None and name not in FUNCTIONS:
        raise typer.BadParameter(
            f"{name!r} is not a function.{suggestion(name, FUNCTIONS)} There are {', '.join(FUNCTIONS)}",
            param_hint="--function",
        )


def _open(url: str | None, config: Path | None, token_file: Path | None) -> "Store":
    from ingest import config as configuration
    from ingest.store_url import check_url, open_store
    from pole import secret

    if url is not None and config is not None:
        raise typer.BadParameter("say --store or --config, not both")
    folder = Path()
    if url is None:
        settings = configuration.load(configuration.meant(config))
        url, token, folder = settings.store, settings.secret("token_file"), settings.folder
    else:
        try:
            token = secret.read("--token-file", token_file) if token_file else ""
        except ValueError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from error
    try:
        check_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error
    kind, _, path = url.partition("?")[0].partition(":")
    if kind == "sqlite" and not (folder / path).exists():
        print(f"{folder / path} is not there: nothing has been stored yet, or it stands elsewhere", file=sys.stderr)
        raise typer.Exit(1)
    return open_store(url, token=token, folder=folder)


def _time(time_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cells(row: "Row") -> tuple[object, ...]:
    function, area, pole, device, point, time_ms, value, quality = row
    return (_time(time_ms), function, area, pole, device, point, value, quality)


def _csv(rows: "list[Row]") -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = [("true" if cell else "false") if isinstance(cell, bool) else cell for cell in _cells(row)]
        writer.writerow(cells)


def _json(rows: "list[Row]") -> None:
    import json

    for row in rows:
        print(json.dumps(dict(zip(_COLUMNS, _cells(row), strict=True)), ensure_ascii=False))


def _table(rows: "list[Row]") -> None:
    lines = [_COLUMNS, *(tuple("" if cell is None else str(cell) for cell in _cells(row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


_FORMATS = {"table": _table, "csv": _csv, "json": _json}
