"""SOAP and ONVIF: what cameras tell, and what hostile XML may not do."""

import base64
import calendar
import tracemalloc

import pytest
from defusedxml.ElementTree import fromstring

from device_profiles.items import NAMES as ITEM_NAMES
from protocols import onvif, soap
from protocols.errors import BadAnswer, Refused

NAMES = (
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"'
)
UTC = (
    "<tt:UTCDateTime><tt:Time><tt:Hour>18</tt:Hour><tt:Minute>56</tt:Minute><tt:Second>5</tt:Second></tt:Time>"
    "<tt:Date><tt:Year>2024</tt:Year><tt:Month>7</tt:Month><tt:Day>5</tt:Day></tt:Date></tt:UTCDateTime>"
)


def xml(body):
    return f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope {NAMES}><s:Body>{body}</s:Body></s:Envelope>'.encode()


def clock(utc):
    told = f"<tds:SystemDateAndTime>{utc}</tds:SystemDateAndTime>"
    return xml(f"<tds:GetSystemDateAndTimeResponse>{told}</tds:GetSystemDateAndTimeResponse>")


def exchange(request, response):
    start = b"POST /onvif/device_service HTTP/1.1\r\nDate: Fri, 05 Jul 2024 18:56:02 GMT\r\n\r\n"
    return onvif.items(start + request, b"HTTP/1.1 200 OK\r\n\r\n" + response)


def test_the_proof_of_a_password_as_onvifs_guide_computes_it():
    # ONVIF Application Programmer's Guide 1.0, 6.1.1.3
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    assert soap.digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="
    token = soap.username_token(user="<a&b>", password="userpassword", created="2010-09-16T07:50:45Z", nonce=nonce)
    assert "userpassword" not in token
    document = soap.parsed(soap.envelope("<x/>", token))
    found = soap.child(document, "Header", "Security", "UsernameToken")
    assert soap.text(soap.child(found, "Username")) == "<a&b>"
    assert soap.text(soap.child(found, "Password")) == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_the_clock_of_a_camera():
    answer = onvif.result(onvif.GET_TIME, clock(UTC))
    assert onvif.device_time(answer) == calendar.timegm((2024, 7, 5, 18, 56, 5))
    assert exchange(b"", clock(UTC)) == {"reachable": True, "clock_skew_s": 3}


@pytest.mark.parametrize(("ahead", "latency"), [(0, 0.0), (0, 0.4), (7, 0.1), (-3600, 0.9), (0.4, 0.0), (-0.6, 0.2)])
def test_the_skew_is_right_within_a_second_whenever_it_is_asked(ahead, latency):
    for hundredths in range(100):
        sent = 1_763_683_200 + hundredths / 100
        told = int(sent + latency / 2 + ahead)  # the camera cuts its fractions off
        assert abs(onvif.skew(told, sent, sent + latency) - ahead) <= 1
    assert {onvif.skew(int(now / 10), now / 10, now / 10) for now in range(17636832000, 17636832010)} == {0}


@pytest.mark.parametrize(
    "utc",
    [
        UTC.replace("UTC", "Local"),  # agsh/onvif pull request 165: a camera that tells no other
        UTC.replace("18", "25"), UTC.replace("2024", "0"), UTC.replace("2024", "99999"), UTC.replace(">7<", ">²<"),
        UTC.replace(">5<", "><"), "",
    ],
)  # fmt: skip
def test_a_clock_that_tells_nothing_is_a_bad_answer(utc):
    with pytest.raises(BadAnswer):
        onvif.device_time(onvif.result(onvif.GET_TIME, clock(utc)))


def test_a_leap_second_is_a_second():
    assert onvif.device_time(onvif.result(onvif.GET_TIME, clock(UTC.replace(">5</tt:S", ">60</tt:S")))) % 60 == 59


