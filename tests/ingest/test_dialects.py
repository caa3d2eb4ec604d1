"""Bad records among good ones, in the words of each server: the good ones are stored, the bad ones found soon."""

import asyncio
import json
from email.utils import formatdate
from time import time, time_ns

import pytest

from ingest import dialects, isolate, lines
from ingest.dialects import Answer
from ingest.errors import Refused, Unavailable
from ingest.rows import Names, readings, together
from ingest.store_url import open_store
from tests.ingest.judged import judged
from tests.ingest.servers import Database, Dialect

AT = 1_790_000_000_000
URLS = {"v2": "influx2:{}/org/bucket", "v3": "influx3:{}/city", "v3_whole": "influx2:{}/org/bucket",
        "cloud": "influx2:{}/org/bucket", "multi": "influx2:{}/org/bucket"}  # fmt: skip
MOST = {"v2": 5, "v3": 5, "v3_whole": 7, "cloud": 12, "multi": 48}  # writes that two bad ones among 1,000 may take


def packs(count=100, bad=(), old=(), now=AT):
    """Packs of five points on two devices, which are three lines; bad: numbers of packs whose pm10 is a text; old: of
    those from a year ago."""
    names, out = Names(), []
    for number in range(1, count + 1):
        at = now - 365 * 86_400_000 if number in old else now
        rows = [
            ("air", "wuhou", f"P{number}", "air-1", "pm2_5", at, 35.25, None),
            ("air", "wuhou", f"P{number}", "air-1", "pm10", at, "many" if number in bad else 61.0, None),
            ("air", "wuhou", f"P{number}", "air-1", "no2", at, None, "timeout"),
            ("meter", "wuhou", f"P{number}", "meter-1", "voltage", at, 230.0, None),
            ("meter", "wuhou", f"P{number}", "meter-1", "current", at, 1.5, None),
        ]
        out.append(judged(f"gw-{number}", 7, rows, area="wuhou", names=names, newest_ms=at))
    return out


def write(url, *batches):
    async def work():
        store = open_store(url)
        try:
            for batch in batches:
                await isolate.write(store, batch, AT)
        finally:
            await store.close()

    asyncio.run(work())


@pytest.mark.parametrize("manner", URLS)
def test_each_dialect_gives_its_bad_records_away(manner):
    with Dialect(Database(manner)) as server:
        batch = packs(200, bad=(17, 120))
        write(URLS[manner].format(server.url), packs(1), batch)
        refused = {pack.node: [(r.record, r.reason) for r in pack.refused] for pack in batch if pack.refused}
        reason = "store" if manner in ("cloud", "multi") else "field-type"
        assert refused == {"gw-17": [(1, reason)], "gw-120": [(1, reason)]}
        assert batch[16].indexes == [0, 2, 3, 4]
        stored = server.answer.lines
        wanted = [lines.encode(pack.runs, [pack.ledger(AT)]).decode().split("\n") for pack in batch]
        assert {line for pack in wanted for line in pack} <= stored
        assert len(server.writes) - 1 <= MOST[manner]


def test_a_batch_in_which_all_are_bad_takes_few_writes():
    """A profile's point has changed its type: a thousand poles say a text where a number was."""
    for manner, count, most in (("v2", 300, 5), ("v3", 300, 12), ("v3_whole", 30, 70)):
        with Dialect(Database(manner)) as server:
            batch = packs(count, bad=range(1, count + 1))
            write(URLS[manner].format(server.url), packs(1), batch)
            assert all([refusal.record for refusal in pack.refused] == [1] for pack in batch)
            assert len(server.writes) - 1 <= most, manner


@pytest.mark.parametrize("old", [(1,), (17, 120), range(1, 201, 2), range(1, 201)])
def test_influxdb_2_tells_from_when_on_it_keeps(old):
    with Dialect(Database("v2", keeps_from_ns=(AT - 30 * 86_400_000) * 1_000_000 + 1)) as server:
        batch = packs(200, old=old)
        write(URLS["v2"].format(server.url), batch)
        assert [pack.node for pack in batch if pack.refused] == [f"gw-{number}" for number in old]
        assert all([r.reason for r in pack.refused] == ["retention"] * 5 for pack in batch if pack.refused)
        assert len([line for line in server.answer.lines if not line.startswith("pack")]) == 3 * (200 - len(old))
        assert len([line for line in server.answer.lines if line.startswith("pack")]) == 200
        assert len(server.writes) <= 4


def test_a_server_that_names_one_line_at_a_time_is_not_followed_for_ever():
    class OneByOne(Database):
        def _v3(self, good, bad):
            return self._v3_whole(good, bad)

    with Dialect(OneByOne("v3")) as server:
        bad = range(1, 60, 5)
        batch = packs(60, bad=bad)
        write(URLS["v3"].format(server.url), packs(1), batch)
        assert [number for number, pack in enumerate(batch, 1) if pack.refused] == list(bad)
        assert len(server.writes) < 120


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "100000"}, dialects.LONGEST_PAUSE_S),
        (503, {}, None),
        (500, {}, None),
        (502, {"Retry-After": "soon"}, None),
        (401, {}, None),
        (403, {}, None),
        (404, {}, None),
        (301, {}, None),
        (202, {}, None),
    ],
)
def test_what_may_pass_is_waited_for(status, headers, pause):
    with Dialect(lambda *_: (status, "please wait", headers)) as server:
        for url in (f"influx1:{server.url}/db", f"influx2:{server.url}/o/b", f"influx3:{server.url}/db"):
            with pytest.raises(Unavailable, match=str(status)) as told:
                write(url, packs(1))
            assert told.value.retry_after_s == pause


