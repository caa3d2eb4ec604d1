"""Cameras that mean harm, or are broken: bounded time, bounded memory, the right error, and no word of the password."""

import asyncio
import contextlib
import gc
import time
import tracemalloc

import pytest

from gateway.asked.onvif_asker import OnvifAsker
from protocols import soap
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout

WAIT = 0.4
PASSWORD = "s3cret-word"
NAMES = (
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:t="http://www.onvif.org/ver10/schema"'
)
PART = b"A" * 1_000_000


@contextlib.asynccontextmanager
async def peer(behaviour):
    """Listens, and behaves; heard: what came."""
    heard = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            await behaviour(reader, writer, heard[-1])
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


def soap_answer(inner):
    body = f"<s:Envelope {NAMES}><s:Body>{inner}</s:Body></s:Envelope>".encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def says(*parts, pause=0.0, stay=0.0):
    async def behaviour(reader, writer, request):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(stay)

    return behaviour


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 1000 + '">]>'
CAMERAS = {
    "silence": (says(stay=3), Timeout),
    "slow drip of headers": (says(*(b"X-%d: y\r\n" % each for each in range(200)), pause=0.05), (Timeout, BadAnswer)),
    "slow drip of a body": (says(OK + b"Content-Length: 1000\r\n\r\n", *[b" "] * 200, pause=0.05), Timeout),
    "half a head": (says(b"HTTP/1.1 200 O", stay=3), Timeout),
    "head without end": (says(OK, *[b"X: " + PART] * 100), BadAnswer),
    "informational answers without end": (says(*[b"HTTP/1.1 100 Continue\r\n\r\n" * 500] * 4000), (Timeout, BadAnswer)),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BadAnswer),
    "an end at once": (says(), (BadAnswer, LineDown)),
    "a body that is shorter than told": (says(OK + b"Content-Length: 99\r\n\r\n<x/>"), BadAnswer),
    "a body that is longer than told": (says(OK + b"Content-Length: 4\r\n\r\n<x/>" + PART), BadAnswer),
    "two lengths": (says(OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n<x/>"), BadAnswer),
    "100 MB": (says(OK + b"Content-Length: 100000000\r\n\r\n", *[PART] * 100), BadAnswer),
    "100 MB in chunks": (
        says(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"F4240\r\n" + PART + b"\r\n"] * 100), BadAnswer,
    ),
    "100 MB of XML": (says(OK + b"\r\n<x>", *[b"<b/>" * 250_000] * 100), BadAnswer),
    "compressed": (says(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), BadAnswer),
    "entities": (says(soap_answer("").replace(b"<s:E", BOMB.encode() + b"<s:E", 1)), BadAnswer),
    "the answer to another operation": (says(soap_answer("<d:GetScopesResponse/>")), BadAnswer),
    "a redirect": (says(b"HTTP/1.1 302 Found\r\nLocation: http://[::1]/\r\nContent-Length: 0\r\n\r\n"), BadAnswer),
}  # fmt: skip


@pytest.mark.parametrize("name", CAMERAS)
def test_a_hostile_camera_costs_little_time_and_memory(name):
    behaviour, kinds = CAMERAS[name]

    async def scene():
        asker = OnvifAsker(user="admin", password=PASSWORD, wait=WAIT)
        async with peer(behaviour) as (port, heard):
            gc.collect()
            tracemalloc.start()
            started = time.monotonic()
            with pytest.raises(kinds) as told:
                await asker.ask(f"127.0.0.1:{port}", ["clock_skew_s"])
            assert time.monotonic() - started < 20
            # the hostile camera is in this process too, with up to 2 MB under way
            assert tracemalloc.get_traced_memory()[1] < soap.MOST_BODY * 6
            tracemalloc.stop()
            assert PASSWORD not in str(told.value)
            assert not any(PASSWORD.encode() in each for each in heard)
        await asker.close()

    asyncio.run(scene())


def test_a_reset_in_the_middle_is_a_line_that_is_down():
    async def reset(reader, writer, request):
        writer.write(OK + b"Content-Length: 500\r\n\r\n<s:Env")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER 0: a reset, not an end

    async def scene():
        asker = OnvifAsker(wait=WAIT)
        async with peer(reset) as (port, _):
            said = await asker.ask(f"127.0.0.1:{port}", ["reachable", "answer_ms"])
        await asker.close()
        assert said["reachable"] is False
        assert isinstance(said["answer_ms"], LineDown)

    asyncio.run(scene())


CLOCK = soap_answer(
    "<d:GetSystemDateAndTimeResponse><d:SystemDateAndTime><t:UTCDateTime><t:Time><t:Hour>1</t:Hour><t:Minute>2</t:Minute>"
    "<t:Second>3</t:Second></t:Time><t:Date><t:Year>2026</t:Year><t:Month>11</t:Month><t:Day>21</t:Day></t:Date>"
    "</t:UTCDateTime></d:SystemDateAndTime></d:GetSystemDateAndTimeResponse>"
)