def test_a_fault_says_why_and_whether_it_is_about_the_password():
    # cdavis-code/easy_onvif_workspace issue 54: how cameras word it
    def fault(subcode, reason):
        code = f"<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
        return xml(f'<s:Fault>{code}<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>')

    with pytest.raises(Refused) as told:
        soap.answer(fault("ter:NotAuthorized", "The security token could not be\nauthenticated &lt;x&gt;"))
    assert told.value.code == soap.DENIED
    assert str(told.value) == ("the device refuses: NotAuthorized: The security token could not be authenticated <x>")
    with pytest.raises(Refused) as told:
        soap.answer(fault("ter:ActionNotSupported", "A" * 5000))
    assert (told.value.code, told.value.quality) == (0, "disabled")
    assert len(str(told.value)) < 300
    old = "<s:Fault><faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring></s:Fault>"
    with pytest.raises(Refused, match="FailedAuthentication: no") as told:
        soap.answer(xml(old))
    assert told.value.code == soap.DENIED
    assert exchange(b"", fault("ter:NotAuthorized", "x")) == {"reachable": True}


def test_an_answer_to_another_operation_is_late():
    with pytest.raises(BadAnswer) as told:
        onvif.result(onvif.GET_INFORMATION, clock(UTC))
    assert told.value.fault == "late"


def test_services_stand_on_the_host_that_the_site_names():
    assert onvif.place("http://192.168.1.64:8899/onvif/Media?x=1", "10.0.0.7", 80) == (80, "/onvif/Media?x=1")
    assert onvif.place("http://10.0.0.7:8899/onvif/Media", "10.0.0.7", 80) == (8899, "/onvif/Media")
    assert onvif.place("http://10.0.0.7/onvif/Media", "10.0.0.7", 8899) == (8899, "/onvif/Media")
    assert onvif.place("http://evil.example", "10.0.0.7", 81) == (81, onvif.DEVICE_PATH)
    for url in ("http://a/\r\nX: y", "http://a/ b", "http://[::1/x", "http://a:0x50/", "http://a/" + "x" * 2000):
        with pytest.raises(BadAnswer):
            onvif.place(url, "10.0.0.7", 80)


def test_tokens_are_escaped():
    profile, preset = 'p"<&>', "<PresetToken>"
    element = fromstring(onvif.goto_preset(profile, preset).body)
    assert [part.text for part in element] == [profile, preset]
    assert fromstring(onvif.get_stream_uri("a&b").body)[1].text == "a&b"
    for bad in ("", "x" * 65, "1\n2", "\0"):
        with pytest.raises(ValueError, match="printable"):
            onvif.goto_preset("p", bad)


LAUGHS = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    "document",
    [
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">{LAUGHS}]><x>&i;</x>'.encode(),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>',
        b"<a>" * 200_000,
        b"<r>" + b"<b/>" * 200_000 + b"</r>",
        b"<r " + b" ".join(b'a%d=""' % each for each in range(100_000)) + b"/>",
        b"<x>" + b"y" * (soap.MOST_BODY + 1) + b"</x>",
        b'<?xml version="1.0" encoding="utf-7"?><x/>',
        b'<?xml version="1.0" encoding="nonsense"?><x/>',
        b"<tds:x/>", b"", b"\xff\xfe", b"<html>", b"\0" * 1000,
    ],
    ids=range(14),
)  # fmt: skip
def test_hostile_xml_is_refused_in_bounded_memory(document):
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer):
            soap.answer(document)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_profiles_services_and_the_stream():
    told = '<y:Profiles xmlns:y="z" token="A"/><Profiles/><Profiles token="B"><tt:VideoSourceConfiguration/>'
    profiles = onvif.profiles(fromstring(f"<x {NAMES}>{told}<tt:PTZConfiguration/></Profiles></x>"))
    assert profiles == [onvif.Profile("A", False, False), onvif.Profile("B", True, True)]
    told = fromstring(
        f"<x {NAMES}><Capabilities><tt:Media><tt:XAddr> http://a/m </tt:XAddr></tt:Media></Capabilities></x>"
    )
    assert onvif.services(told) == {"media": "http://a/m"}
    with pytest.raises(BadAnswer):
        onvif.stream_uri(fromstring("<x/>"))


def test_profiles_may_name_what_the_codec_knows():
    assert ITEM_NAMES["onvif"][0].split("|") == [*onvif.ITEMS, *onvif.COMMANDS]
