"""The other end is a bare socket, and what comes is taken apart here by hand."""

import asyncio
import contextlib
import re

import pytest
import serial

from protocols import hj212
from protocols.hj212_frame import Splitter, crc, wrap
from simulators.hj212_station import Hj212Station
from tests.gateway.meters import station

MN, OTHER = "010000A8900016F000169DC0", "MN2"
FRAME = re.compile(rb"##(\d{4})(.*?)([0-9A-F]{4})\r\n")


class Centre:
    """What a station dials: every frame it sends, and a reply to each where `replies`."""

    def __init__(self):
        self.replies = True
        self.bodies = []
        self.raw = b""
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader, writer):
        self._writers.append(writer)
        splitter = Splitter()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                self.raw += data
                for body in splitter.feed(data):
                    if isinstance(body, bytes):
                        self._body(body, writer)

    def _body(self, body, writer):
        self.bodies.append(body.decode())
        packet = hj212.parse(body)
        if self.replies and packet.wants_reply:
            writer.write(wrap(hj212.reply(packet, 2017)))

    def say(self, body):
        self._writers[-1].write(wrap(body.encode()))

    async def until(self, condition, seconds=20.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


def run(scene, *, mns=(MN,), tick_ms=3_600_000, **options):
    async def whole():
        async with Centre() as centre:
            devices = [station(mn, seed=seed, tick_ms=tick_ms) for seed, mn in enumerate(mns)]
            options.setdefault("every", {"2011": 0.1, "2051": 600})
            async with Hj212Station(devices=devices, port=centre.port, over_time=0.3, **options) as own:
                return await scene(centre, own)

    return asyncio.run(whole())


def fields(body):
    """Taken apart without our codec."""
    head, cp, _ = body.split("&&")
    return dict(pair.split("=") for pair in head.split(";") if pair and not pair.startswith("CP")), dict(
        pair.split("=") for pair in re.split("[;,]", cp)
    )


def test_it_sends_what_its_devices_hold():
    async def scene(centre, own):
        await centre.until(lambda: len(centre.bodies) >= 6 and own.waiting == 0)
        length, body, said = FRAME.search(centre.raw).groups()
        assert (int(length), int(said, 16)) == (len(body), crc(body))
        seen = set()
        for text in centre.bodies:
            head, cp = fields(text)
            device = own.devices[head["MN"]]
            assert (head["ST"], head["PW"], head["Flag"], len(head["QN"])) == ("22", "123456", "5", 17)
            point = {"2011": ("a34004-Rtd", "pm2_5"), "2051": ("LA-Avg", "noise")}[head["CN"]]
            assert float(cp[point[0]]) == device.value(point[1])
            assert cp[point[0].partition("-")[0] + "-Flag"] == "N"
            assert abs(hj212.time_ms(cp["DataTime"]) - device._clock()) < 5000
            seen.add((head["MN"], head["CN"]))
        assert seen == {(MN, "2011"), (OTHER, "2011"), (MN, "2051"), (OTHER, "2051")}

    run(scene, mns=(MN, OTHER))


def test_what_is_not_replied_to_comes_again_with_its_qn_and_not_for_ever():
    async def scene(centre, own):
        centre.replies = False
        await centre.until(lambda: len(centre.bodies) == 8)
        await asyncio.sleep(0.5)
        assert len(centre.bodies) == 8, "two packets, each once and three times again"
        assert len({fields(body)[0]["QN"] for body in centre.bodies}) == 2
        assert own.waiting == 2

    run(scene, every={"2011": 600, "2051": 600})


def test_what_waits_survives_a_power_cut_and_comes_when_it_is_back():
    async def scene(centre, own):
        centre.replies = False
        await centre.until(lambda: len(centre.bodies) >= 2)
        first = centre.bodies[0]
        await own.vanish()
        assert not own.connected
        centre.replies = True
        centre.bodies.clear()
        await own.restore()
        await centre.until(lambda: own.waiting == 0 and centre.bodies)
        assert centre.bodies[0] == first

    run(scene, every={"2011": 600, "2051": 600})


def test_commands():
    async def scene(centre, own):
        await centre.until(lambda: own.waiting == 0 and centre.bodies)

        async def asked(qn, cn, cp, answers):
            centre.bodies.clear()
            centre.say(f"QN={qn};ST=22;CN={cn};PW=123456;MN={MN};Flag=5;CP=&&{cp}&&")
            await centre.until(lambda: len(centre.bodies) == answers)
            assert {fields(body)[0]["QN"] for body in centre.bodies} == {qn}
            return [body.split("&&")[1] for body in centre.bodies]

        assert await asked("20260801000000001", "1062", "RtdInterval=60", 2) == ["QnRtn=1", "ExeRtn=1"]
        assert await asked("20260801000000002", "1062", "RtdInterval=7", 1) == ["QnRtn=8"]
        assert await asked("20260801000000003", "9999", "", 1) == ["QnRtn=8"]
        assert own.every["2011"] == 60
        assert own.commands[0] == ("1062", "RtdInterval=60")

    run(scene, every={"2011": 600})


@pytest.mark.parametrize("fault", ["corrupt", "garbage", "half"])
def test_faults_of_the_line(fault):
    async def scene(centre, own):
        setattr(own.faults, fault, True)
        await centre.until(lambda: len(centre.raw) > 100)
        assert centre.bodies == []
        setattr(own.faults, fault, False)
        await centre.until(lambda: centre.bodies)

    run(scene)


def test_faults_of_the_station():
    async def scene(centre, own):
        own.faults.silent = True
        await asyncio.sleep(0.3)
        assert centre.raw == b""
        own.faults.silent, own.faults.flag, own.faults.password = False, "D", "000000"
        await centre.until(lambda: any("a34004-Flag=D" in body and "PW=000000" in body for body in centre.bodies))
        own.faults.flag = own.faults.password = ""
        own.faults.deaf = True
        await centre.until(lambda: len(centre.bodies) > len({fields(body)[0]["QN"] for body in centre.bodies}))

    run(scene)


def test_on_a_serial_port(tmp_path):
    async def whole():
        device = station(MN, tick_ms=3_600_000)
        async with Hj212Station(devices=[device], path=tmp_path / "station", every={"2011": 0.1}, over_time=0.3) as own:

            def talk():
                with serial.Serial(str(tmp_path / "station"), 9600, timeout=20) as line:
                    body = FRAME.search(line.read_until(b"\r\n")).group(2)
                    line.write(wrap(hj212.reply(hj212.parse(body), 2017)))
                    return body.decode()

            head, cp = fields(await asyncio.to_thread(talk))
            assert (head["MN"], float(cp["a01001-Rtd"])) == (MN, device.value("temperature"))
            await own.vanish()
            assert not (tmp_path / "station").is_symlink()

    asyncio.run(whole())
