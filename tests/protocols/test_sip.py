"""OPTIONS and its answers: the examples of RFC 3261 and RFC 4475, and a parser that is not ours."""

import os
import random

import pytest
import sipmessage

from protocols import sip
from protocols.errors import BadAnswer
from protocols.sip import Transaction

COUNT = int(os.environ.get("MUTATIONS", "20000"))

# RFC 3261, 11.1 and 11.2: what carol is asked, and what she answers (its Via is folded, as the RFC prints it)
ASKED = (
    b"OPTIONS sip:carol@chicago.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKhjhs8ass877\r\n"
    b"Max-Forwards: 70\r\nTo: <sip:carol@chicago.com>\r\nFrom: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\nCSeq: 63104 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
ANSWERED = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKhjhs8ass877\r\n ;received=192.0.2.4\r\n"
    b"To: <sip:carol@chicago.com>;tag=93810874\r\nFrom: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\nCSeq: 63104 OPTIONS\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
)
CAROL = Transaction(branch="hjhs8ass877", call_id="a84b4c76e66710", sequence=63104)
OURS = Transaction(branch="5af1", call_id="c0ffee", sequence=7)


def response(status="200 OK", **headers):
    told = {
        "Via": "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK5af1;rport=5070", "To": "<sip:10.0.0.7>;tag=x",
        "From": "<sip:multipole@10.0.0.1>;tag=5af1", "Call-ID": "c0ffee", "CSeq": "7 OPTIONS",
    } | {key.replace("_", "-"): value for key, value in headers.items()}  # fmt: skip
    lines = [f"SIP/2.0 {status}", *(f"{key}: {value}" for key, value in told.items() if value is not None), "", ""]
    return "\r\n".join(lines).encode()


def request(transaction=OURS):
    return sip.options(transaction, host="10.0.0.7", port=5060, own_host="10.0.0.1", own_port=5070)


def test_the_exchange_of_the_standard():
    assert sip.transaction_of(ASKED) == CAROL
    assert sip.answer(ANSWERED).transaction == CAROL
    assert sip.items(ASKED, ANSWERED) == {"alive": True, "status_code": 200}


def test_our_request_as_another_parser_reads_it():
    read = sipmessage.Message.parse(request())
    assert (read.method, str(read.uri)) == ("OPTIONS", "sip:10.0.0.7:5060")
    assert read.via[0].parameters["branch"] == "z9hG4bK5af1"
    assert "rport" in read.via[0].parameters
    assert (read.via[0].host, read.via[0].port) == ("10.0.0.1", 5070)
    assert (read.call_id, read.cseq.sequence, read.cseq.method) == ("c0ffee", 7, "OPTIONS")
    assert read.max_forwards == 70
    assert read.content_length == 0
    assert read.from_address.parameters["tag"] == "5af1"
    assert sip.transaction_of(request()) == OURS


def test_an_ipv6_device_is_written_in_brackets():
    sent = sip.options(OURS, host="2001:db8::7", port=5060, own_host="2001:db8::1", own_port=5070)
    assert sent.startswith(b"OPTIONS sip:[2001:db8::7]:5060 SIP/2.0\r\n")
    assert sipmessage.Message.parse(sent).via[0].host == "[2001:db8::1]"


@pytest.mark.parametrize(
    ("status", "alive"),
    [
        ("200 OK", True), ("202 Accepted", True), ("302 Moved Temporarily", True), ("401 Unauthorized", True),
        ("404 Not Found", True), ("405 Method Not Allowed", True), ("486 Busy Here", True), ("500 Oops", True),
        ("603 Decline", True), ("408 Request Timeout", False), ("480 Temporarily Unavailable", False),
        ("503 Service Unavailable", False), ("504 Server Time-out", False),
    ],
)  # fmt: skip
def test_who_is_alive(status, alive):
    assert sip.items(request(), response(status)) == {"alive": alive, "status_code": int(status[:3])}


def test_a_provisional_answer_is_none():
    assert not sip.answer(response("100 Trying")).is_final
    with pytest.raises(BadAnswer, match="provisional"):
        sip.items(request(), response("100 Trying"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Via": "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKother"},
        {"Via": "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK5AF1"},
        {"Call_ID": "another"},
        {"CSeq": "6 OPTIONS"},
        {"CSeq": "7 INVITE"},
    ],
)
def test_an_answer_to_another_request_is_late(headers):
    with pytest.raises(BadAnswer) as caught:
        sip.items(request(), response(**headers))
    assert caught.value.fault == "late"


