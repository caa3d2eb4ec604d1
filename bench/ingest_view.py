"""The figures of `pole bench ingest`, for people in a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

LEAST_WIDTH = 112
NOTE = (
    "A pack: 10 or 50 readings, all alike; or those of a city's poles. telegraf names a reading by its place in the"
    " pack, which a city's do not allow; telegraf by script understands any pack."
)
PARTS = ("ingest", "broker", "store", "load")


def show(result: dict[str, Any], console: Console | None = None) -> None:
    out = console or Console()
    out.width = max(out.width, LEAST_WIDTH)
    out.print(_floods(result["floods"]))
    out.print(NOTE)
    out.print(_direct(result["direct"]))
    out.print(_latency(result["latency"]))
    out.print(_scale(result["scale"]))
    out.print(verdicts(result["verdicts"]))
    told = ", ".join(f"{name} {value}" for name, value in result["machine"].items() if value is not None)
    out.print(f"{told}; {result['seconds']} s")
    if not result["telegraf"]:
        out.print("There is no Telegraf here: give its program with --telegraf to have it beside ours.")


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table


def _floods(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "Packs as fast as the broker takes them, until the store has the last; CPU in µs a reading; most memory",
        "who", "store", "a pack", "readings/s", "least … most", *PARTS, "MB", "missing", left=2,
    )  # fmt: skip
    for before, row in zip([None, *rows], rows, strict=False):
        if before and before["mix"] != row["mix"]:
            table.add_row()
        cpu = [f"{row['cpu_us'][part]:.2f}" if part in row["cpu_us"] else "" for part in PARTS]
        between = f"{min(row['rates']):,} … {max(row['rates']):,}"
        table.add_row(row["name"], row["store"], row["mix"], f"{row['readings_per_s']:,}", between, *cpu,
                      f"{row['peak_mb']:.0f}", f"{row['missing']:,}")  # fmt: skip
    return table


def _direct(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "The same points straight to the store, 5,000 in one write",
        "store",
        "of packs",
        "readings/s",
        "CPU µs a reading",
    )
    for row in rows:
        table.add_row(row["store"], row["mix"], f"{row['readings_per_s']:,}", f"{sum(row['cpu_us'].values()):.2f}")
    return table


def _latency(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "From when a pack is due to its confirmation, at half of the maximum rate, ms",
        "store", "a pack", "readings/s", "p50", "p99", "most", "sent late (p99)", "unconfirmed",
    )  # fmt: skip
    for row in rows:
        stored = [str(row["stored"].get(part, "")) for part in ("p50", "p99", "max")]
        late, unconfirmed = str(row["late"].get("p99", "")), str(row["unconfirmed"])
        table.add_row(row["store"], row["mix"], f"{row['readings_per_s']:,}", *stored, late, unconfirmed)
    return table


def _scale(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "More poles, the same number of packs; CPU in µs a reading",
        "store", "poles", "series", "readings/s", *PARTS, "µs a birth", "MB", "for 100,000 series",
    )  # fmt: skip
    for row in rows:
        first = next(each for each in rows if each["store"] == row["store"])
        cpu = [f"{row['cpu_us'].get(part, 0):.2f}" for part in PARTS]
        more = row["series"] - first["series"]
        memory = f"{(row['peak_mb'] - first['peak_mb']) / more * 100_000:.1f}" if more else ""
        birth = "" if row["birth_us"] is None else f"{row['birth_us']:.0f}"
        table.add_row(row["store"], f"{row['poles']:,}", f"{row['series']:,}", f"{row['readings_per_s']:,}", *cpu,
                      birth, f"{row['peak_mb']:.0f}", memory)  # fmt: skip
    return table


def verdicts(rows: list[dict[str, Any]]) -> Table:
    table = _table("What is promised", "promise", "wanted", "is", "")
    for row in rows:
        got = "not seen" if row["got"] is None else f"{row['got']:g}"
        table.add_row(row["what"], f"{row['wanted']:g}", got, "kept" if row["kept"] else "NOT KEPT")
    return table
