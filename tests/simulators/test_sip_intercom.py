"""SIPp asks the emulated intercom."""

import asyncio
import socket

import pytest

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.sip_intercom import SipIntercom
from tests.parts.sipp import sipp_asks
from tests.protocols.test_sip import ASKED


def run(play):
    async def scene():
        device = EmulatedDevice(profile=loader.profile("sip-intercom"), pole="P1", name="sos-1")
        async with SipIntercom(device=device) as intercom:
            await play(intercom)

    asyncio.run(scene())


@pytest.mark.parametrize("code", [200, 486])
def test_sipp_gets_the_answers_that_it_wants(tmp_path, code):
    async def play(intercom):
        intercom.device.hold("status_code", code)
        assert await asyncio.to_thread(lambda: sipp_asks(tmp_path, intercom.address, calls=20, code=code)) == 0
        assert intercom.requests == 20

    run(play)


def test_sipp_gets_none_from_an_intercom_that_is_not_alive(tmp_path):
    async def play(intercom):
        intercom.device.hold("alive", False)
        assert await asyncio.to_thread(lambda: sipp_asks(tmp_path, intercom.address)) != 0

    run(play)


def test_only_requests_are_answered_and_the_via_tells_where_they_came_from():
    def talk(address, *datagrams):
        host, port = address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.settimeout(20)
            for datagram in datagrams:
                end.sendto(datagram, (host, int(port)))
            return end.recv(65536), end.getsockname()[1]

    async def play(intercom):
        bad = [
            b"",
            b"\xff\r\n\r\n",
            b"SIP/2.0 200 OK\r\n\r\n",
            ASKED.replace(b"CSeq", b"X"),
            ASKED.replace(b"Via", b"Y"),
        ]
        answer, port = await asyncio.to_thread(talk, intercom.address, *bad, ASKED)
        assert answer.startswith(b"SIP/2.0 200 OK\r\n")
        assert f"received=127.0.0.1;rport={port}".encode() in answer
        assert b"branch=z9hG4bKhjhs8ass877" in answer
        answer, _ = await asyncio.to_thread(talk, intercom.address, ASKED.replace(b"OPTIONS", b"INFO"))
        assert answer.startswith(b"SIP/2.0 405 ")

    run(play)


def test_the_port_stays_over_a_restart():
    async def play(intercom):
        port = intercom.port
        await intercom.vanish()
        await intercom.vanish()
        await intercom.restore()
        await intercom.restore()
        assert intercom.port == port

    run(play)
