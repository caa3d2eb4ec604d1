"""Our asker and SIPp, and what an intercom's silence is told as."""

import asyncio
import errno
import time

import pytest

from gateway.asked.sip_asker import SipAsker
from protocols.errors import LineDown, Refused, Timeout
from tests.parts.sipp import SippServer

ITEMS = ["alive", "status_code", "round_trip_ms"]


def ask(address, *, wait=20.0):
    return asyncio.run(SipAsker(wait=wait).ask(address, ITEMS))


@pytest.mark.parametrize(
    ("status", "alive"),
    [("200 OK", True), ("404 Not Found", True), ("486 Busy Here", True), ("503 Service Unavailable", False)],
)
def test_what_sipp_answers(tmp_path, status, alive):
    with SippServer(folder=tmp_path, status=status) as server:
        answer = ask(server.address)
    assert (answer["alive"], answer["status_code"]) == (alive, int(status[:3]))
    assert 0 <= answer["round_trip_ms"] < 20_000


def test_twenty_questions_at_once_find_their_own_answers(tmp_path):
    async def scene(address):
        asker = SipAsker(wait=20.0)
        return await asyncio.gather(*(asker.ask(address, ITEMS) for _ in range(20)))

    with SippServer(folder=tmp_path) as server:
        answers = asyncio.run(scene(server.address))
    assert [answer["status_code"] for answer in answers] == [200] * 20


def test_silence_is_measured_and_what_could_not_be_measured_is_an_error():
    async def scene():
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        try:
            return await SipAsker(wait=0.6).ask(f"127.0.0.1:{port}", ITEMS)
        finally:
            transport.abort()

    began = time.monotonic()
    answer = asyncio.run(scene())
    assert 0.6 <= time.monotonic() - began < 20
    assert answer["alive"] is False
    for item in ("status_code", "round_trip_ms"):
        assert isinstance(answer[item], Timeout)
        assert answer[item].quality == "timeout"


def test_a_port_where_nobody_listens_says_so():
    answer = ask("127.0.0.1:9", wait=0.3)
    assert answer["alive"] is False
    assert "refused" in str(answer["status_code"])


def test_while_the_gateway_s_own_network_is_missing_nothing_is_measured():
    with pytest.raises(LineDown, match=r"no-such-host\.invalid"):
        ask("no-such-host.invalid")

    async def scene():
        asker = SipAsker(wait=2.0)
        exchange = await asker._open("127.0.0.1:9")
        asyncio.get_running_loop().call_later(0.02, exchange.error_received, OSError(errno.ENETUNREACH, "no route"))
        try:
            await exchange.run(2.0)
        finally:
            exchange.close()

    with pytest.raises(LineDown, match="no route"):
        asyncio.run(scene())


def test_an_intercom_takes_no_commands():
    with pytest.raises(Refused):
        asyncio.run(SipAsker().tell("127.0.0.1", "alive", True))
