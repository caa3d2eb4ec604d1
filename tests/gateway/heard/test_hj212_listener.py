"""Real sockets, with frames that were published elsewhere and frames made for the case."""

import asyncio
import os

import pytest
import structlog

from gateway.heard import hj212_listener
from gateway.heard.hj212_listener import Hj212Listener
from protocols.errors import LineDown, Refused, Timeout
from protocols.hj212_frame import Splitter, wrap
from simulators.pty import Pty
from tests.gateway.heard.station_lines import MN, OTHER, Ears, data, listening

# The standard's example of annex C.10, as a Java platform's test quotes it, with the length that fits its check sum.
STANDARD = (
    b"##0482QN=20160801085000001;ST=22;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=7;CP=&&"
    b"DataTime=20160801084000;a21005-Rtd=1.1,a21005-Flag=N;a21004-Rtd=112,a21004-Flag=N;a21026-Rtd=58,a21026-Flag=N;"
    b"a21030-Rtd=64,a21030-Flag=N;LA-Rtd=50.1,LA-Flag=N;a34004-Rtd=207,a34004-Flag=N;a34002-Rtd=295,a34002-Flag=N;"
    b"a01001-Rtd=12.6,a01001-Flag=N;a01002-Rtd=32,a01002-Flag=N;a01006-Rtd=101.02,a01006-Flag=N;"
    b"a01007-Rtd=2.1,a01007-Flag=N;a01008-Rtd=120,a01008-Flag=N;a34001-Rtd=217,a34001-Flag=N;&&4f40\r\n"
)
REPLY = b"##0087QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241\r\n"


def test_the_standards_example_is_heard_and_replied_to():
    async def scene(ears):
        line = await ears.dial()
        line.send(STANDARD)
        assert await line.reader.readexactly(len(REPLY)) == REPLY
        ((address, items, time_ms),) = ears.heard
        assert (address, time_ms, len(items)) == (MN, 1_470_012_000_000, 13)
        assert (items["2011:a34004-Rtd"], items["2011:a01006-Rtd"], items["2011:LA-Rtd"]) == (207, 101.02, 50.1)

    listening(scene)


def test_a_packet_that_comes_again_is_replied_to_again_and_heard_once():
    async def scene(ears):
        line = await ears.dial()
        for _ in range(3):
            line.send(data())
            assert (await line.answer()).qn == "20260801084000001"
        again = await ears.dial()  # on another connection too
        again.send(data())
        assert (await again.answer()).cn == "9014"
        again.send(data("DataTime=20260801084030;a34004-Rtd=35.3"))  # the same QN, but new: some never change it
        assert (await again.answer()).cn == "9014"
        assert [items for _, items, _ in ears.heard] == [{"2011:a34004-Rtd": 35.2}, {"2011:a34004-Rtd": 35.3}]

    listening(scene)


def test_a_reply_waits_until_the_readings_are_on_the_disk(monkeypatch):
    async def scene(ears):
        line = await ears.dial()
        ears.disk.clear()
        line.send(data())
        with pytest.raises(TimeoutError):
            await line.answer(0.3)
        ears.disk.set()
        assert (await line.answer()).cn == "9014"
        monkeypatch.setattr(hj212_listener, "DURABLE_S", 0.5)
        ears.disk.clear()
        line.send(data("DataTime=20260801084030;a34004-Rtd=35.3"))
        with pytest.raises(TimeoutError):
            await line.answer(1.0)  # the disk takes nothing: no reply at all, and the station will send it again
        ears.disk.set()
        line.send(data("DataTime=20260801084030;a34004-Rtd=35.3"))
        assert (await line.answer()).cn == "9014"
        assert len(ears.heard) == 2

    listening(scene)


def test_only_who_asks_for_a_reply_gets_one():
    async def scene(ears):
        line = await ears.dial()
        line.send(data(flag="Flag=4;") + data(flag="", qn="2") + data(flag="Flag=5;", qn="3", cn="1013"))
        answer = await line.answer()
        assert (answer.qn, answer.cn) == ("3", "9013"), "a notice, and the two before got none"
        assert len(ears.heard) == 2

    listening(scene)


def test_flags_become_qualities():
    async def scene(ears):
        line = await ears.dial()
        line.send(data("DataTime=20260801084000;a1-Rtd=1,a1-Flag=D;b1-Rtd=2,b1-Flag=B;c1-Rtd=3,c1-Flag=N"))
        await line.answer()
        assert ears.heard[0][1] == {"2011:a1-Rtd": "exception-4", "2011:b1-Rtd": "timeout", "2011:c1-Rtd": 3}

    listening(scene)


def test_parts_of_a_packet():
    async def scene(ears):
        line = await ears.dial()
        for part, cp in (
            (1, "DataTime=20260801084000;a1-Avg=1"),
            (2, "b1-Avg=2"),
            (3, "DataTime=20260801084000;c1-Avg=3"),
        ):
            line.send(data(cp, cn="2051", flag=f"Flag=7;PNUM=3;PNO={part};"))
            assert (await line.answer()).cn == "9014"
        assert [items for _, items, _ in ears.heard] == [{"2051:a1-Avg": 1}, {"2051:b1-Avg": 2}, {"2051:c1-Avg": 3}]
        assert {time_ms for _, _, time_ms in ears.heard} == {1_785_544_800_000}

    listening(scene)


