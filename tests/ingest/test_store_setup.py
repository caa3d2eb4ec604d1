"""What is made on a server that is new, and what stays of old readings."""

import asyncio
import json
import re
import time
import urllib.request

import pytest

from ingest import isolate
from ingest.errors import Unavailable
from ingest.influx_setup import all_but
from ingest.rows import Names
from ingest.store_url import check_url, open_store
from ingest.stores import Wanted
from tests.ingest.fakes import wait_until
from tests.ingest.judged import judged
from tests.ingest.servers import Dialect
from tests.ingest.test_stores import AT, FRESH, LEDGER, ROWS, run


def now_ms():
    return time.time_ns() // 1_000_000


def rows(at):
    told = [("air", "a", "P", "d", "x", at, 4.0, None), ("air", "a", "P", "d", "door", at, True, None)]
    return [*told, ("air", "a", "P", "d", "y", at, None, "timeout")]


def runs(at):
    return Names().runs(rows(at))


def test_influxdb_1_gets_a_database_that_keeps_and_thins(influx1):
    database = influx1.database + "-kept"
    url = f"influx1:{influx1.url}/{database}?keep=30d&thin=1s:5y"
    at = now_ms() - 1500
    run(url, lambda store: store.write(runs(at), [LEDGER._replace(time_ms=at)]))
    run(url, lambda store: store.write(runs(at + 1), []))  # what is there already is left alone
    try:
        policies = {row[0]: row[1] for row in influx1.query(f'SHOW RETENTION POLICIES ON "{database}"')[0]["values"]}
        assert policies == {"kept": "720h0m0s", "thinned": "43800h0m0s"}
        thinned = f'SELECT mean_x, max_x, last_door FROM "{database}".thinned.air'

        def all_kinds():  # numbers and bools are thinned by a query each
            return [row[1:] for series in influx1.query(thinned) for row in series["values"] if None not in row]

        assert wait_until(all_kinds, what="the continuous queries") == [[4, 4, True]]
        assert influx1.query(f'SELECT * FROM "{database}".thinned.pack') == []
    finally:
        influx1.query(f'DROP DATABASE "{database}"')


def test_readings_that_are_older_than_all_that_is_kept_are_refused_and_accounted(influx1):
    database = influx1.database + "-short"
    url = f"influx1:{influx1.url}/{database}?keep=1h"
    old, new = now_ms() - 10 * 86_400_000, now_ms()
    packs = [judged(f"n{number}", number, rows(at), newest_ms=at) for number, at in enumerate((old, new, old, new), 1)]
    try:
        _, ledger = run(url, lambda store: isolate.write(store, packs, new), lambda store: store.packs())
        assert [[refusal.reason for refusal in pack.refused] for pack in packs] == [["retention"] * 3, []] * 2
        assert [(pack.node, pack.ranges, pack.readings, pack.refused) for pack in ledger] == [
            ("n1", [[1, 1]], 0, 3),
            ("n2", [[2, 2]], 3, 0),
            ("n3", [[3, 3]], 0, 3),
            ("n4", [[4, 4]], 3, 0),
        ]
    finally:
        influx1.query(f'DROP DATABASE "{database}"')


