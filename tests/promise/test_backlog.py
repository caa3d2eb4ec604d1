"""A gateway that comes back with a backlog: live readings do not wait behind it, and it goes faster than it came."""

import asyncio
import json
import time

from gateway.disk.spool import Spool

PACKS = 5000
HOURS_AGO_MS = 24 * 3_600_000


def put_aside(chain, node, packs):
    """What a gateway without network wrote while it was away, each second a pack."""
    spool = Spool(path=chain.folder / f"{node}.db", max_bytes=512 << 20)
    spool._db.execute("PRAGMA synchronous = OFF")
    start_ms = time.time_ns() // 1_000_000 - HOURS_AGO_MS
    for index in range(packs):
        at_ms = start_ms + index * 1000
        readings = [("P0001/air-1", point, at_ms, 20 + index % 10, None) for point in ("temperature", "humidity")]
        spool.append(event=False, readings=readings)
    spool.close()


def test_live_readings_are_stored_while_a_backlog_drains(chain):
    async def scenario():
        async with chain(1) as city:
            put_aside(city, "gw-1", PACKS)
            await asyncio.to_thread(city.broker.kill)
            city.start()
            await asyncio.sleep(4)
            await asyncio.to_thread(city.broker.start)
            back_ms = time.time_ns() // 1_000_000
            deadline, waiting_at_first_live = time.monotonic() + 240, None
            while (left := PACKS - stored(city, "number <= ?", PACKS)) and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
                assert city.gateways["gw-1"].running, city.gateways["gw-1"].log.read_text()[-2000:]
                if waiting_at_first_live is None and stored(city, "number > ? AND time > ?", PACKS, back_ms):
                    waiting_at_first_live = left
            assert left == 0, city.gateways["gw-1"].log.read_text()[-2000:]
            assert "damaged" not in city.gateways["gw-1"].log.read_text()
            assert waiting_at_first_live, "live readings waited for all of the backlog"
            await asyncio.to_thread(city.gateways["gw-1"].stop)
            spool = city.spool("gw-1")
            assert json.loads(spool["dropped"]) == {}
            assert spool["stored"] + spool["pending"] == spool["head"]
            values = city.rows("SELECT count(*) FROM readings WHERE time < ?", back_ms - HOURS_AGO_MS // 2)
            assert values == [(2 * PACKS,)]

    asyncio.run(scenario())


def stored(chain, where, *arguments):
    made = "SELECT 1 FROM sqlite_master WHERE name = 'packs'"  # its tables come one after the other
    if not (chain.store / "readings.db").exists() or not chain.rows(made):
        return 0
    return chain.rows(f"SELECT count(*) FROM packs WHERE {where}", *arguments)[0][0]
