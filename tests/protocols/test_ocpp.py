"""Foreign bytes: what real chargers said (noted in public repositories), and the specification's own examples."""

import json

import pytest

from protocols import ocpp
from protocols.errors import BadAnswer

# KEBA P30x, from KEBA.md of OCPP.Core (dallmann-consulting)
KEBA = {
    "boot": (
        '[2,"a8141dd9-4904-4443-976b-bf032324a52e","BootNotification",{"chargePointVendor":"Keba AG",'
        '"chargePointModel":"KC-P30-EC2401B2-M0R","chargePointSerialNumber":"dummy1","chargeBoxSerialNumber":"dummy1","firmwareVersion":'
        '"1.12.0"}]',
        {"vendor": "Keba AG", "model": "KC-P30-EC2401B2-M0R", "serial": "dummy1", "firmware": "1.12.0"},
    ),
    "status": (
        '[2,"cee47d29-fc49-4517-af15-2958fc250f43","StatusNotification",{"connectorId":2,"status":"Available",'
        '"errorCode":"NoError","timestamp":"2021-04-07T07:52:11.864Z","vendorId":"1.12.0"}]',
        {"2:status": "Available", "2:error_code": "NoError", "2:plugged": False, "2:charging": False,
         "2:faulted": False},
    ),
    "meter": (
        '[2,"19d6e3cf-535f-4b83-b1b0-7f16cee6e317","MeterValues",{"connectorId":0,"meterValue":[{"timestamp":'
        '"2021-04-07T11:00:00.000Z","sampledValue":[{"value":"734.6","context":"Sample.Clock","format":"Raw",'
        '"measurand":"Energy.Active.Import.Register","location":"Outlet","unit":"Wh"}]}]}]',
        {"0:meter.Energy.Active.Import.Register": 734.6},
    ),
    "start": (
        '[2,"dab92753-5fe0-43cd-84d1-44cb46d25951","StartTransaction",{"connectorId":4,"idTag":"12345678_dummy1",'
        '"timestamp":"2021-04-08T18:49:11.450Z","meterStart":164}]',
        {"4:meter.Energy.Active.Import.Register": 164},
    ),
}  # fmt: skip
# United Chargers GRS, from the message handler of a public backend
STOP = (
    '[2,"03.00003282c1dc63c95","StopTransaction",{"idTag":"hvresident","timestamp":"2023-03-29T20:05:06.001Z",'
    '"transactionId":1,"meterStop":40330,"reason":"Remote","transactionData":[{"timestamp":"2023-03-29T20:05:06.001Z",'
    '"sampledValue":[{"measurand":"Current.Import","unit":"A","value":"39.35"},{"measurand":"Power.Active.Import",'
    '"unit":"W","value":"9141.55"},{"measurand":"Energy.Active.Import.Register","unit":"Wh","value":"40330.10"}]}]}]'
)


def meter(*samples, **more):
    value = {"timestamp": "2026-11-21T10:00:00Z", "sampledValue": list(samples)}
    return json.dumps([2, "1", "MeterValues", {"connectorId": 1, "meterValue": [value]} | more]).encode()


@pytest.mark.parametrize("name", KEBA)
def test_what_a_keba_said(name):
    text, told = KEBA[name]
    assert ocpp.items(b"", text.encode()) == told


def test_what_a_stop_says():
    told = ocpp.items(b"", STOP.encode())
    assert told["transaction"] == 0
    assert (told["meter.Current.Import"], told["meter.Power.Active.Import"]) == (39.35, 9141.55)
    assert told[ocpp.ENERGY] == 40330, "meterStop is the session's last word"
    assert [said.time_ms for said in ocpp.said(ocpp.parse(STOP))] == [1_680_120_306_001] * 2


