"""Intercoms that send what they should not, on real sockets: bounded time, bounded memory, never a wrong answer."""

import asyncio
import contextlib
import random
import time
import tracemalloc

import pytest

from gateway.asked import sip_asker
from gateway.asked.sip_asker import MOST_DATAGRAMS, SipAsker
from protocols.errors import BadAnswer, Timeout

ITEMS = ["alive", "status_code", "round_trip_ms"]


class Intercom(asyncio.DatagramProtocol):
    """reply(request, how many came before) -> datagrams that are sent back at once."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []
        self.times = []

    def connection_made(self, transport):
        self.transport = transport
        self.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"

    def datagram_received(self, datagram, address):
        self.requests.append(datagram)
        self.times.append(asyncio.get_running_loop().time())
        self.asker = address
        for answer in self.reply(datagram, len(self.requests) - 1):
            self.transport.sendto(answer, address)


def answer(request, status="200 OK"):
    headers = request.decode().split("\r\n")[1:]
    kept = [line for line in headers if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status}", *kept, "Content-Length: 0", "", ""]).encode()


@contextlib.asynccontextmanager
async def playing(reply):
    trouble = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: trouble.append(told))
    transport, intercom = await loop.create_datagram_endpoint(lambda: Intercom(reply), local_addr=("127.0.0.1", 0))
    try:
        yield intercom
        await asyncio.sleep(0)
    finally:
        transport.abort()
    assert trouble == []


def ask(reply, *, wait=0.3):
    async def scene():
        async with playing(reply) as intercom:
            return await SipAsker(wait=wait).ask(intercom.address, ITEMS)

    return asyncio.run(scene())


def test_the_intercom_of_these_tests_is_understood():
    found = ask(lambda request, _: [answer(request)], wait=20.0)
    assert (found["alive"], found["status_code"]) == (True, 200)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (lambda request, _: [answer(request)[:40]], "short"),
        (lambda request, _: [b"\xde\xad\xbe\xef" * 5], "short"),
        (lambda request, _: [b"\xff\x00\r\n\r\n"], "noise"),
        (lambda request, _: [answer(request).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")], "late"),
        (lambda request, _: [answer(request).replace(b" OPTIONS", b" INVITE")], "late"),
        (lambda request, _: [request], "noise"),
        (lambda request, _: [answer(request) + bytes(60_000)], "length"),
        (lambda request, _: [bytes([one]) for one in answer(request)[:40]], "short"),
    ],
    ids=["half", "garbage", "noise", "another request", "another method", "an echo", "giant", "drip"],
)
def test_bytes_that_are_no_answer(reply, fault):
    began = time.monotonic()
    found = ask(reply)
    assert found["alive"] is False
    assert isinstance(found["status_code"], BadAnswer)
    assert found["status_code"].fault == fault
    assert time.monotonic() - began < 20


def test_a_length_that_lies_changes_nothing():
    lying = ask(lambda request, _: [answer(request).replace(b"Length: 0", b"Length: 4000000000")])
    assert lying["alive"] is True  # nothing is read from the body


def test_repeats_come_after_half_a_second_then_twice_as_long():
    async def scene():
        async with playing(lambda request, count: [answer(request)] if count == 2 else []) as intercom:
            found = await SipAsker(wait=4.0).ask(intercom.address, ITEMS)
            gaps = [later - before for before, later in zip(intercom.times, intercom.times[1:], strict=False)]
        assert found["alive"] is True
        assert gaps == [pytest.approx(0.5, abs=0.2), pytest.approx(1.0, abs=0.3)]
        assert len(set(intercom.requests)) == 1  # the same request, as RFC 3261 17.1.2 wants
        assert found["round_trip_ms"] > 1400

    asyncio.run(scene())


def test_a_provisional_answer_is_waited_behind():
    assert (
        ask(lambda request, _: [answer(request, "100 Trying"), answer(request, "486 Busy Here")])["status_code"] == 486
    )
    found = ask(lambda request, _: [answer(request, "100 Trying")])
    assert found["alive"] is False
    assert isinstance(found["status_code"], Timeout)
    assert "100 Trying" in str(found["status_code"])


def test_the_answer_to_the_last_request_is_not_taken():
    kept = []

    def reply(request, count):
        kept.append(answer(request, "404 Not Found"))
        return [] if count == 0 else [kept[0], answer(request)]

    async def scene():
        async with playing(reply) as intercom:
            asker = SipAsker(wait=0.3)
            assert (await asker.ask(intercom.address, ITEMS))["alive"] is False
            assert (await asker.ask(intercom.address, ITEMS))["status_code"] == 200

    asyncio.run(scene())


def test_an_answer_from_another_port_is_not_taken():
    async def scene():
        loop = asyncio.get_running_loop()
        spoofing, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))

        def reply(request, _):
            spoofing.sendto(answer(request, "404 Not Found"), intercom.asker)
            loop.call_later(0.1, intercom.transport.sendto, answer(request), intercom.asker)
            return []

        async with playing(reply) as intercom:
            assert (await SipAsker(wait=0.4).ask(intercom.address, ITEMS))["status_code"] == 200
        spoofing.abort()

    asyncio.run(scene())


def test_a_flood_ends_the_question_and_memory_stays_small():
    async def scene():
        async with playing(lambda request, _: [answer(request, "180 Ringing")] * 200) as intercom:
            tracemalloc.start()
            try:
                found = await SipAsker(wait=60.0).ask(intercom.address, ITEMS)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert found["alive"] is False
        assert str(MOST_DATAGRAMS) in str(found["status_code"])
        assert peak < 1_000_000

    began = time.monotonic()
    asyncio.run(scene())
    assert time.monotonic() - began < 20


def test_a_hundred_megabytes_of_nothing():
    async def scene():
        sent = 0

        def reply(request, count):
            if count == 0:
                flood()
            return []

        def flood():
            nonlocal sent
            for _ in range(3):
                intercom.transport.sendto(bytes(60_000), intercom.asker)
                sent += 60_000
            if sent < 100_000_000:
                asyncio.get_running_loop().call_soon(flood)

        async with playing(reply) as intercom:
            tracemalloc.start()
            try:
                found = await SipAsker(wait=1.0).ask(intercom.address, ITEMS)
                while sent < 100_000_000:
                    await asyncio.sleep(0.01)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert found["alive"] is False
        assert isinstance(found["status_code"], BadAnswer)
        assert peak < 1_000_000

    asyncio.run(scene())


def test_sockets_are_closed_after_each_question(monkeypatch):
    opened = []
    made = sip_asker._Exchange.connection_made
    monkeypatch.setattr(
        sip_asker._Exchange,
        "connection_made",
        lambda self, transport: (opened.append(transport), made(self, transport))[1],
    )
    ask(lambda request, _: [answer(request)])
    ask(lambda request, _: [])
    assert len(opened) == 2
    assert all(transport.is_closing() for transport in opened)


def test_changed_answers_do_no_harm():
    chance = random.Random(5061)

    def reply(request, _):
        body = bytearray(answer(request))
        for _ in range(chance.randint(1, 6)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        return [bytes(body)]

    async def scene():
        async with playing(reply) as intercom:
            asker = SipAsker(wait=0.2)
            return await asyncio.gather(*(asker.ask(intercom.address, ITEMS) for _ in range(150)))

    found = asyncio.run(scene())
    assert {answer["alive"] for answer in found} == {True, False}
    for one in found:
        assert one["alive"] is False or 200 <= one["status_code"] <= 699
