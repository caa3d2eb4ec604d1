"""Writes packs, and where the store refuses them finds out which rows it means.

What the store blames is tried by itself, and the others without it; where it blames nothing, each half. A row counts
as bad when it was refused alone, or in a write of which the store says that it took nothing.
"""

from ingest.accept import Accepted, Refusal
from ingest.errors import Refused
from ingest.rows import LANES, Ledger, Reading, readings, together
from ingest.stores import Store

PATIENCE = 4  # times that the others are tried as one without what was blamed; a server may name one row at a time

_Some = dict[int, Reading]  # by position in the batch
_Bad = dict[int, Refused]


async def write(store: Store, packs: list[Accepted], now_ms: int) -> None:
    """Stores what the store takes; the rest moves from each pack's runs to its `refused`. Raises Unavailable.

    Without packs it asks whether the store is there; a refusal says so too (InfluxDB 3 refuses an empty write).
    """
    runs = [run for pack in packs for run in pack.runs]
    ledgers = [ledger for pack in packs if (ledger := pack.ledger(now_ms)) is not None]
    try:
        await store.write(runs, ledgers)
    except Refused as told:
        if packs:
            await _apart(store, packs, dict(enumerate(readings(runs))), told)
            await _account(store, packs, now_ms)


async def _apart(store: Store, packs: list[Accepted], rows: _Some, told: Refused) -> None:
    # The ledger's lines were in that write too, so a refusal that blames no row is not yet one of the rows.
    blames = told.every or bool(told.rows)
    bad = await (_split(store, rows, told, PATIENCE) if blames else _try(store, rows, PATIENCE))
    first = 0
    for pack in packs:
        end = first + pack.readings
        mine = {place - first: (bad[place].reason, bad[place].detail) for place in bad if first <= place < end}
        if mine:
            pack.refuse(mine)
        first = end


async def _try(store: Store, some: _Some, patience: int) -> _Bad:
    if not some:
        return {}
    try:
        await store.write(together(some.values()), [])
    except Refused as told:
        return await _split(store, some, told, patience)
    return {}


async def _split(store: Store, some: _Some, told: Refused, patience: int) -> _Bad:
    if told.every or len(some) == 1:
        return dict.fromkeys(some, told)
    positions = list(some)
    blamed = {positions[place] for place in told.rows}
    left = patience - 1
    if not left or not 0 < len(blamed) < len(some):
        blamed, left = set(positions[len(some) // 2 :]), PATIENCE
    others = {position: row for position, row in some.items() if position not in blamed}
    bad = await _try(store, others, left)  # first, for where two types meet in a new field most of them should win
    return bad | await _try(store, {position: some[position] for position in blamed}, PATIENCE)


async def _account(store: Store, packs: list[Accepted], now_ms: int, *, moved: bool = False) -> None:
    # The ledger, once its rows are stored. A pack that is older than all the store keeps stands there as of now.
    ledgers = [(pack, ledger) for pack in packs if (ledger := pack.ledger(now_ms)) is not None]
    try:
        if ledgers:
            late = [moved or _is_too_old(pack) for pack, _ in ledgers]
            told = [_as_of_now(line, now_ms) if move else line for move, (_, line) in zip(late, ledgers, strict=True)]
            await store.write([], told)
    except Refused as told:
        if len(ledgers) > 1:
            half = len(ledgers) // 2
            for some in (ledgers[:half], ledgers[half:]):
                await _account(store, [pack for pack, _ in some], now_ms, moved=moved)
        elif told.reason == "retention" and not moved:
            await _account(store, packs, now_ms, moved=True)
        else:
            refused = ledgers[0][0].refused
            if all(refusal.record is not None for refusal in refused):  # a retry finds it again
                refused.append(Refusal(None, told.reason, told.detail))


def _is_too_old(pack: Accepted) -> bool:
    return not pack.readings and any(refusal.reason == "retention" for refusal in pack.refused)


def _as_of_now(ledger: Ledger, now_ms: int) -> Ledger:
    return ledger._replace(time_ms=now_ms - ledger.number // LANES % 1000)