def test_the_examples_of_the_specification():
    # OCPP-J 1.6, 4.2
    call = '[2,"19223201","BootNotification",{"chargePointVendor":"VendorX","chargePointModel":"SingleSocketCharger"}]'
    result = '[3,"19223201",{"status":"Accepted","currentTime":"2013-02-01T20:53:32.486Z","heartbeatInterval":300}]'
    error = '[4,"162376037","NotSupported","SetDisplayMessageRequest not implemented",{}]'
    assert ocpp.items(b"", call.encode()) == {"vendor": "VendorX", "model": "SingleSocketCharger"}
    assert ocpp.parse(result).payload["status"] == "Accepted"
    assert (ocpp.parse(error).kind, ocpp.parse(error).name) == (ocpp.ERROR, "NotSupported")
    assert ocpp.items(b"", result.encode()) == {}


def test_the_answer_to_a_start_tells_the_session():
    start = KEBA["start"][0].encode()
    answer = b'[3,"dab92753-5fe0-43cd-84d1-44cb46d25951",{"transactionId":642,"idTagInfo":{"status":"Accepted"}}]'
    assert ocpp.items(answer, start)["4:transaction"] == 642
    assert "4:transaction" not in ocpp.items(answer.replace(b"dab", b"xyz"), start)


@pytest.mark.parametrize(
    ("sample", "name", "value"),
    [
        ({"value": "12345"}, "meter.Energy.Active.Import.Register", 12345),
        ({"value": "3.68", "measurand": "Power.Active.Import", "unit": "kW"}, "meter.Power.Active.Import", 3680),
        ({"value": "0.07014", "unit": "kWh"}, "meter.Energy.Active.Import.Register", 70.14),
        ({"value": "230.3", "measurand": "Voltage", "phase": "L2-N", "unit": "V"}, "meter.Voltage.L2", 230.3),
        ({"value": "399", "measurand": "Voltage", "phase": "L1-L2"}, "meter.Voltage.L1-L2", 399),
        ({"value": "68", "measurand": "Temperature", "unit": "Fahrenheit"}, "meter.Temperature", 20),
        ({"value": "293.15", "measurand": "Temperature", "unit": "K"}, "meter.Temperature", 20),
        ({"value": 16.2, "measurand": "Current.Import"}, "meter.Current.Import", 16.2),
        ({"value": " 5 ", "measurand": "SoC", "unit": "Percent"}, "meter.SoC", 5),
        ({"value": "0.000", "measurand": "Current.Import"}, "meter.Current.Import", 0),
        ({"value": "-3", "measurand": "Power.Factor"}, "meter.Power.Factor", -3),
    ],
)
def test_each_value_has_one_unit(sample, name, value):
    assert ocpp.items(b"", meter(sample))[name] == value


def test_phases_alone_make_a_whole():
    def power(phase, value, measurand="Power.Active.Import"):
        return {"value": value, "measurand": measurand, "phase": phase}

    three = ocpp.items(b"", meter(power("L1", "1487"), power("L2", "1429"), power("L3", "1481")))
    assert three["meter.Power.Active.Import"] == 4397
    own = ocpp.items(b"", meter(power("L1", "1487"), power("L2", "1429"), power("L3", "1"), power("", "9")))
    assert own["meter.Power.Active.Import"] == 9, "what the charger says itself comes first"
    two = ocpp.items(b"", meter(power("L1", "1"), power("L2", "2")))
    assert "meter.Power.Active.Import" not in two
    currents = ocpp.items(b"", meter(*(power(phase, "6", "Current.Import") for phase in ("L1", "L2", "L3"))))
    assert "meter.Current.Import" not in currents, "three currents have no sum"
    assert ocpp.items(b"", meter(power("L1-N", "6", "Current.Import")))["meter.Current.Import"] == 6


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "N/A"}, {"value": ""}, {"value": None}, {"value": True}, {"value": "NaN"}, {"value": "1e999999"},
        {"value": "Infinity"}, {"value": "1" * 500}, {"value": 10**400}, {"value": "5", "measurand": "Mood"}, {},
        {"value": "5", "phase": "L9"}, {"value": "5", "format": "SignedData"}, {"value": "5", "unit": 7},
        {"value": "5", "measurand": ["Voltage"]}, {"value": "5", "phase": {}}, {"value": "--5"},
    ],
)  # fmt: skip
def test_one_value_that_makes_no_sense_takes_none_with_it(sample):
    good = {"value": "231.4", "measurand": "Voltage", "unit": "V"}
    assert ocpp.items(b"", meter(sample, good)) == {"meter.Voltage": 231.4}


