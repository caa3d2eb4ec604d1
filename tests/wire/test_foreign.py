"""Other people's SenML code reads our packs, and their packs are SenML to us.

kpn-senml 1.0.1 follows every base name but reads no times, and no texts on Python 3; senml 0.1.0 reads times and texts
but one base a pack. Between them they cover what we send.
"""

import json

import kpn_senml
import senml as second

from wire import packs
from wire import senml as ours

AT = 1763683200250
READINGS = [
    ("P0001/air-1", "pm2_5", AT, 35.2, None),
    ("P0001/air-1", "pm10", AT - 1250, 61, None),
    ("P0001/cover-1", "open", AT, True, None),
    ("P0001/water-1", "level", AT, None, "timeout"),
]
ONE_BASE = [*READINGS[:2], ("P0001/air-1", "text", AT, "前方积水", None)]


def test_kpn_senml_reads_our_names_and_values():
    seen = []
    pack = kpn_senml.SenmlPack("reader", lambda record, device=None: seen.append(record))
    pack.from_json(packs.encode("9f3c21aa", 1, READINGS))
    found = [(child.name, record.name, record.value) for child in pack._data for record in child._data]
    assert found == [(device + "/", point, value) for device, point, _at, value, _quality in READINGS]
    assert len(seen) == len(READINGS)


def test_senml_reads_our_times_and_names():
    body = packs.encode("9f3c21aa", 1, ONE_BASE)
    document = second.SenMLDocument.from_json(json.loads(body))
    found = [record.to_absolute(document.base) for record in document.measurements]
    assert [(one.name, round(one.time * 1000), one.value) for one in found] == [
        (f"{device}/{point}", at, value) for device, point, at, value, _quality in ONE_BASE
    ]


def resolved(records):
    ours.check_understood(records)
    base = ours.new_base()
    return [ours.resolve(record, base)[:4] for record in records]


def test_we_read_what_kpn_senml_writes():
    pack = kpn_senml.SenmlPack("P0001/air-1/")
    pack.base_time, pack.base_unit = 1763683200, "Cel"
    for point, value, after in (("temperature", 21.5, 0.25), ("open", False, 60)):
        pack.add(kpn_senml.SenmlRecord(point, value=value, time=1763683200 + after))
    assert resolved(json.loads(pack.to_json())) == [
        ("P0001/air-1/temperature", "Cel", 1763683200250, 21.5),
        ("P0001/air-1/open", "Cel", 1763683260000, False),
    ]


def test_we_read_what_senml_writes():
    base = second.SenMLMeasurement(name="P0001/air-1/", time=1763683200.25, unit="Cel", value=20)
    measured = [
        second.SenMLMeasurement(name="a", value=1.5),
        second.SenMLMeasurement(name="b", time=-5, unit="V", value=2),
    ]
    document = second.SenMLDocument(measurements=measured, base=base)
    assert resolved(document.to_json()) == [
        ("P0001/air-1/a", "Cel", AT, 21.5),
        ("P0001/air-1/b", "V", AT - 5000, 22.0),
    ]