@pytest.mark.parametrize(
    "headers",
    [{"Via": None}, {"Via": "SIP/2.0/UDP 10.0.0.1"}, {"CSeq": None}, {"CSeq": "x"}, {"CSeq": "7"}, {"Call_ID": None}],
)
def test_a_header_that_is_missing_or_broken(headers):
    with pytest.raises(BadAnswer) as caught:
        sip.answer(response(**headers))
    assert caught.value.fault == "header"


def test_only_the_topmost_via_is_ours():
    both = "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK5af1, SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKfar"
    assert sip.items(request(), response(Via=both))["alive"] is True
    turned = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKfar, SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK5af1"
    with pytest.raises(BadAnswer):
        sip.items(request(), response(Via=turned))


def test_torture_of_rfc_4475():
    # 3.1.1.1: compact and oddly written names, spaces before the colon, folded lines
    odd = (
        b"SIP/2.0 200 OK\r\nTO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
        b'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
        b"i: 98asdh.1@192.0.2.1\r\ncseq: 0009\r\n  OPTIONS\r\n"
        b"v:  SIP  / 2.0  / UDP\r\n    192.0.2.2;branch=390skdjuw\r\nl:0\r\n\r\n"
    )
    assert sip.answer(odd).transaction == Transaction(
        branch="390skdjuw", call_id="98asdh.1@192.0.2.1", sequence=9
    )  # fmt: skip
    # 3.1.1.12 and 3.1.1.13: a reason phrase with everything in it, and none
    strange = response("200 = 2**3 * 5**2 но сто девяносто девять - простое")
    assert sip.items(request(), strange) == {"alive": True, "status_code": 200}
    assert sip.answer(response("100 ")).code == 100
    assert sip.answer(response("200")).code == 200
    # 3.1.2.19: a status code that is no number of three digits
    with pytest.raises(BadAnswer):
        sip.answer(response("4294967301 better not break the receiver"))


def test_what_is_no_answer():
    for datagram in (b"", b"\r\n\r\n", b"\0" * 40, ASKED, b"HTTP/1.1 200 OK\r\n\r\n", b"SIP/2.0 200 OK\r\n"):
        with pytest.raises(BadAnswer):
            sip.answer(datagram)
    with pytest.raises(BadAnswer):
        sip.transaction_of(ANSWERED)
    with pytest.raises(BadAnswer) as caught:
        sip.answer(ANSWERED + b"x" * sip.MAX_MESSAGE)
    assert caught.value.fault == "length"


def test_an_answer_cut_before_its_end_is_refused():
    end = ANSWERED.index(b"\r\n\r\n") + 4
    for length in range(end):
        with pytest.raises(BadAnswer):
            sip.answer(ANSWERED[:length])
    assert sip.answer(ANSWERED[:end]).code == 200  # the body is not needed


def changed(chance, whole):
    body = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        way = chance.randrange(5)
        if way == 0 and at < len(body):
            body[at] = chance.randrange(256)
        elif way == 1:
            del body[at : at + chance.randint(1, 30)]
        elif way == 2:
            body[at:at] = chance.choice(
                [b"\r\n", b"\r\n ", b":", b"\0", b"\xff", b"9" * 30, b";branch=", b"v:", b"SIP/2.0"]
            )
        elif way == 3:
            other = chance.randrange(len(body) + 1)
            body[at:at] = body[other : other + 40]
        elif chance.random() < 0.1:
            del body[at:]
        if not body:
            break
    return bytes(body)


def test_fuzz_only_bad_answers_come_out():
    """The full million: MUTATIONS=1000000 pytest tests/protocols/test_sip.py -k fuzz --timeout 3600"""
    chance = random.Random(5060)
    good = 0
    for _ in range(COUNT):
        try:
            told = sip.items(ASKED, changed(chance, ANSWERED))
        except BadAnswer:
            continue
        good += 1
        assert told["alive"] is (told["status_code"] not in sip.NOT_ALIVE)
        assert 200 <= told["status_code"] <= 699
    assert 0 < good < COUNT