def test_a_date_is_a_pause_too():
    assert 50 < dialects.pause_s(formatdate(time() + 60, usegmt=True)) <= 60
    assert dialects.pause_s(formatdate(time() - 60, usegmt=True)) == 0


def test_nobody_else_can_refuse_readings():
    """A web server in front that answers 400 in HTML must not make dead letters of good packs."""
    with Dialect(lambda *_: (400, "<html>The plain HTTP request was sent to HTTPS port</html>", {})) as server:
        batch = packs(3)
        with pytest.raises(Unavailable, match="something else at this address"):
            write(f"influx1:{server.url}/db", batch)
        assert not any(pack.refused for pack in batch)


def test_what_a_node_writes_is_not_taken_for_what_the_server_says():
    """A server may tell a line that it cannot read, and in it stands what a node likes."""
    line = 'air,area=a note="database x not found dropped=5" 1'
    said = json.dumps({"error": f"unable to parse '{line}': bad timestamp dropped=0"})
    with pytest.raises(Refused) as told:
        dialects.check("x", Answer(400, said, ""), packs(1)[0].runs[:1], 4)
    assert not told.value.every


def test_a_token_that_may_not_write_is_told_with_what_to_do():
    # InfluxDB 2.7.12: no token or a wrong one, and one that may only read
    for status, code, said in (
        (401, "unauthorized", "unauthorized access"),
        (403, "forbidden", "insufficient permissions for write"),
    ):
        with pytest.raises(Unavailable, match=rf"{status} {said} \(is that its token in token_file"):
            dialects.check("x", Answer(status, json.dumps({"code": code, "message": said}), ""), [], 0)


def test_an_influxdb_3_that_is_asked_whether_it_is_there_is_there():
    with Dialect(lambda _method, _path, _fields, body: (204 if body else 400, dialects.NOTHING_WRITTEN, {})) as server:
        write(f"influx3:{server.url}/db", [])
        assert server.writes[0][3] == ""


def test_a_batch_that_is_too_large_is_written_in_parts():
    def answer(_method, _path, _fields, body):
        return (413, "", {}) if len(body) > 3000 else (204, "", {})

    with Dialect(answer) as server:
        batch = packs(100)
        write(f"influx2:{server.url}/o/b", batch)
        assert not any(pack.refused for pack in batch)
        good = [line.split(" ") for *_, body in server.writes if len(body) <= 3000 for line in body.split("\n")]
        fields = {(head, field) for head, told, _ in good for field in told.split(",")}
        for pack in batch:
            assert (f"air,area=wuhou,device=air-1,pole=P{pack.node[3:]}", "pm10=61.0") in fields
            assert any(head.endswith(f",node={pack.node}") for head, _ in fields)


def test_a_half_stored_batch_is_not_taken_for_stored():
    for status in (200, 201, 207):
        with pytest.raises(Refused):
            dialects.check("x", Answer(status, '{"message": "some failed"}', ""), packs(1)[0].runs, 0)
    dialects.check("x", Answer(204, "", ""), [], 0)
    dialects.check("x", Answer(200, "", ""), [], 0)


def test_lines_are_numbered_as_they_are_written():
    runs = [run for pack in packs(20) for run in pack.runs]
    written = lines.encode(runs, []).decode().split("\n")
    told = lines.readings_of_lines(runs)
    each = [lines.encode(together([reading]), []).decode().split(" ") for reading in readings(runs)]
    assert [",".join(each[place][1] for place in line) for line in told] == [line.split(" ")[1] for line in written]
    assert [{each[place][0] for place in line} for line in told] == [{line.split(" ")[0]} for line in written]
    assert sorted(place for line in told for place in line) == list(range(len(each)))


def test_gzip_is_what_the_url_says():
    with Dialect(Database("v2")) as server:
        write(f"influx2:{server.url}/o/b?gzip=yes", packs(3))
        assert len(server.answer.lines) == 3 * 4


def test_the_real_influxdb_1_refuses_what_is_too_old_in_few_writes(influx1):
    """It does not say which: what is too old comes in one piece from a node that was away for long."""
    database, now = influx1.database + "-old", time_ns() // 1_000_000

    async def work():
        store, writes = open_store(f"influx1:{influx1.url}/{database}?keep=30d"), []
        await isolate.write(store, packs(1, now=now), now)
        really = store.write
        store.write = lambda rows, ledgers: writes.append(len(rows)) or really(rows, ledgers)
        batch = packs(200, old=range(71, 171), now=now)
        await isolate.write(store, batch, now)
        found = await store.counts()
        await store.close()
        return batch, writes, found

    try:
        batch, writes, found = asyncio.run(work())
    finally:
        influx1.query(f'DROP DATABASE "{database}"')
    assert [pack.node for pack in batch if pack.refused] == [f"gw-{number}" for number in range(71, 171)]
    assert (found.points, found.qualities, found.packs, found.refused) == (400, 100, 200, 500)
    assert len(writes) < 50


@pytest.mark.parametrize("bad", [(17,), (17, 120), range(1, 201)])
def test_the_real_influxdb_1_gives_its_bad_records_away(influx1, bad):
    async def work():
        store, writes = open_store(influx1.store), []
        really = store.write
        await isolate.write(store, packs(1), AT)
        store.write = lambda rows, ledgers: writes.append(len(rows)) or really(rows, ledgers)
        batch = packs(200, bad=bad)
        await isolate.write(store, batch, AT)
        found = await store.counts()
        await store.close()
        return batch, writes, found

    batch, writes, found = asyncio.run(work())
    assert [pack.node for pack in batch if pack.refused] == [f"gw-{number}" for number in bad]
    assert len(writes) == 4
    assert (found.points, found.packs, found.refused) == (800 - len(bad) + (1 in bad), 200, len(bad))