def test_a_packet_without_a_time_is_of_now_only_where_it_is_real_time():
    async def scene(ears):
        line = await ears.dial()
        line.send(data("a1-Avg=1", cn="2061", qn="1") + data("a1-Rtd=1", qn="2"))
        assert (await line.answer()).qn == "2", "minutes and hours of an unknown time are not confirmed"
        assert [(items, time_ms) for _, items, time_ms in ears.heard] == [({"2011:a1-Rtd": 1}, None)]

    listening(scene)


def test_several_stations_on_one_port_and_several_on_one_connection():
    async def scene(ears):
        one, two = await ears.dial(), await ears.dial()
        one.send(data())
        two.send(data(mn=OTHER) + data(mn="third"))
        assert (await one.answer()).mn == MN
        assert [(await two.answer()).mn for _ in range(2)] == [OTHER, "third"]
        assert {address for address, _, _ in ears.heard} == {MN, OTHER, "third"}

    listening(scene)


def test_an_unknown_station_is_heard_but_its_data_are_not_confirmed():
    async def scene(ears):
        line = await ears.dial()
        line.send(data(mn=OTHER) + data(qn="2"))
        assert (await line.answer()).mn == MN
        assert [address for address, _, _ in ears.heard] == [OTHER, MN]

    listening(scene, known={MN.lower()})


def test_a_wrong_password_is_neither_heard_nor_confirmed():
    async def scene(ears):
        line = await ears.dial()
        line.send(data(pw="000000", qn="1") + data(pw="", qn="2") + data(pw="123456", qn="3"))
        assert (await line.answer()).qn == "3"
        assert len(ears.heard) == 1

    listening(scene, password="123456")


def test_editions():
    async def scene(ears):
        line = await ears.dial()
        line.send(data(flag="Flag=9;", qn="1") + data(flag="Flag=1;", qn="2"))
        answer = await line.answer()
        assert (answer.cp, answer.flag) == ("QN=2", 0), "the newer one is refused, 2005 answered as in 2005"
        assert len(ears.heard) == 1

    listening(scene)
    with pytest.raises(ValueError, match="its text was not at hand"):
        Hj212Listener(listen="127.0.0.1:0", edition=2025)


async def station(line, *, qn_return=1, result=1):
    """Answers one command as a station does; gives what was asked."""
    asked = await line.answer()
    for cn, cp in (("9011", f"QnRtn={qn_return}"), ("9012", f"ExeRtn={result}")):
        if not cp.endswith("None"):
            line.send(wrap(f"QN={asked.qn};ST=91;CN={cn};PW={asked.pw};MN={asked.mn};Flag=4;CP=&&{cp}&&".encode()))
    return asked


async def connected(ears):
    line = await ears.dial()
    line.send(data())
    await line.answer()
    return line


def test_a_command_is_done_when_the_station_says_so():
    async def scene(ears):
        line = await connected(ears)
        asked, _ = await asyncio.gather(station(line), ears.listener.tell(MN, "1062:RtdInterval", 60.0))
        assert (asked.st, asked.cn, asked.pw, asked.cp, asked.flag) == ("22", "1062", "123456", "RtdInterval=60", 5)
        again, _ = await asyncio.gather(station(line), ears.listener.tell(MN.lower(), "1062:RtdInterval", 60))
        assert again.mn == MN, "as the station writes it"
        assert again.qn != asked.qn
        assert len(again.qn) == 17

    listening(scene)


@pytest.mark.parametrize(
    ("says", "quality", "why"),
    [
        ({"qn_return": 3}, "exception-3", "password"),
        ({"result": 5}, "exception-5", "busy"),
        ({"qn_return": 8}, "exception-8", "does not know"),
    ],
)
def test_a_command_that_the_station_refuses(says, quality, why):
    async def scene(ears):
        line = await connected(ears)
        answering = asyncio.create_task(station(line, **says))
        with pytest.raises(Refused, match=why) as caught:
            await ears.listener.tell(MN, "1062:RtdInterval", 60)
        assert caught.value.quality == quality
        await answering

    listening(scene)


def test_a_command_that_nobody_answers(monkeypatch):
    monkeypatch.setattr(hj212_listener, "REPLY_S", 0.2)
    monkeypatch.setattr(hj212_listener, "RESULT_S", 0.2)

    async def scene(ears):
        with pytest.raises(LineDown, match="not connected"):
            await ears.listener.tell(MN, "1062:RtdInterval", 60)
        line = await connected(ears)
        with pytest.raises(Timeout, match="does not reply"):
            await ears.listener.tell(MN, "1062:RtdInterval", 60)
        late = await line.answer()
        line.send(wrap(f"QN={late.qn};ST=91;CN=9012;PW=1;MN={MN};Flag=4;CP=&&ExeRtn=1&&".encode()))
        monkeypatch.setattr(hj212_listener, "REPLY_S", 20.0)
        answering = asyncio.create_task(station(line, result=None))
        with pytest.raises(Timeout, match="never said"):
            await ears.listener.tell(MN, "1062:RtdInterval", 60)
        assert (await answering).qn != late.qn
        line.hang_up()
        await ears.until(lambda: not ears.listener._links)
        with pytest.raises(LineDown):
            await ears.listener.tell(MN, "1062:RtdInterval", 60)
        assert not ears.listener._asked

    listening(scene)


