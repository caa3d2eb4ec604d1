"""Every store, through the one interface, against the real thing."""

import asyncio
import math
import urllib.request

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import isolate, lines
from ingest.accept import accept
from ingest.errors import IngestError, Refused, Unavailable
from ingest.rows import Ledger, Names, Place, Points, Rule, named
from ingest.store_url import check_url, open_store
from ingest.stores import Wanted
from pole.broker import free_port
from tests.ingest.judged import judged

AT = 1_790_000_000_000
ROWS = [
    ("air", "wuhou", "P0001", "air-1", "pm2_5", AT, 35.2, None),
    ("air", "wuhou", "P0001", "air-1", "pm10", AT, 61.0, None),
    ("air", "wuhou", "P0001", "air-1", "on", AT, True, None),
    ("air", "wuhou", "P0001", "air-1", "note", AT + 1, 'a "b" \\ c,d=e\nf 杆', None),
    ("water", "wuhou", "P0002", "water-1", "level", AT + 2, None, "timeout"),
]
FRESH = Names().runs(ROWS)
LEDGER = Ledger("wuhou", "gw-1", "9f3c21aa", 7, 5, 1, 120, AT + 2)


@pytest.fixture(params=["sqlite", "influx1"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/readings.db"
    return request.getfixturevalue("influx1").store


def run(url, *calls):
    """The results of calls(store), one after the other."""

    async def work():
        store = open_store(url)
        try:
            return [await call(store) for call in calls]
        finally:
            await store.close()

    return asyncio.run(work())


def test_what_is_written_twice_is_there_once(url):
    write = lambda store: store.write(FRESH, [LEDGER])  # noqa: E731
    *_, found, counts, packs = run(
        url, write, write, lambda s: s.readings(Wanted()), lambda s: s.counts(), lambda s: s.packs()
    )
    assert sorted(found) == sorted(ROWS)
    assert [row[5] for row in found] == sorted((row[5] for row in ROWS), reverse=True)
    assert counts == (4, 1, 1, 5, 1)
    assert packs == [("wuhou", "gw-1", "9f3c21aa", [[7, 7]], 5, 1, AT + 2)]


def test_a_query_chooses_by_each_name_time_and_number(url):
    def chosen(**wanted):
        return lambda store: store.readings(Wanted(**wanted))

    _, function, point, quality, since, limit, nothing = run(
        url,
        lambda store: store.write(FRESH, [LEDGER]),
        chosen(function="air", pole="P0001", device="air-1"),
        chosen(point="pm10"),
        chosen(function="water"),
        chosen(since_ms=AT + 1),
        chosen(limit=2),
        chosen(pole="P0001' OR '1'='1"),
    )
    assert len(function) == 4
    assert point == [ROWS[1]]
    assert quality == [ROWS[4]]
    assert sorted(since) == sorted(ROWS[3:])
    assert [row[5] for row in limit] == [AT + 2, AT + 1]
    assert nothing == []


def test_packs_of_one_millisecond_are_as_many_as_they_are(url):
    ledgers = [LEDGER._replace(number=n) for n in (1, 2, 3, 17, 18, 999_999, 1_000_000)]
    _, _, (packs,) = run(url, lambda s: s.write([], ledgers), lambda s: s.write([], ledgers[2:5]), lambda s: s.packs())
    assert packs.ranges == [[1, 3], [17, 18], [999_999, 1_000_000]]
    assert (packs.readings, packs.refused, packs.newest_ms) == (7 * 5, 7, AT + 2)


def test_what_a_pack_had_refused_is_told_where_it_had(url):
    ledgers = [LEDGER._replace(number=n, refused=refused) for n, refused in ((1, 0), (2, 3), (2_000_000, 0))]
    (none,) = run(url, lambda s: s.write([], ledgers[:1]), lambda s: s.packs())[1]
    (packs,) = run(url, lambda s: s.write([], ledgers[1:]), lambda s: s.packs())[1]
    assert none.refused == 0
    assert (packs.refused, packs.ranges) == (3, [[1, 2], [2_000_000, 2_000_000]])


def test_the_ledger_of_before_is_still_read(influx1):
    """It had each number in a field, and sixteen series of each node."""
    tags = "pack,area=wuhou,node=gw-1,ep=9f3c21aa"
    for line in (
        f"{tags},lane=5 sq=5i,readings=4i,refused=1i,latency_ms=120i {AT}000000",
        f"{tags} sq=6i,readings=4i,refused=0i,latency_ms=120i {AT}000006",
    ):
        write = urllib.request.Request(f"{influx1.url}/write?db={influx1.database}", data=line.encode(), method="POST")
        assert urllib.request.urlopen(write, timeout=20).status == 204
    _, (packs,) = run(influx1.store, lambda s: s.write([], [LEDGER]), lambda s: s.packs())
    assert (packs.ranges, packs.readings, packs.refused) == ([[5, 7]], 4 + 4 + 5, 1 + 1)


def test_the_ledger_tells_ranges_of_each_epoch(url):
    ledgers = [LEDGER._replace(number=n, time_ms=AT + n) for n in (1, 2, 3, 5, 900)]
    ledgers.append(LEDGER._replace(epoch="00000001", number=4))
    _, packs = run(url, lambda s: s.write([], ledgers), lambda s: s.packs())
    assert [(pack.epoch, pack.ranges) for pack in packs] == [
        ("00000001", [[4, 4]]),
        ("9f3c21aa", [[1, 3], [5, 5], [900, 900]]),
    ]


def test_a_store_that_is_down_is_unavailable(tmp_path):
    for url in (
        f"sqlite:{tmp_path}/not-there/readings.db",
        f"influx1:http://127.0.0.1:{free_port()}/multipole",
        f"influx2:http://127.0.0.1:{free_port()}/org/bucket",
    ):
        with pytest.raises(Unavailable):
            run(url, lambda store: store.write(FRESH, [LEDGER]))


def test_a_field_of_another_type_is_isolated_and_the_rest_stored(influx1):
    first = judged("gw-1", 1, [("air", "wuhou", "P1", "a", "x", AT, 1.0, None)], area="wuhou")
    rows = [("air", "wuhou", "P1", "a", f"p{n}", AT + 1, float(n), None) for n in range(300)]
    rows[137] = ("air", "wuhou", "P1", "a", "x", AT + 1, "a text", None)
    poisoned = judged("gw-1", 2, rows, area="wuhou")
    good = judged("gw-1", 3, [("air", "wuhou", "P1", "b", "x", AT, 2.0, None)], area="wuhou")
    _, _, counts, packs = run(
        influx1.store,
        lambda s: isolate.write(s, [first], AT),
        lambda s: isolate.write(s, [poisoned, good], AT),
        lambda s: s.counts(),
        lambda s: s.packs(),
    )
    assert [(refused.record, refused.reason) for refused in poisoned.refused] == [(137, "field-type")]
    assert poisoned.readings == len(list(named(poisoned.runs))) == 299
    assert good.refused == []
    assert counts == (301, 0, 3, 301, 1)
    assert packs[0].ranges == [[1, 3]]


@pytest.mark.parametrize("more", ["", '"bver":10,'], ids=["read fast", "read the long way"])
def test_a_point_called_time_is_refused_and_not_left_out(influx1, more):
    known = {"P1/a/": (Place("wuhou", "P1", "a"), Points(Rule(p, "air", "", None, None) for p in ("x", "time", "y")))}
    body = f'[{{{more}"bn":"P1/a/","bt":{AT // 1000},"ep":"9f3c21aa","sq":1,"n":"x","v":1}},'
    body += '{"n":"time","v":2},{"n":"y","v":3}]'
    pack = accept("wuhou", "gw-1", body.encode(), known, AT)
    _, found = run(influx1.store, lambda s: isolate.write(s, [pack], AT), lambda s: s.readings(Wanted()))
    assert [row[4] for row in found] == ["x", "y"]
    assert [(refused.record, refused.reason) for refused in pack.refused] == [(1, "store")]


def test_influxdb_makes_its_database(influx1):
    url = influx1.store + "-new"
    run(url, lambda store: store.write(FRESH, [LEDGER]))
    assert influx1.query("SHOW DATABASES")[0]["values"][-1] == [influx1.database + "-new"]
    influx1.query(f'DROP DATABASE "{influx1.database}-new"')


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
VALUES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), TEXTS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.tuples(NAMES, NAMES, NAMES, NAMES, NAMES), value=VALUES)
def test_influxdb_reads_back_what_a_line_says(influx1, names, value):
    function, *rest = names
    row = ("f-" + function, *rest[:3], f"{rest[3]}-{type(value).__name__}", AT, value, None)
    _, found = run(
        influx1.store,
        lambda s: s.write(Names().runs([row]), []),
        lambda s: s.readings(Wanted(function="f-" + function)),
    )
    assert row in found


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_line_keeps_every_digit(value):
    line = lines.encode(Names().runs([("air", "a", "P", "d", "x", AT, value, None)]), []).decode()
    told = float(line.split(" ")[1].removeprefix("x="))
    assert told == value
    assert math.copysign(1, told) == math.copysign(1, value)