class Influx2:
    """A server without the bucket; answers as InfluxDB 2.7.12 did. sees_org: the token may read its organization."""

    def __init__(self, *, sees_org=True):
        self.buckets, self.tasks, self.sees_org = {}, [], sees_org

    def __call__(self, method, path, fields, body):
        if path == "/api/v2/orgs":
            return 200, {"orgs": [{"id": "0ab", "name": fields["org"][0]}] if self.sees_org else []}, {}
        if path == "/api/v2/buckets":
            return self._make(json.loads(body)) if method == "POST" else self._tell(fields["name"][0])
        if path == "/api/v2/tasks":
            if method == "POST":
                self.tasks.append(json.loads(body))
            return (201 if method == "POST" else 200), {"tasks": self.tasks}, {}
        return self._tell(fields["bucket"][0]) if fields["bucket"][0] not in self.buckets else (204, "", {})

    def _make(self, told):
        if told["name"] in self.buckets:
            return 422, {"code": "conflict", "message": f"bucket with name {told['name']} already exists"}, {}
        self.buckets[told["name"]] = (told["orgID"], told["retentionRules"])
        return 201, {"id": "1"}, {}

    def _tell(self, name):
        if name not in self.buckets:
            return 404, {"code": "not found", "message": f'bucket "{name}" not found'}, {}
        # a bucket that keeps for ever has a rule, too
        rules = self.buckets[name][1] or [{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": 604800}]
        return 200, {"buckets": [{"id": "8e0f8449ec8f4175", "name": name, "retentionRules": rules}]}, {}


def test_influxdb_2_gets_buckets_and_one_task():
    with Dialect(Influx2()) as server:
        url = f"influx2:{server.url}/city/poles?keep=30d&thin=15m:5y"
        for _ in range(2):
            run(url, lambda store: store.write(FRESH, []), lambda store: store.write(FRESH, []))
        expire = {"type": "expire"}
        assert server.answer.buckets == {
            "poles": ("0ab", [expire | {"everySeconds": 30 * 86_400}]),
            "poles-thinned": ("0ab", [expire | {"everySeconds": 5 * 365 * 86_400}]),
        }
        (task,) = server.answer.tasks
        assert "every: 3600s, offset: 1m}" in task["flux"]
        assert "aggregateWindow(every: 900s," in task["flux"]
        assert 'bucket: "poles-thinned"' in task["flux"]


@pytest.mark.parametrize(
    ("thin", "every", "period", "back"),
    [
        ("1m", 60, 3600, 25_200),
        ("15m", 900, 3600, 25_200),
        ("7m", 420, 3360, 25_200),
        ("1d", 86_400, 86_400, 172_800),
    ],
)
def test_what_influxdb_2_thins_is_of_whole_intervals(thin, every, period, back):
    with Dialect(Influx2()) as server:
        run(f"influx2:{server.url}/city/poles?keep=30d&thin={thin}", lambda store: store.write(FRESH, []))
        flux = server.answer.tasks[0]["flux"]
        assert f"every: {period}s, offset: 1m}}\n" in flux
        assert f"end = date.truncate(t: now(), unit: {every}s)\n" in flux
        assert f"range(start: date.sub(d: {back}s, from: end), stop: end)\n" in flux
        assert f'aggregateWindow(every: {every}s, fn: mean, createEmpty: false, timeSrc: "_start")\n' in flux
        assert back % every == period % every == 0
        assert back >= period + 21_600


def test_a_bucket_that_keeps_otherwise_is_left_and_told(capsys):
    with Dialect(Influx2()) as server:
        server.answer.buckets["poles"] = ("0ab", [])
        run(f"influx2:{server.url}/city/poles?keep=30d&thin=15m", lambda store: store.write(FRESH, []))
        assert server.answer.buckets == {"poles": ("0ab", []), "poles-thinned": ("0ab", [])}
        assert len(server.answer.tasks) == 1
        assert 'the bucket "poles" was made otherwise: it keeps 0 s, not 2592000 s as asked' in capsys.readouterr().out


def test_a_token_for_one_bucket_is_enough_for_it_and_told_where_it_is_not(capsys):
    with Dialect(Influx2(sees_org=False)) as server:
        with pytest.raises(Unavailable, match='let the token read the organization "city" and write buckets'):
            run(f"influx2:{server.url}/city/poles", lambda store: store.write(FRESH, []))
        server.answer.buckets["poles"] = ("0ab", [{"type": "expire", "everySeconds": 3600}])
        run(f"influx2:{server.url}/city/poles?keep=1h", lambda store: store.write(FRESH, []))
        assert capsys.readouterr().out == ""


def test_influxdb_2_gets_its_bucket_when_a_write_misses_it():
    with Dialect(Influx2()) as server:
        run(f"influx2:{server.url}/city/poles", lambda store: store.write(FRESH, [LEDGER]))
        assert server.answer.buckets == {"poles": ("0ab", [])}
        assert len(server.writes) == 2


def test_influxdb_3_gets_its_retention_before_the_first_write():
    with Dialect(lambda *_: (204, "", {})) as server:
        run(f"influx3:{server.url}/city?keep=2w", lambda store: store.write(FRESH, []))
        made, write = server.asked
        assert made[1] == "/api/v3/configure/database"
        assert json.loads(made[3]) == {"db": "city", "retention_period": "1209600s"}
        assert write[1] == "/api/v3/write_lp"


@pytest.mark.parametrize(
    "other",
    [(403, {"message": "not allowed"}, {}), (200, {}, {}), (200, {"orgs": []}, {}), (200, "[1]", {}), (200, "<p>", {})],
)
def test_who_may_only_write_goes_on_writing(other):
    def answer(_method, path, _fields, _body):
        return (204, "", {}) if "write" in path else other

    with Dialect(answer) as server:
        for url in (f"influx1:{server.url}/db?keep=1d&thin=1h", f"influx2:{server.url}/o/b?keep=1d&thin=1h"):
            run(url, lambda store: store.write(FRESH, []))


def test_the_pattern_of_all_but_two_names_takes_all_others():
    names = ["air", "p", "pac", "packs", "panel", "power", "q", "quali", "qualityx", "queue", "x"]
    pattern = all_but(("pack", "quality"))
    assert [name for name in [*names, "pack", "quality"] if re.search(pattern, name)] == names


def test_victoria_gives_back_what_it_was_given(victoria):
    url = f"victoria:{victoria.url}"
    for _ in range(2):
        run(url, lambda store: store.write(FRESH, [LEDGER]))
    other = urllib.request.Request(f"{victoria.url}/write", b"air,host=a value=1 1790000000000")
    urllib.request.urlopen(other, timeout=20).close()  # somebody else's
    victoria.request("/internal/force_flush")
    found, air, none, counts, packs = run(
        url,
        lambda s: s.readings(Wanted()),
        lambda s: s.readings(Wanted(function="air", point="pm10", pole="P0001", device="air-1")),
        lambda s: s.readings(Wanted(pole='P"}')),
        lambda s: s.counts(),
        lambda s: s.packs(),
    )
    wanted = [(*row[:6], float(row[6]) if isinstance(row[6], bool) else row[6], row[7]) for row in ROWS]
    wanted[3] = (*wanted[3][:6], wanted[3][6].replace("\n", r"\n"), None)
    assert sorted(found) == sorted(wanted)
    assert air == [ROWS[1]]
    assert none == []
    assert counts == (4, 1, 1, 5, 1)
    assert packs == [("wuhou", "gw-1", "9f3c21aa", [[7, 7]], 5, 1, AT + 2)]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:a.db?keep=30", "keep: '30' is no time; write a whole number and s, m, h, d, w or y, as in 30d"),
        ("sqlite:a.db?gzip=yes", "'gzip' is no option of this store; it knows keep, thin"),
        ("sqlite:a.db?thin=15m", "thin needs keep"),
        ("sqlite:a.db?keep=30d&thin=x:1y", "thin: 'x' is no time"),
        ("influx1:http://h/d?keep=30d&thin=15m:7d", "what is thinned stays for longer"),
        ("influx2:http://h/o/b?keep=10m", "keep=10m: this store keeps readings for 1h at least"),
        ("influx2:http://h/o/b?gzip=perhaps", "gzip: 'perhaps' is neither yes nor no"),
        ("victoria:http://h?keep=1d", "'keep' is no option of this store; it knows gzip"),
        ("influx3:http://h/db?keep", "'keep' are no options; write KEY=VALUE"),
        ("victoria:http://h/db", "is not a store; write sqlite"),
    ],
)
def test_an_option_that_is_wrong_is_told(url, told):
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        check_url(url)


def test_a_ledger_that_never_goes_in_is_told_of_its_pack_only(tmp_path):
    async def work():
        store = open_store(f"sqlite:{tmp_path}/a.db")
        good, bad = (judged(f"n{n}", n, rows(AT), newest_ms=AT) for n in (1, 1 << 63))
        await isolate.write(store, [good, bad], AT)
        packs = await store.packs()
        await store.close()
        return good.refused, bad.refused, packs

    good, bad, packs = asyncio.run(work())
    assert (good, [(refusal.record, refusal.reason) for refusal in bad]) == ([], [(None, "value")])
    assert [pack.node for pack in packs] == ["n1"]