@pytest.mark.parametrize(
    ("item", "raw"), [("RtdInterval", 60), ("1062:RtdInterval", "60&&"), ("1062:X", "a;b"), ("x:y", 1)]
)
def test_commands_that_are_none(item, raw):
    async def scene(ears):
        await connected(ears)
        with pytest.raises(Refused, match="no command"):
            await ears.listener.tell(MN, item, raw)

    listening(scene)


def test_a_command_to_a_station_of_2005_is_one_of_2005():
    async def scene(ears):
        line = await ears.dial()
        line.send(data(flag="Flag=1;"))
        await line.answer()
        telling = asyncio.create_task(ears.listener.tell(MN, "1062:RtdInterval", 60))
        asked = await line.answer()
        assert asked.flag == 1
        for cn, cp in (("9011", "QnRtn=1"), ("9012", "ExeRtn=1")):
            line.send(wrap(f"ST=91;CN={cn};PW=123456;MN={MN};Flag=0;CP=&&QN={asked.qn};{cp}&&".encode()))
        await telling

    listening(scene)


def test_answers_go_to_the_connection_that_spoke_last():
    async def scene(ears):
        first = await connected(ears)
        second = await connected(ears)
        asked, _ = await asyncio.gather(station(second), ears.listener.tell(MN, "1062:RtdInterval", 60))
        first.hang_up()
        await asyncio.sleep(0.05)
        asked, _ = await asyncio.gather(station(second), ears.listener.tell(MN, "1061:", None))
        assert (asked.cn, asked.cp) == ("1061", "")

    listening(scene)


def test_two_stations_with_one_mn_are_told_and_one_that_dials_in_again_is_not():
    async def scene(ears):
        with structlog.testing.capture_logs() as told:
            for hour in (8, 9):
                one = await ears.dial()
                one.send(data(f"DataTime=202608010{hour}4030;a34004-Rtd=1"))
                await one.answer()
                one.hang_up()
                await ears.until(lambda: not ears.listener._links)
            assert told == []
            for hour in (10, 11):
                one = await ears.dial()
                one.send(data(f"DataTime=20260801{hour}4030;a34004-Rtd=1"))
                await one.answer()
        (warning,) = told
        assert warning["event"] == "two connections say that they are one station"
        assert (warning["station"], len(set(warning["peers"]))) == (MN.lower(), 2)

    listening(scene)


def test_a_port_that_is_taken_is_tried_again(monkeypatch):
    monkeypatch.setattr(hj212_listener, "RETRY_FIRST_S", 0.05)

    async def scene(ears):
        host, port = ears.listener.listening_at
        second = Ears(Hj212Listener(listen=f"{host}:{port}"))
        task = asyncio.create_task(second.listener.run(second.take, second.durable))
        await asyncio.sleep(0.2)
        assert second.listener.listening_at is None
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    listening(scene)


def test_the_same_frames_on_a_serial_port(tmp_path):
    async def whole():
        said = []
        pty = Pty(path=tmp_path / "station", heard=said.append)
        listener = Hj212Listener(port=str(pty.path), baud=115200)
        ears = Ears(listener)
        task = asyncio.create_task(listener.run(ears.take, ears.durable))
        pty.restore()
        await ears.until(lambda: any(link._port._port for link in listener._links))  # it was not there at first
        pty.write(b"\xff\x00" + STANDARD[:100])
        await asyncio.sleep(0.05)
        pty.write(STANDARD[100:])
        await ears.until(lambda: said)
        assert b"".join(said) == REPLY
        assert ears.heard[0][1]["2011:a34002-Rtd"] == 295
        telling = asyncio.create_task(listener.tell(MN, "1062:RtdInterval", 30))
        await ears.until(lambda: len(said) > 1)
        (asked,) = Splitter().feed(b"".join(said[1:]))
        qn = asked[3:20].decode()
        for cn, cp in (("9011", "QnRtn=1"), ("9012", "ExeRtn=1")):
            pty.write(wrap(f"QN={qn};ST=91;CN={cn};PW=123456;MN={MN};Flag=4;CP=&&{cp}&&".encode()))
        await telling
        pty.vanish()
        await ears.until(lambda: not listener._links)
        with pytest.raises(LineDown):
            await listener.tell(MN, "1062:RtdInterval", 30)
        pty.restore()
        await ears.until(lambda: listener._links)
        for _ in range(200):  # opened again by now, or in a moment
            pty.write(data())
            await asyncio.sleep(0.1)
            if len(ears.heard) == 2:
                break
        assert len(ears.heard) == 2
        assert os.path.exists(pty.path)  # noqa: ASYNC240
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        pty.vanish()

    asyncio.run(whole())
