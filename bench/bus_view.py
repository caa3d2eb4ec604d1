"""The figures of `pole bench bus`, for people in a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

BAR = 32  # characters
LEAST_WIDTH = 112  # of a page, where nobody looks at a terminal
BUSY_MS = 0.1  # for each transaction
EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(part: float, width: int = BAR) -> str:
    """part 1 is the whole width."""
    eighths = round(8 * width * min(1.0, max(0.0, part)))
    full, rest = divmod(eighths, 8)
    return EIGHTHS[8] * full + (EIGHTHS[rest] if rest else "")


def show(result: dict[str, Any], console: Console | None = None) -> None:
    out = console or Console()
    out.width = max(out.width, LEAST_WIDTH)
    out.print(_saturation(result["saturation"]))
    if max(row["kept_waiting_ms"] for row in result["saturation"]) > BUSY_MS:
        out.print("This machine was busy: it kept the gateway waiting for a CPU, and shares are lower for it.")
    for row in result["planned"]:
        if row["mix"] in ("demo pole", "demo bus"):
            out.print(_plan(row))
    for row in result["measured"]:
        out.print(_measured(row))
    out.print(_refusal(result["refusal"]))
    out.print(_faults(result["dead"] + result["flaky"]))
    out.print(_commands(result["commands"]))
    out.print(_verdicts(result["verdicts"]))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _saturation(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "A saturated bus: time that the wire needs / time that goes by",
        "mix", "baud", "device", "share", "", "least … most", "lost each", "no CPU", "CPU each",
    )  # fmt: skip
    table.columns[4].justify = "left"
    for row in rows:
        latency = "profile's" if row["latency_ms"] is None else f"{row['latency_ms']:g} ms"
        table.add_row(
            row["mix"], str(row["baud"]), latency, f"{100 * row['share']:.1f} %", bar(row["share"], BAR // 2),
            f"{100 * row['share_least']:.1f} … {100 * row['share_most']:.1f}", f"{row['lost_ms']:.2f} ms",
            f"{row['kept_waiting_ms']:.2f} ms", f"{row['cpu_us']} µs",
        )  # fmt: skip
    return table


def _plan(row: dict[str, Any]) -> Table:
    table = _table(f"Bus time a reading, planned: {row['mix']} at {row['baud']} baud", "way", "ms", "of ours", "")
    table.columns[3].justify = "left"
    most, ours = max(row["ms_a_reading"].values()), row["ms_a_reading"]["ours"]
    for way, spent in row["ms_a_reading"].items():
        table.add_row(way, f"{spent:.2f}", f"{spent / ours:.2f}", bar(spent / most))
    return table


def _measured(row: dict[str, Any]) -> Table:
    table = _table(
        f"The same on the wire: {row['mix']} at {row['baud']} baud, without polls slower than a minute",
        "way", "ms a reading", "requests", "too early", "refused", "no answer",
    )  # fmt: skip
    for way, found in row["ways"].items():
        spent = found.get("ms_a_reading")
        table.add_row(
            way, "-" if spent is None else f"{spent:.1f}", str(found["requests"]), str(found["violations"]),
            str(found.get("refused", 0)), str(found.get("without_an_answer", 0)),
        )  # fmt: skip
    return table


def _refusal(row: dict[str, Any]) -> Table:
    table = _table(f"A hole that one device refuses, demo pole at {row['baud']} baud", "way", "readings lost")
    ours, other = row["ours"], row["telegraf"]
    table.add_row("ours", f"{ours['readings_lost_while_it_learned']}, then {ours['readings_lost_afterwards']}")
    table.add_row("telegraf's plan", f"{other['readings_lost_a_second']:g} of {other['of']:g} each second")
    return table


def _faults(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "One device of 16 is ill: how much longer periods become",
        "it", "the others", "while found out", "other bus, unit 1", "other bus", "asked in vain",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row["fault"], _percent(row["others_period"]), _percent(row["others_period_while_found_out"]),
            _percent(row["unit_1_of_the_other_bus"]), _percent(row["other_bus"]),
            f"{row['asked_without_an_answer']} of {row['asked']}",
        )  # fmt: skip
    return table


def _commands(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "Commands on a fully loaded bus", "baud", "commands", "begun before it, p50", "p99", "wait p50", "p99",
        "a transaction", "the longest",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            str(row["baud"]), str(row["commands"]), str(row["begun_in_between"]["p50"]),
            str(row["begun_in_between"]["p99"]), f"{row['wait_ms']['p50']:.1f} ms", f"{row['wait_ms']['p99']:.1f} ms",
            f"{row['transaction_ms']:.1f} ms", f"{row['longest_transaction_ms']:.1f} ms",
        )  # fmt: skip
    return table


def _verdicts(rows: list[dict[str, Any]]) -> Table:
    table = _table("What was promised", "", "wanted", "is", "")
    for row in rows:
        table.add_row(
            row["what"],
            f"{row['wanted']:g}",
            "not seen" if row["got"] is None else f"{row['got']:g}",
            "[green]kept[/]" if row["kept"] else "[red]NOT[/]",
        )
        for which in row.get("which", [])[:8]:
            table.add_row(f"    {which}")
    return table


def _percent(growth: float | None) -> str:
    return "-" if growth is None else f"{100 * growth:+.1f} %"