@pytest.mark.parametrize(("told", "session"), [(7, 7), (0, None), (-1, None), (1_759_926_730, 1_759_926_730)])
def test_meter_values_name_their_session(told, session):
    assert ocpp.items(b"", meter({"value": "1"}, transactionId=told)).get("transaction") == session


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "noise"), ("x", "noise"), ("[" * 100_000, "noise"), ("1" * 5000, "noise"), ("[2,NaN]", "noise"),
        ('{"a":1}', "header"), ("[]", "header"), ('[2,"1"]', "header"), ("[true,\"1\",\"A\",{}]", "header"),
        ('[2,"","Heartbeat",{}]', "header"), ('[2,5,"Heartbeat",{}]', "header"), ('[2,"1",5,{}]', "header"),
        ('[2,"1","Heartbeat"]', "header"), ('[2,"1","Heartbeat",[]]', "header"), ('[7,"1","Heartbeat",{}]', "header"),
        (f'[2,"{"x" * 65}","Heartbeat",{{}}]', "header"), ('[2,"1","MeterValues",{"connectorId":1}]', "header"),
        ('[2,"1","MeterValues",{"connectorId":1,"meterValue":[5]}]', "header"),
        ('[2,"1","MeterValues",{"connectorId":true,"meterValue":[]}]', "header"),
        ('[2,"1","MeterValues",{"connectorId":64,"meterValue":[]}]', "header"),
        ('[2,"1","MeterValues",{"connectorId":1,"meterValue":[],"transactionId":1.5}]', "header"),
        ('[2,"1","StatusNotification",{"connectorId":1,"status":"Fine","errorCode":"NoError"}]', "header"),
        ('[2,"1","StatusNotification",{"connectorId":1,"status":["Available"],"errorCode":"NoError"}]', "header"),
        ('[2,"1","StatusNotification",{"connectorId":1,"status":"Available","errorCode":5}]', "header"),
        ('[2,"1","StartTransaction",{"connectorId":1,"meterStart":"0"}]', "header"),
        ('[2,"1","StopTransaction",{"transactionId":1,"meterStop":null}]', "header"),
        ('[2,"1","BootNotification",{"chargePointModel":5}]', "header"),
    ],
)  # fmt: skip
def test_what_is_no_ocpp_is_refused(text, fault):
    with pytest.raises(BadAnswer) as refusal:
        ocpp.items(b"", text.encode())
    assert refusal.value.fault == fault


def test_too_many_values_are_refused():
    with pytest.raises(BadAnswer, match="more than 500"):
        ocpp.items(b"", meter(*({"value": "1"} for _ in range(501))))


def test_texts_are_bounded_and_printable():
    boot = json.dumps([2, "1", "BootNotification", {"chargePointModel": "a\x1b\ud800b" + "x" * 500}])
    model = ocpp.items(b"", boot.encode())["model"]
    assert model.startswith("ab")
    assert len(model) <= ocpp.MAX_TEXT
    model.encode()


@pytest.mark.parametrize(
    ("name", "parts"), [("status", (1, "status")), ("0:status", (0, "status")), ("12:x", (12, "x"))]
)
def test_names_have_a_connector(name, parts):
    assert ocpp.split(name) == parts
    assert ocpp.item(*parts) == name


@pytest.mark.parametrize("name", ["x:status", "-1:status", "64:status", "²:status", ":status", "999999:x"])
def test_a_connector_that_is_none(name):
    with pytest.raises(BadAnswer):
        ocpp.split(name)
