"""Verifies a run's folder: its truth, its account and its store, some poles at a time, so that memory stays bounded."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ingest.store_url import check_url, open_store
from pole.fleet import account as accounts
from pole.fleet.account import AccountError, Fates
from pole.fleet.judge import judge
from pole.fleet.judge_outcome import Outcome, iso
from pole.fleet.judge_series import MOST_SERIES, Group, Totals, totals
from pole.fleet.judge_store import Codes, Source, Span, SqliteSource, StoreSource
from pole.fleet.judge_tally import GroupFate, tally
from simulators.truth.reader import Reader
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.city_map import city_map
from simulators.world.noise import chance

AT_ONCE = 1_000_000  # readings in memory; an array of them is 8 MB
AT_ONCE_ELSEWHERE = 300_000  # ... that come as Python objects from a server
BESIDE_MS = 120_000  # before and after a run, gateways read what they read, and run down


def verify_run(
    folder: Path,
    *,
    store: str | None = None,
    token: str = "",
    sample: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """store: where the run's own one is not meant. Raises AccountError, TruthError, Unavailable, sqlite3.Error and
    ValueError (of the store's URL)."""
    started = time.monotonic()
    run = _Run(folder, store, token)
    outcome = Outcome(poles=run.order["poles"])
    counted = totals(run.reader, outcome.poles)
    source = run.source(counted, outcome)
    try:
        _verify(run, source, counted, outcome, sample, progress)
        if run.nodes_from and sample is None:
            _verify_held(run, source, outcome)
        elif run.nodes_from:
            outcome.notes.append("A sample is of nodes alone: poles on wires and with agents were not looked at.")
    finally:
        source.close()
    outcome.seconds = time.monotonic() - started
    return outcome


class _Run:
    """What stands in the folder. Raises AccountError, TruthError, ValueError."""

    def __init__(self, folder: Path, store: str | None, token: str) -> None:
        try:
            told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            self.order: dict[str, Any] = told["order"]
            self.url = check_url(store or told["store"])
            self.began_ms = int(self.order["began_ms"])
            self.nodes_from = int(self.order["agents"] + self.order["wires"])
        except OSError as error:
            raise AccountError(f"{folder / 'run.json'}: {error.strerror}; name the folder of a run") from error
        except (LookupError, TypeError) as error:
            raise AccountError(f"{folder / 'run.json'} is damaged: {type(error).__name__} {error}") from error
        self.folder = folder
        self.token = token
        self.given = store is not None
        self.elsewhere = not self.url.startswith("sqlite:")
        self.reader = Reader(folder=folder / "truth")
        self.areas = city_map(seed=self.order["seed"], poles=self.order["poles"]).area
        self.poles = {f"P{pole + 1:05}": pole for pole in range(self.order["poles"])}
        self.nodes = {f"{name}-node": pole for name, pole in self.poles.items() if pole >= self.nodes_from}
        self.codes = Codes()

    def source(self, counted: Totals, outcome: Outcome) -> Source:
        """A store of the folder's own has nothing but this run; of any other one only the run's time counts."""
        span = self.began_ms + counted.first_ms - BESIDE_MS, self.began_ms + counted.last_ms + BESIDE_MS
        kind, _, rest = self.url.partition(":")
        if kind != "sqlite":
            outcome.notes.append(_looked_at(span))
            return StoreSource(store=open_store(self.url, token=self.token), codes=self.codes, span=span)
        file = rest.partition("?")[0]  # options follow
        path = (Path(file) if self.given else self.folder / file).absolute()
        if not path.exists():
            raise AccountError(f"{path} is not there: nothing was stored, or it stands elsewhere (--store)")
        if path.parent == self.folder.absolute():
            return SqliteSource(path=path, codes=self.codes)
        outcome.notes.append(_looked_at(span))
        return SqliteSource(path=path, codes=self.codes, span=span)


def _looked_at(span: Span) -> str:
    return f"The store may be others' as well: it was looked at from {iso(span[0])} to {iso(span[1])}."


def _verify(
    run: _Run,
    source: Source,
    counted: Totals,
    outcome: Outcome,
    sample: int | None,
    progress: Callable[[int, int], None],
) -> None:
    made, columns = counted.made, counted.columns
    _look_at_truth(run.reader, counted.last_step, outcome)
    nodes = np.arange(outcome.poles) >= run.nodes_from
    chosen = _sample(nodes, sample, run.order["seed"])
    fates = _fates(run, source, counted, outcome)
    _count_packs(fates, made, chosen, outcome)
    groups = list(_groups(chosen, made * columns, columns, AT_ONCE_ELSEWHERE if run.elsewhere else AT_ONCE))
    for number, poles in enumerate(groups):
        group = Group(tables=run.reader.header["tables"], areas=run.areas, poles=poles)
        produced = group.produced(run.reader, run.began_ms)
        # A server is asked for everything at once only where that is not much.
        others = number == 0 and (isinstance(source, SqliteSource) or (len(groups) == 1 and sample is None))
        stored = source.stored(group, run.poles, others=others)
        fate = GroupFate(produced=produced, group=group, fates=fates)
        judged = judge(produced, stored.found, fate)
        tally(outcome, fate, stored, judged, run.codes)
        outcome.judged += int(poles.sum())
        progress(outcome.judged, int(chosen.sum()))
    if len(groups) > 1 and not isinstance(source, SqliteSource):
        outcome.notes.append("Readings of poles that the run does not have were not looked for: the store is large.")


def _verify_held(run: _Run, source: Source, outcome: Outcome) -> None:
    from pole.fleet import judge_held  # it builds the devices again, which takes libraries of theirs

    judge_held.judge_held(
        folder=run.folder, order=run.order, rows=source.rows(judge_held.poles(run.order)), ledger=source.packs(),
        outcome=outcome,
    )  # fmt: skip
    outcome.judged += run.nodes_from


def _look_at_truth(reader: Reader, last_step: int, outcome: Outcome) -> None:
    if reader.torn:
        outcome.faults.append(f"{reader.torn}; it is read up to step {last_step}")
    elif not reader.complete:
        outcome.faults.append(f"the truth was not closed: its writer was killed after step {last_step}")


def _fates(run: _Run, source: Source, counted: Totals, outcome: Outcome) -> Fates:
    made, columns = counted.made, counted.columns
    told = accounts.read(run.folder / "account.json", names=run.nodes, made=made)
    outcome.faults += told.faults
    held, faults = accounts.ledger(source.packs(), names=run.nodes, account=told, made=made, columns=columns)
    outcome.faults += faults
    heads = np.full(len(made), -1, dtype=np.int64)
    for pole, node in told.nodes.items():
        heads[pole] = node["head"]
    return Fates(
        ledger=held, pending=accounts.told_ranges(told, "pending"), dropped=accounts.told_ranges(told, "dropped"),
        heads=heads, last_step=counted.last_step,
        ends={pole: node.get("end", "up") for pole, node in told.nodes.items()},
        refusals=accounts.refusals(run.folder / "dead-letters.db", names=run.nodes, account=told),
    )  # fmt: skip


def _count_packs(fates: Fates, made: IntArray, chosen: BoolArray, outcome: Outcome) -> None:
    outcome.packs["produced"] = int(made[chosen].sum())
    for kind, ranges in (("right", fates.ledger), ("pending", fates.pending), ("dropped", fates.dropped)):
        outcome.packs[kind] = ranges.count(chosen)


def _sample(nodes: BoolArray, sample: int | None, seed: int) -> BoolArray:
    if sample is None or sample >= int(nodes.sum()):
        return nodes
    drawn = np.where(nodes, chance(seed, "verified poles", np.arange(len(nodes), dtype=np.int64)), 2.0)
    out = np.zeros(len(nodes), dtype=np.bool_)
    out[np.argsort(drawn, kind="stable")[:sample]] = True
    return out


def _groups(chosen: BoolArray, readings: IntArray, columns: IntArray, most: int) -> Iterator[BoolArray]:
    """Poles whose readings, and series, are few enough to be in memory at once; one group at least."""
    weight = np.where(chosen, np.maximum(readings, columns * (most // MOST_SERIES + 1)), 0)
    number = (np.cumsum(weight) - weight) // most
    for each in range(int(number[chosen].max(initial=0)) + 1):
        yield chosen & (number == each)
