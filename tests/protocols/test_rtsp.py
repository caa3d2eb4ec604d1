"""RTSP heads, descriptions and URIs; the messages that cameras sent stand in public issue threads."""

import pytest

from protocols import head, rtsp
from protocols.errors import BadAnswer

DESCRIBED = (
    b"RTSP/1.0 200 OK\r\nServer: Linux/2.6.32.17-davinci1 Ze-PRO\r\nCSeq: 4\r\nContent-Length: 41\r\n"
    b"Content-Type: application/sdp\r\n\r\nv=0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=x\r\n\r\n"
)


def whole(data):
    found = head.split(data)
    assert found is not None
    return found[0]


def test_a_message_is_cut_at_every_byte():
    for end in range(len(DESCRIBED)):
        assert head.split(DESCRIBED[:end]) is None
    message, rest = head.split(DESCRIBED + b"RTSP/1.0 ")
    assert (message.status, message.reason, rtsp.sequence(message), rest) == (200, "OK", 4, b"RTSP/1.0 ")
    assert rtsp.is_alive(message) is True
    assert message.one("server") == "Linux/2.6.32.17-davinci1 Ze-PRO"


def test_the_challenges_of_a_camera_keep_their_order():
    # google/ExoPlayer issue 9800: a Hikvision camera offers both
    message = whole(
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n"
        b'WWW-Authenticate: Digest realm="IP Camera(C1214)", nonce="0191a41d", stale="FALSE"\r\n'
        b'WWW-Authenticate: Basic realm="IP Camera(C1214)"\r\nDate:  Tue, Dec 21 2021 12:08:36 GMT\r\n\r\n'
    )
    assert [value.split()[0] for value in message.all("www-authenticate")] == ["Digest", "Basic"]
    assert rtsp.is_alive(message) is None


@pytest.mark.parametrize(
    ("status", "body", "alive"),
    [
        (200, b"v=0\nm=audio 0 RTP/AVP 0\n", False), (200, b"v=0\nm=video 0 RTP/AVP 96\n", True), (200, b"", False),
        (404, b"", False), (454, b"", False), (503, b"", False), (401, b"", None), (403, b"", None), (302, b"", None),
    ],
)  # fmt: skip
def test_what_an_answer_says_of_the_stream(status, body, alive):
    assert rtsp.is_alive(head.Message(status, "", (), body)) is alive


def test_a_request_of_the_cameras_own_and_a_folded_header():
    message = whole(b"SET_PARAMETER rtsp://a/b RTSP/1.0\r\nCSeq: 9\r\nX: one\r\n two\r\n\r\n")
    assert (message.status, rtsp.sequence(message), message.one("x")) == (0, 9, "one two")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"$\x00\x05\x00abcd", "noise"), (b"\x00\x01", "noise"), (b"HELLO\r\n\r\n", "header"),
        (b"RTSP/1.0 200 OK\r\nno colon\r\n\r\n", "header"), (b"RTSP/1.0 999 X\r\n\r\n", "header"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "length"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 104857600\r\n\r\n", "length"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: \xb2\r\n\r\n", "length"),
        (b"R" * 20_000, "length"),
    ],
)  # fmt: skip
def test_what_is_no_message(data, fault):
    with pytest.raises(BadAnswer) as told:
        head.split(data)
    assert told.value.fault == fault


def test_a_streams_uri_loses_its_credentials():
    assert rtsp.place("rtsp://admin:pa:ss@192.168.1.64:8554/ch1?a=1") == ("rtsp://192.168.1.64:8554/ch1?a=1", 8554)
    assert rtsp.place("rtsp://[2001:db8::1]/x") == ("rtsp://[2001:db8::1]/x", 554)


@pytest.mark.parametrize(
    "uri",
    [
        "", "http://a/b", "rtsp:///x", "rtsp://a/b\r\nX: y", "rtsp://a/b c", "rtsp://a:99999/", "rtsp://[::1/",
        "rtsp://a/é", "rtsp://a/" + "x" * 1100, "rtsps://admin:s3cret@a/",
    ],
)  # fmt: skip
def test_what_is_no_stream_uri(uri):
    with pytest.raises(BadAnswer) as told:
        rtsp.place(uri)
    assert "s3cret" not in str(told.value)
