"""Writes packs, and where the store refuses them finds out which rows it means, by halves."""

from ingest.accept import Accepted, Refusal
from ingest.errors import Refused
from ingest.rows import Reading
from ingest.stores import Store


async def write(store: Store, packs: list[Accepted], now_ms: int) -> None:
    """Stores what the store takes; the rest moves from each pack's rows to its `refused`. Raises Unavailable.

    Without packs it asks whether the store is there; a refusal says so too (InfluxDB 2 refuses an empty write).
    """
    rows = [row for pack in packs for row in pack.rows]
    ledgers = [ledger for pack in packs if (ledger := pack.ledger(now_ms)) is not None]
    try:
        await store.write(rows, ledgers)
    except Refused as refused:
        if len(packs) > 1:
            half = len(packs) // 2
            await write(store, packs[:half], now_ms)
            await write(store, packs[half:], now_ms)
        elif packs:
            await _one(store, packs[0], now_ms, refused)


async def _one(store: Store, pack: Accepted, now_ms: int, refused: Refused) -> None:
    bad = await _bad(store, pack.rows, 0)
    for position in sorted(bad, reverse=True):
        index = pack.indexes.pop(position)
        pack.rows.pop(position)
        pack.refused.append(Refusal(index, bad[position].reason, bad[position].detail))
    ledger = pack.ledger(now_ms)
    try:
        await store.write(pack.rows, [ledger] if ledger is not None else [])
    except Refused as error:  # the rows go one by one, but not together or not with their line in the ledger
        pack.refused.append(Refusal(None, error.reason, error.detail))


async def _bad(store: Store, rows: list[Reading], first: int) -> dict[int, Refused]:
    # Position of each refused row -> what the store said of it.
    if not rows:
        return {}
    try:
        await store.write(rows, [])
    except Refused as refused:
        if len(rows) == 1:
            return {first: refused}
        half = len(rows) // 2
        return await _bad(store, rows[:half], first) | await _bad(store, rows[half:], first + half)
    return {}
