"""Whatever a camera or a screen sends is read or is a BadAnswer (of SOAP also a refusal), and nothing else.

The long run: MUTATIONS=1000000 pytest tests/protocols/test_camera_fuzz.py --timeout 3600 -s; SOAP takes a tenth of it.
"""

import os
import random
from urllib.parse import urlsplit

from protocols import digest, head, multivision, onvif, rtsp, soap
from protocols.errors import BadAnswer, Refused
from tests.protocols.test_onvif import UTC, clock, xml
from tests.protocols.test_rtsp import DESCRIBED

COUNT = int(os.environ.get("MUTATIONS", "20000"))
TOKENS = [
    b"\x01", b"\r", b"\r\n", b"\r\n\r\n", b"LEDR", b"LEDG", b"=", b"?", b"$\x00\x10\x00", b"RTSP/1.0 ", b"HTTP/1.1 ",
    b"Content-Length: ", b"CSeq: ", b"99999999999", b"-1", b"\xff", b"\x00", b'"', b"\\", b",", b"m=video ", b"Digest ",
    b"<", b">", b"&", b"</", b"]]>", b"<!DOCTYPE x [", b"&#0;", b"&#x10FFFF;", b"xmlns=", "é汉".encode(),
    b"\xed\xa0\x80",
]  # fmt: skip
ASKED = b"DESCRIBE rtsp://10.0.0.7/a RTSP/1.0\r\nCSeq: 4\r\n\r\n"
POSTED = b"POST /onvif/device_service HTTP/1.1\r\nDate: Fri, 05 Jul 2024 18:56:02 GMT\r\n\r\n"
CHALLENGE = (
    b'Digest realm="IP Camera(C1214)", nonce="0191", qop="auth, auth-int", algorithm=SHA-256, Basic realm="a\\"b"'
)


def mutated(chance, data):
    """One to four changes to good bytes."""
    data = bytearray(data)
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(data) + 1)
        way = chance.randrange(5)
        if way == 0:
            data[at : at + chance.randrange(12)] = b""
        elif way == 1 and at < len(data):
            data[at] = chance.randrange(256)
        elif way == 2:
            data[at:at] = chance.choice(TOKENS)
        elif way == 3:
            data[at:at] = data[max(0, at - chance.randrange(80)) : at]
        else:
            data[at : at + 8] = chance.randbytes(chance.randrange(9))
    return bytes(data)


def run(count, seed, attempt):
    """How many were read, how many refused."""
    chance, read = random.Random(seed), 0
    for _ in range(count):
        try:
            attempt(chance)
            read += 1
        except (BadAnswer, Refused):
            pass
    print(f"{attempt.__name__}: {count} inputs, {read} read, {count - read} refused")
    return read, count - read


def screen(chance):
    good = b"".join(
        multivision.encode("R", verb, 1, value) for verb, value in (("TEXT", "欢迎"), ("BRIGH", chance.randrange(101)))
    )
    said = multivision.items(b"\x01LEDGBRIGH01=?\r", mutated(chance, good))
    assert list(said) == ["BRIGH"]
    assert isinstance(said["BRIGH"], int | str)


def stream(chance):
    response = mutated(chance, DESCRIBED)
    found = head.split(response)
    if found is not None:
        assert len(found[0].body) <= head.MOST_BODY
        digest.challenges(found[0].all("www-authenticate"))
        rtsp.sequence(found[0])
    said = onvif.items(ASKED, response)
    assert set(said) <= {"stream_alive"}


def challenge(chance):
    offered = digest.challenges([mutated(chance, CHALLENGE).decode("latin-1")])
    told = digest.authorization(offered, user="u", password="p", method="X", uri="y", cnonce="c", basic=True)
    assert told.isprintable()


def place(chance):
    uri, port = rtsp.place(mutated(chance, b"rtsp://admin:12345@192.168.1.64:8554/ch1/main?x=y#z").decode("latin-1"))
    assert 0 < port < 65536
    assert "@" not in urlsplit(uri).netloc
    assert len(rtsp.request("DESCRIBE", uri, 1).split(b"\r\n")) == 4


def camera(chance):
    information = "<tds:GetDeviceInformationResponse><tds:Model>汉 A</tds:Model></tds:GetDeviceInformationResponse>"
    fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>"
    document = mutated(chance, chance.choice([clock(UTC), xml(information), xml(fault)]))
    said = onvif.items(POSTED, b"HTTP/1.1 200 OK\r\n\r\n" + document)
    assert set(said) <= set(onvif.ITEMS)
    element = soap.answer(document)
    for decode in (onvif.profiles, onvif.services, onvif.information):
        decode(element)


def test_mutated_frames_of_a_screen():
    read, refused = run(COUNT, 4010, screen)
    assert min(read, refused) > COUNT / 10


def test_mutated_answers_of_a_stream():
    read, refused = run(COUNT, 554, stream)
    assert min(read, refused) > COUNT / 20


def test_mutated_challenges():
    read, refused = run(COUNT, 401, challenge)
    assert read > COUNT / 10
    assert refused > 0


def test_mutated_uris():
    read, refused = run(COUNT, 2326, place)
    assert min(read, refused) > COUNT / 20


def test_mutated_soap():
    read, refused = run(COUNT // 10, 1200, camera)
    assert min(read, refused) > COUNT / 200