def test_victoria_takes_the_v2_api(victoria):
    run(victoria.store, lambda store: store.write(FRESH, [LEDGER]), lambda store: store.write(FRESH, [LEDGER]))
    found = {series["metric"]["__name__"]: series for series in victoria.export()}
    assert found["air_pm2_5"]["values"][0] == 35.2
    assert found["air_pm2_5"]["timestamps"][0] == AT
    assert found["air_pm2_5"]["metric"]["pole"] == "P0001"
    assert found["pack_readings"]["values"][0] == 5


def test_a_sqlite_value_that_does_not_fit_is_refused(tmp_path):
    row = ("air", "a", "P", "d", "x", 1 << 63, 1.0, None)
    with pytest.raises(Refused):
        run(f"sqlite:{tmp_path}/readings.db", lambda store: store.write(Names().runs([row]), []))


@pytest.mark.parametrize(
    "url", ["", "mysql:x", "sqlite:", "influx1:http://host", "influx2:http://host/org", "influx1:/x"]
)
def test_a_url_that_is_no_store_is_told(url):
    with pytest.raises(ValueError, match="is not a store; write sqlite"):
        check_url(url)


def test_the_v2_store_reads_by_influxql(influx1):
    run(influx1.store, lambda store: store.write(FRESH, [LEDGER]))
    url = f"influx2:{influx1.url}/org/{influx1.database}"
    found, counts, packs = run(url, lambda s: s.readings(Wanted()), lambda s: s.counts(), lambda s: s.packs())
    assert sorted(found) == sorted(ROWS)
    assert counts == (4, 1, 1, 5, 1)
    assert packs[0].ranges == [[7, 7]]


def test_a_server_that_answers_no_influxql_is_told(victoria):
    for ask in (lambda s: s.packs(), lambda s: s.counts(), lambda s: s.readings(Wanted())):
        with pytest.raises(IngestError, match="does not answer InfluxQL"):
            run(victoria.store, lambda store: store.write(FRESH, [LEDGER]), ask)