def camera(*, media="http://127.0.0.1/onvif/media", uri="rtsp://127.0.0.1:{port}/a", token="P"):
    """Answers like a camera whose words may be hostile; rtsp_port is filled in by the test."""
    ports = {}

    async def behaviour(reader, writer, request):
        length = int(request.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        for name, inner in (
            (b"GetSystemDateAndTime", None),
            (b"GetCapabilities", f"<d:Capabilities><t:Media><t:XAddr>{media}</t:XAddr></t:Media></d:Capabilities>"),
            (b"GetProfiles", f'<d:Profiles token="{token}"><t:VideoSourceConfiguration/></d:Profiles>'),
            (b"GetStreamUri", f"<d:MediaUri><t:Uri>{uri.format(**ports)}</t:Uri></d:MediaUri>"),
        ):
            if b"<" + name + b" " in body:
                answer = f"<d:{name.decode()}Response>{inner}</d:{name.decode()}Response>"
                writer.write(CLOCK if inner is None else soap_answer(answer))
                await writer.drain()

    behaviour.ports = ports
    return behaviour


async def asked(behaviour, stream):
    asker = OnvifAsker(user="admin", password=PASSWORD, wait=WAIT)
    try:
        async with peer(behaviour) as (port, heard), peer(stream) as (rtsp_port, described):
            behaviour.ports["port"] = rtsp_port
            said = await asker.ask(f"127.0.0.1:{port}", ["stream_alive", "stream_ms"])
            assert not any(PASSWORD.encode() in each for each in heard + described)
            assert not any(PASSWORD in str(value) for value in said.values())
            return said, described
    finally:
        await asker.close()


SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\n"
GOOD = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % len(SDP) + SDP
STREAMS = {
    "good": (says(GOOD, stay=1), True),
    "a byte at a time": (says(*(GOOD[each : each + 1] for each in range(len(GOOD))), pause=0.001, stay=1), True),
    "requests and late answers first": (
        says(b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\nRTSP/1.0 404 No\r\nCSeq: 0\r\n\r\n" + GOOD, stay=1), True,
    ),
    "silence": (says(stay=3), False),
    "slow drip": (says(*[b"R"] * 200, pause=0.05), False),
    "half a body": (says(GOOD[:-3], stay=3), False),
    "a head without end": (says(b"RTSP/1.0 200 OK\r\n", *[b"X: " + PART] * 100), BadAnswer),
    "media without end": (says(*[b"$\x00\xff\xff" + PART] * 100), BadAnswer),
    "late answers without end": (says(*[b"RTSP/1.0 200 OK\r\nCSeq: 0\r\n\r\n" * 1000] * 1000), BadAnswer),
    "a body of 100 MB": (says(b"RTSP/1.0 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[PART] * 100), BadAnswer),
    "an end after half": (says(GOOD[:-3]), BadAnswer),
    "no RTSP": (says(b"\x16\x03\x01\x02\x00"), BadAnswer),
    "a password asked for in an unknown way": (
        says(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Negotiate\r\n\r\n", stay=1), Refused,
    ),
    "a password asked for readable": (
        says(b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n', stay=1), Refused,
    ),
    "a challenge that would add a header": (
        says(b'RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="a\nX: 1", nonce=n\r\n\r\n', stay=1),
        Refused,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_hostile_stream_costs_little_time_and_memory(name):
    behaviour, wanted = STREAMS[name]

    async def scene():
        gc.collect()
        tracemalloc.start()
        started = time.monotonic()
        said, _ = await asked(camera(), behaviour)
        assert time.monotonic() - started < 20
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
        tracemalloc.stop()
        if isinstance(wanted, bool):
            assert said["stream_alive"] is wanted
            assert isinstance(said["stream_ms"], float if wanted else DeviceError)
        else:
            assert {type(value) for value in said.values()} == {wanted}

    asyncio.run(scene())


@pytest.mark.parametrize(
    "words",
    [
        {"uri": "rtsp://127.0.0.1:{port}/a&#13;&#10;DESCRIBE x"}, {"uri": "http://127.0.0.1:{port}/a"}, {"uri": ""},
        {"media": "http://127.0.0.1/a b"}, {"media": "http://[::1/"}, {"token": "x" * 65},
        {"media": "http://127.0.0.1/%zz?&amp;&#233;"},
    ],
)  # fmt: skip
def test_words_of_a_camera_that_could_mislead_us_are_refused(words):
    async def scene():
        said, described = await asked(camera(**words), says(GOOD))
        assert isinstance(said["stream_alive"], BadAnswer)
        assert described == []

    asyncio.run(scene())


def test_a_camera_cannot_send_us_to_another_host():
    async def scene():
        # services and stream are told at other hosts: both are looked for at the camera's own
        said, described = await asked(
            camera(media="http://192.0.2.1/onvif/media", uri="rtsp://admin:12345@192.0.2.1:{port}/a?b=c"),
            says(GOOD, stay=1),
        )
        assert said["stream_alive"] is True
        assert b"12345" not in described[0]
        assert described[0].startswith(b"DESCRIBE rtsp://192.0.2.1:")

    asyncio.run(scene())
