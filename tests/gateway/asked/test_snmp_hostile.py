"""SNMP devices that send what they should not, on real sockets: bounded time, bounded memory, the right error."""

import asyncio
import contextlib
import gc
import random
import time
import tracemalloc

import pytest
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v2c

from gateway.asked.snmp_asker import MOST_ROWS, SnmpAsker
from gateway.asked.snmp_port import MAX_DATAGRAM
from protocols import snmp
from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

A, B, C = "1.3.6.1.2.1.1.7.0", "1.3.6.1.2.1.1.8.0", "1.3.6.1.4.1.99999.1.0"


class Agent(asyncio.DatagramProtocol):
    """reply(request, how many came before) -> datagrams that are sent back at once."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, datagram, address):
        self.requests.append(datagram)
        self.asker = address
        for answer in self.reply(datagram, len(self.requests) - 1):
            self.transport.sendto(answer, address)


def parsed(datagram):
    message, _ = decoder.decode(datagram, asn1Spec=v2c.Message())
    return message, v2c.apiMessage.get_pdu(message)


def oids(datagram):
    return [str(oid) for oid, _ in v2c.apiPDU.get_varbinds(parsed(datagram)[1])]


def answer(datagram, values=None, *, status=0, index=0, number=None, rows=None):
    """The answer to a request: 1, 2, 3 … for what was asked, or `values` by OID, or `rows` whatever was asked."""
    message, asked = parsed(datagram)
    pdu = v2c.GetResponsePDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, v2c.apiPDU.get_request_id(asked) if number is None else number)
    v2c.apiPDU.set_error_status(pdu, status)
    v2c.apiPDU.set_error_index(pdu, index)
    known = values or {oid: place + 1 for place, oid in enumerate(oids(datagram))}
    told = rows if rows is not None else [(oid, known.get(oid, 0)) for oid in oids(datagram)]
    v2c.apiPDU.set_varbinds(pdu, [(oid, v2c.Integer(value)) for oid, value in told])
    v2c.apiMessage.set_pdu(message, pdu)
    return encoder.encode(message)


@contextlib.asynccontextmanager
async def playing(reply, *, wait=5.0, tries=2):
    """An agent and an asker for it; nothing may end in the event loop's own handler."""
    trouble = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: trouble.append(told))
    transport, agent = await loop.create_datagram_endpoint(lambda: Agent(reply), local_addr=("127.0.0.1", 0))
    agent.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    asker = SnmpAsker(wait=wait, tries=tries)
    try:
        yield agent, asker
        await asyncio.sleep(0)
    finally:
        await asker.close()
        transport.abort()
    assert trouble == []


def ask(reply, items=(A,), **times):
    async def scene():
        async with playing(reply, **times) as (agent, asker):
            return await asker.ask(agent.address, items)

    return asyncio.run(scene())


def test_the_agent_of_these_tests_is_understood():
    assert ask(lambda request, _: [answer(request)], (A, B)) == {A: 1, B: 2}


def lying(request, _):
    body = bytearray(answer(request))
    body[1] += 9
    return [bytes(body)]


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (lambda request, _: [answer(request)[:-5]], "short"),
        (lambda request, _: [b"\xde\xad\xbe\xef" * 5], "length"),
        (lambda request, _: [request[:1]], "short"),
        (lambda request, _: [answer(request, number=77)], "late"),
        (lambda request, _: [answer(request) + b"\0" * 9], "length"),
        (lying, "short"),
        (lambda request, _: [answer(request, rows=[(A, 1)] * 4000)], "length"),
        (lambda request, _: [bytes([one]) for one in answer(request)], "short"),
        (lambda request, _: [b"\x30\x84\xff\xff\xff\xff" + b"\0" * 60_000], "length"),
    ],
    ids=[
        "half",
        "garbage",
        "a byte",
        "another request",
        "a tail",
        "length lies",
        "giant",
        "drip",
        "giant lie",
    ],
)
def test_bytes_that_are_no_answer(reply, fault):
    began = time.monotonic()
    with pytest.raises(BadAnswer) as caught:
        ask(reply, wait=1.0, tries=1)
    assert caught.value.fault == fault
    assert caught.value.quality == "crc"
    assert time.monotonic() - began < 20


def test_silence_ends_in_time():
    began = time.monotonic()
    with pytest.raises(Timeout) as caught:
        ask(lambda request, _: [], wait=0.5)
    assert caught.value.quality == "timeout"
    assert time.monotonic() - began < 20


