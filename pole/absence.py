"""Why a query found nothing: a name that the store has never heard, or a time in which nothing came."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.stores import Store, Wanted

LONGER = "no readings; a longer --since looks further back"
RECENT = 1000  # readings whose names are told
SHOWN = 8
COLUMNS = {"function": 0, "pole": 2, "device": 3, "point": 4}  # of ingest.rows.Row


async def reason(store: "Store", wanted: "Wanted") -> str:
    """One sentence for people. Raises IngestError."""
    from ingest.stores import Wanted

    around = Wanted(since_ms=wanted.since_ms, limit=RECENT)
    for key, column in COLUMNS.items():
        name: str | None = getattr(wanted, key)
        if name is None:
            continue
        narrowed = replace(around, **{key: name})  # type: ignore[arg-type]
        if not await store.readings(replace(narrowed, since_ms=0, limit=1)):
            known = sorted({str(row[column]) for row in await store.readings(around)})
            return _unknown(key, name, known)
        around = narrowed
    return LONGER


def _unknown(key: str, name: str, known: list[str]) -> str:
    from device_profiles.wording import suggestion

    if not known:
        return f"the store has never had a reading with --{key} {name}, and in this time none at all"
    more = ", …" if len(known) > SHOWN else ""
    recent = f"In this time it has: {', '.join(known[:SHOWN])}{more}"
    return f"the store has never had a reading with --{key} {name}.{suggestion(name, known)} {recent}"