def test_a_repeat_gets_through_and_the_late_answer_before_it_does_not_count():
    kept = []

    def reply(request, count):
        kept.append(request)
        return [] if count == 0 else [answer(kept[0], {A: 111}), answer(request, {A: 222})]

    assert ask(reply, wait=0.5, tries=6)[A] in (111, 222)  # both are answers to this question

    async def scene():
        async with playing(later) as (agent, asker):
            assert await asker.ask(agent.address, [A]) == {A: 1}
            assert await asker.ask(agent.address, [A]) == {A: 7}

    first = []

    def later(request, count):
        if count == 0:
            first.append(request)
            return [answer(request, {A: 1})]
        return [answer(first[0], {A: 99}), answer(request, {A: 7})]

    asyncio.run(scene())


def test_an_answer_from_another_port_or_to_nobody_s_question_is_not_taken():
    async def scene():
        loop = asyncio.get_running_loop()
        spoofing, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))

        def reply(request, _):
            spoofing.sendto(answer(request, {A: 666}), agent.asker)
            loop.call_later(0.2, agent.transport.sendto, answer(request, {A: 5}), agent.asker)
            return []

        async with playing(reply) as (agent, asker):
            assert await asker.ask(agent.address, [A]) == {A: 5}
            agent.transport.sendto(answer(agent.requests[0], {A: 777}), agent.asker)  # once more, unasked
            await asyncio.sleep(0.05)
            assert asker._link._port.dropped == 2
        spoofing.abort()

    asyncio.run(scene())


def test_values_that_were_not_asked_for_are_not_taken():
    assert ask(lambda request, _: [answer(request, rows=[(C, 1), (A, 4)])], (A, B)) == {A: 4}
    assert ask(lambda request, _: [answer(request, rows=[])], (A, B)) == {}


def test_a_flood_costs_little_and_the_answer_in_it_is_found():
    async def scene():
        flooding = True

        def reply(request, count):
            right = answer(request, {A: 42})
            if count == 0:
                asyncio.get_running_loop().call_soon(flood, answer(request, number=1), right, 0)
            return []

        def flood(wrong, right, sent):
            if sent >= 1500 and sent % 300 == 0:  # the socket may be full, and it be lost
                agent.transport.sendto(right, agent.asker)
            for _ in range(3):
                agent.transport.sendto(wrong, agent.asker)
            if flooding and sent < 6000:
                asyncio.get_running_loop().call_later(0.001, flood, wrong, right, sent + 3)

        async with playing(reply, wait=8.0) as (agent, asker):
            tracemalloc.start()
            try:
                longest = asyncio.create_task(lag())
                assert await asker.ask(agent.address, [A]) == {A: 42}
                longest.cancel()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
                flooding = False
            assert asker._link._port.dropped > 1000
            assert peak < 5_000_000  # the library's engine alone takes 2 MB when it is made
            assert await longest_of(longest) < 5

    asyncio.run(scene())


def test_a_hundred_megabytes_of_nothing():
    async def scene():
        sent = 0

        def reply(request, count):
            if count == 0:
                asyncio.get_running_loop().call_soon(flood)
            return []

        def flood():
            nonlocal sent
            for _ in range(3):
                agent.transport.sendto(bytes(60_000), agent.asker)
                sent += 60_000
            if sent < 100_000_000:
                asyncio.get_running_loop().call_soon(flood)

        async with playing(reply, wait=1.0, tries=2) as (agent, asker):
            tracemalloc.start()
            try:
                longest = asyncio.create_task(lag())
                while sent <= 50_000_000:
                    with pytest.raises(BadAnswer) as caught:
                        await asker.ask(agent.address, [A])
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert caught.value.fault == "length"
            assert peak < 5_000_000
            longest.cancel()
            assert await longest_of(longest) < 5
            sent = 100_000_000
            await asyncio.sleep(0.01)

    asyncio.run(scene())


async def lag():
    """The longest time for which the event loop did not come back to us."""
    longest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


async def longest_of(task):
    return await task


def test_memory_does_not_grow_with_questions_that_nobody_answers():
    async def scene():
        async with playing(lambda request, _: [], wait=0.05, tries=1) as (agent, asker):
            for _ in range(2):
                await gather_failures(asker, agent.address)
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            grown = []
            for _ in range(5):
                await gather_failures(asker, agent.address)
                gc.collect()
                grown.append(tracemalloc.get_traced_memory()[0] - before)
            tracemalloc.stop()
            assert min(grown[2:]) < 100_000
            port = asker._link._port
            assert (port._waited, port._faults, port._heard) == ({}, {}, set())

    async def gather_failures(asker, address):
        with pytest.raises(Timeout):
            await asker.ask(address, [A])

    asyncio.run(scene())


def test_an_answer_that_is_too_big_is_asked_for_in_halves():
    asked = []

    def reply(request, _):
        asked.append(oids(request))
        if len(asked[-1]) > 2:
            return [answer(request, status=1)]
        return [answer(request, dict.fromkeys(asked[-1], 8))]

    items = [f"1.3.6.1.2.1.11.{n}.0" for n in range(1, 8)]
    assert ask(reply, items) == dict.fromkeys(items, 8)
    with pytest.raises(Refused, match="too big"):
        ask(lambda request, _: [answer(request, status=1)])


def test_the_item_that_the_device_calls_wrong_is_left_out():
    def reply(request, _):
        asked = oids(request)
        bad = [place for place, oid in enumerate(asked, 1) if oid == B]
        return [answer(request, status=2, index=bad[0])] if bad else [answer(request)]

    found = ask(reply, (A, B, C))
    assert (found[A], found[C]) == (1, 2)
    assert isinstance(found[B], Refused)
    assert found[B].quality == "exception-2"


def test_an_error_without_an_item_is_all_items():
    with pytest.raises(Refused) as caught:
        ask(lambda request, _: [answer(request, status=5, index=0)], (A, B))
    assert caught.value.code == 5
    found = ask(lambda request, _: [answer(request, status=5, index=9)], (A, B))
    assert [raw.code for raw in found.values()] == [5, 5]
    with pytest.raises(DeviceError):
        ask(lambda request, _: [answer(request, status=5, index=-1)], (A, B), wait=1.0, tries=1)


def test_a_table_without_an_end_is_read_so_far_and_one_in_circles_once():
    def growing(request, count):
        rows = [(f"{snmp.IF_NAME}.{count * 20 + row + 1}", 1) for row in range(20)]
        return [answer(request, rows=rows)]

    def circling(request, count):
        return [answer(request, rows=[(f"{snmp.IF_NAME}.{row + 1}", 1) for row in range(20)])]

    async def scene(reply, most):
        async with playing(reply) as (agent, asker):
            found = await asker.ask(agent.address, [f"{snmp.IF_NAME}.*"])
            assert found == {f"{snmp.IF_NAME}.*": most}
            assert len(agent.requests) <= MOST_ROWS // 20 + 2

    asyncio.run(scene(growing, 520))
    asyncio.run(scene(circling, 20))


def test_deep_nesting_and_broken_contents_with_the_right_number():
    def nested(request, _):
        whole = answer(request)
        inner = b"\x30\x00"
        while len(inner) < MAX_DATAGRAM // 2:
            inner = b"\x30\x83" + len(inner).to_bytes(3, "big") + inner
        head = whole[2 : whole.index(b"\xa2")]
        number = whole[whole.index(b"\xa2") + 2 :][: 2 + whole[whole.index(b"\xa2") + 3]]
        pdu = number + b"\x02\x01\x00\x02\x01\x00" + inner
        body = head + b"\xa2\x83" + len(pdu).to_bytes(3, "big") + pdu
        return [b"\x30\x83" + len(body).to_bytes(3, "big") + body]

    began = time.monotonic()
    with pytest.raises(DeviceError):
        ask(nested, wait=0.5)
    assert time.monotonic() - began < 20


def changed(request, chance):
    """An answer with the right number and something else behind it."""
    body = bytearray(answer(request))
    start = body.index(b"\xa2") + 8
    for _ in range(chance.randint(1, 4)):
        body[chance.randrange(start, len(body))] = chance.choice([0, 1, 0x30, 0x80, 0x84, 0xFF, chance.randrange(256)])
    return bytes(body)


def test_changed_answers_with_the_right_number_do_no_harm():
    chance = random.Random(162)
    came = []

    async def some(agent, asker):
        asked = 0
        while asked < 12 or len(came) <= 10:  # on a slow machine more of them come too late
            asked += 1
            with contextlib.suppress(DeviceError):
                came.append(await asker.ask(agent.address, [A, B]))

    async def scene():
        async with contextlib.AsyncExitStack() as open_agents:
            pairs = [
                await open_agents.enter_async_context(
                    playing(lambda request, _: [changed(request, chance)], wait=0.03, tries=1)
                )
                for _ in range(10)
            ]
            async with asyncio.timeout(60):
                await asyncio.gather(*(some(agent, pairs[0][1]) for agent, _ in pairs))

    asyncio.run(scene())
    assert len(came) > 10
    assert all(set(found) <= {A, B} for found in came)
    assert all(isinstance(raw, int | str | bytes | float | DeviceError) for found in came for raw in found.values())


def test_a_port_where_nobody_listens():
    async def scene():
        async with playing(lambda request, _: [], wait=0.5) as (agent, asker):
            address = agent.address
            agent.transport.abort()
            await asyncio.sleep(0)
            with pytest.raises(Timeout):
                await asker.ask(address, [A])

    asyncio.run(scene())
