"""Foreign frames: from the standard's annex C as others quote it, and from their tests and logs (sources beside)."""

import os
import random

import pytest

from protocols import hj212
from protocols.errors import BadAnswer, DeviceError
from protocols.hj212_frame import MOST_BODY, MOST_WAITING, Splitter, crc, wrap

COUNT = int(os.environ.get("MUTATIONS", "20000"))
# The standard's own example, in many places; C# and Java libraries test against it.
COMMAND = (
    "##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    "CP=&&RtdInterval=30&&1C80\r\n"
)
# A load test of a Go receiver, with minute data of an air station.
AIR = (
    "##0411QN=20220513162608370;ST=22;CN=2051;PW=123456;MN=JLYP01_AIR01_0001;Flag=4;CP=&&DataTime=20220513162600;"
    "a21004-Avg=4,a21004-Flag=N;a05024-Avg=63,a05024-Flag=N;a21026-Avg=6,a21026-Flag=N;a21005-Avg=0.427,a21005-Flag=N;"
    "a34004-Avg=14,a34004-Flag=N;a34002-Avg=31,a34002-Flag=N;a01007-Avg=1,a01007-Flag=N;a01008-Avg=11,a01008-Flag=N;"
    "a01001-Avg=17,a01001-Flag=N;a01002-Avg=85,a01002-Flag=N;a01006-Avg=95,a01006-Flag=N&&D641\r\n"
)
# A PHP dust platform's controller: no flags at all, and one factor a group.
DUST = (
    "##0239QN=20180821142509000;ST=39;CN=2011;PW=123456;MN=690000D5800028F889221AC0;Flag=4;CP=&&DataTime=20180821142509;"
    "a34004-Rtd=0.0;a34002-Rtd=0.0;a34001-Rtd=0.0;LA-Rtd=0.0;a01001-Rtd=0.0;a01002-Rtd=0.0;a01006-Rtd=0.0;"
    "a01007-Rtd=0.0;a01008-Rtd=0&&E541\r\n"
)
# A Java platform's parser: a QN without milliseconds, and no Flag.
DUST_2 = (
    "##0249QN=20180507000558;ST=39;CN=2011;PW=123456;MN=010000A00000000000A00654;CP=&&DataTime=20180507000558;"
    "a01001-Rtd=26.0,a01001-Flag=N;a01002-Rtd=30.4,a01002-Flag=N;a34001-Rtd=0.0,a34001-Flag=N;"
    "a34002-Rtd=24.0,a34002-Flag=N;a34004-Rtd=23.0,a34004-Flag=N&&D801\r\n"
)
# Bodies with their check sums: hutool's CRC test (the standard's noise example), and a C# platform's.
NOISE = (
    "QN=20160801085857223;ST=23;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    "CP=&&DataTime=20160801085857; LA-Rtd=50.1&&"
)
NANOGRAMS = (
    "QN=20180427125809000;ST=22;CN=2011;PW=123456;MN=LXHB0CS0306310;Flag=5;CP=&&DataTime=20180427125809;"
    "a34004-Rtd=75600.000,a34004-Flag=N;a34002-Rtd=140600.000,a34002-Flag=N;a34001-Rtd=178000.000,a34001-Flag=N;"
    "a01001-Rtd=24.8,a01001-Flag=N;a01002-Rtd=46.8,a01002-Flag=N;a01006-Rtd=101.380,a01006-Flag=N;"
    "a01007-Rtd=0.0,a01007-Flag=N;a01008-Rtd=25,a01008-Flag=N;LA-Rtd=57.9,LA-Flag=N&&"
)
STATES = (  # hj-t212-parser's test
    "ST=31;CN=2021;PW=123456;MN=ZG130102201666;CP=&&DataTime=20180119131000;SB1-RS=0;SB2-RS=0;SB3-RS=0;SB4-RS=0;"
    "SB5-RS=0;SB6-RS=0;SB7-RS=0;SB8-RS=0&&"
)
REPLY = "QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"  # t212Mapper's output


@pytest.mark.parametrize(
    ("body", "sum_"),
    [(COMMAND[6:-6], "1C80"), (AIR[6:-6], "D641"), (DUST[6:-6], "E541"), (DUST_2[6:-6], "D801"), (NOISE, "1E00"),
     (NANOGRAMS, "5440"), (STATES, "CAC1"), (REPLY, "C241")],
)  # fmt: skip
def test_foreign_check_sums(body, sum_):
    assert f"{crc(body.encode()):04X}" == sum_


@pytest.mark.parametrize("frame", [COMMAND, AIR, DUST, DUST_2])
def test_foreign_frames_are_split_and_wrapped_alike(frame):
    assert Splitter().feed(frame.encode()) == [frame[6:-6].encode()]
    assert wrap(frame[6:-6].encode()).decode() == frame


def test_an_air_stations_minutes():
    assert hj212.items(b"", AIR.encode()) == {
        "2051:a21004-Avg": 4, "2051:a05024-Avg": 63, "2051:a21026-Avg": 6, "2051:a21005-Avg": 0.427,
        "2051:a34004-Avg": 14, "2051:a34002-Avg": 31, "2051:a01007-Avg": 1, "2051:a01008-Avg": 11,
        "2051:a01001-Avg": 17, "2051:a01002-Avg": 85, "2051:a01006-Avg": 95,
    }  # fmt: skip


def test_stations_that_send_less_than_the_standard_asks_for():
    assert hj212.items(b"", DUST.encode())["2011:LA-Rtd"] == 0
    packet = hj212.parse(DUST_2[6:-6].encode())
    assert (packet.flag, packet.edition, packet.wants_reply, packet.parts) == (None, None, False, 1)
    assert hj212.readings(hj212.parse(NOISE.encode())) == {"2011:LA-Rtd": 50.1}, "a space before the name"


def test_fields_of_a_packet():
    packet = hj212.parse(COMMAND[6:-6].encode())
    assert (packet.qn, packet.st, packet.cn, packet.pw) == ("20160801085857223", "32", "1062", "100000")
    assert (packet.mn, packet.flag, packet.edition) == ("010000A8900016F000169DC0", 5, 2017)
    assert packet.wants_reply
    assert hj212.values(packet.cp) == {"RtdInterval": "30"}


def packet(cp, head="QN=1;ST=22;CN=2011;PW=1;MN=A;Flag=4;"):
    return hj212.parse(f"{head}CP=&&{cp}&&".encode())


@pytest.mark.parametrize(
    ("flag", "quality"),
    [("F", "disabled"), ("M", "disabled"), ("S", "disabled"), ("C", "disabled"), ("T", "range"), ("B", "timeout"),
     ("D", "exception-4"), ("d", "exception-4"), ("P", "disabled"), ("x", "disabled"), ("2", "exception-4")],
)  # fmt: skip
def test_a_flag_takes_the_place_of_the_value(flag, quality):
    said = hj212.readings(packet(f"a34004-Rtd=7,a34004-Flag={flag};LA-Rtd=50,LA-Flag=N"))
    assert said["2011:LA-Rtd"] == 50
    assert isinstance(said["2011:a34004-Rtd"], DeviceError)
    assert said["2011:a34004-Rtd"].quality == quality


def test_a_flag_counts_wherever_it_stands_and_for_all_fields():
    said = hj212.readings(packet("a1-Min=1,a1-Avg=2;a1-Flag=D;b1-Avg=3"))
    assert {item: getattr(value, "quality", value) for item, value in said.items()} == {
        "2011:a1-Min": "exception-4", "2011:a1-Avg": "exception-4", "2011:b1-Avg": 3,
    }  # fmt: skip


def test_values_that_are_no_numbers_stay_text():
    said = hj212.readings(packet("a-SampleTime=20180531104100;b-Rtd=1e999;c-Rtd=;d-Rtd=-.5;e-Rtd=-0.5;DataTime=1"))
    assert said == {
        "2011:a-SampleTime": 20180531104100, "2011:b-Rtd": "1e999", "2011:c-Rtd": "", "2011:d-Rtd": "-.5",
        "2011:e-Rtd": -0.5,
    }  # fmt: skip


def test_chinas_time():
    ms = hj212.time_ms("20160801085857")
    assert ms == 1_470_013_137_000  # 00:58:57 UTC
    assert hj212.time_ms("20160801085857223") == ms + 223
    assert hj212.written_time(ms + 223, digits=17) == "20160801085857223"
    assert hj212.written_time(ms) == "20160801085857"


@pytest.mark.parametrize(
    "text", ["", "2016", "20161301000000", "20160801246000", "0" * 14, "x" * 14, "201608010858571234"]
)
def test_times_that_are_none(text):
    with pytest.raises(BadAnswer, match="no time"):
        hj212.data_time(packet(f"DataTime={text}"))


def test_replies_of_both_editions():
    asked = hj212.parse(NOISE.encode())
    assert hj212.reply(asked, 2017).decode() == (
        "QN=20160801085857223;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
    )
    assert hj212.reply(packet("", "QN=7;ST=22;CN=1013;PW=1;MN=A;Flag=5;"), 2017).decode().split(";")[2] == "CN=9013"
    old = packet("", "QN=7;ST=22;CN=2011;PW=1;MN=A;Flag=1;")
    assert hj212.reply(old, 2017).decode() == "ST=91;CN=9014;PW=1;MN=A;Flag=0;CP=&&QN=7&&", "a packet's own edition"


def test_the_standards_command():
    made = hj212.command(
        qn="20160801085857223", st="32", cn="1062", pw="100000", mn="010000A8900016F000169DC0", cp="RtdInterval=30",
        edition=2017,
    )  # fmt: skip
    assert wrap(made).decode() == COMMAND
    assert b"Flag=1;" in hj212.command(qn="1", st="32", cn="1062", pw="1", mn="A", cp="", edition=2005)


@pytest.mark.parametrize(
    ("text", "code"),
    [("CN=9011;PW=1;MN=A;Flag=4;CP=&&QnRtn=1&&", None), ("CN=9011;PW=1;MN=A;Flag=4;CP=&&QnRtn=3&&", 3),
     ("CN=9012;PW=1;MN=A;Flag=4;CP=&&ExeRtn=1&&", None), ("CN=9012;PW=1;MN=A;Flag=4;CP=&&ExeRtn=100&&", 100),
     ("CN=9012;PW=1;MN=A;Flag=4;CP=&&&&", 0), ("CN=9012;PW=1;MN=A;Flag=4;CP=&&ExeRtn=１&&", 0)],
)  # fmt: skip
def test_what_became_of_a_command(text, code):
    refused = hj212.refusal(hj212.parse(f"QN=5;ST=91;{text}".encode()))
    assert (refused.code if refused else None) == code


def test_the_qn_of_an_old_stations_answer_stands_in_its_cp():
    # as a Java receiver documents HJ/T 212-2005
    text = "ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&"
    said = hj212.parse(text.encode())
    assert (hj212.answered_qn(said), said.edition, hj212.refusal(said)) == ("20040516010101001", 2005, None)


def test_editions_that_are_not_spoken():
    for edition in (2005, 2017):
        hj212.check_edition(edition)
    with pytest.raises(ValueError, match="2025 is in force since 2026-01-01, but its text was not at hand"):
        hj212.check_edition(2025)
    with pytest.raises(ValueError, match="there are 2005, 2017"):
        hj212.check_edition(2010)
    with pytest.raises(BadAnswer, match="after HJ 212-2017"):
        packet("", "QN=1;ST=22;CN=2011;PW=1;MN=A;Flag=9;")


def test_parts():
    head = "QN=1;ST=22;CN=2051;PW=1;MN=A;Flag=7;PNUM=2;PNO={};"
    assert [(p.parts, p.part) for p in (packet("", head.format(part)) for part in (1, 2))] == [(2, 1), (2, 2)]
    for bad in ("PNUM=2;PNO=3;", "PNUM=-1;PNO=1;", "PNUM=5000;PNO=1;", "PNUM=x;PNO=1;"):
        with pytest.raises(BadAnswer, match="no number"):
            packet("", f"QN=1;ST=22;CN=2051;PW=1;MN=A;Flag=7;{bad}")
    assert packet("", "QN=1;ST=22;CN=2051;PW=1;MN=A;Flag=7;").parts == 1, "the standard's example has no PNUM"


@pytest.mark.parametrize(
    "body",
    ["", "QN=1;ST=22;CN=2011;MN=A;", "ST=22;CN=2011;CP=&&&&", "ST=22;CN=20111;MN=A;CP=&&&&", "CN=2011;MN=A b;CP=&&&&",
     "CN=2011;MN=A;CP=&&x=1", "CN=2011;MN=A;Flag=;CP=&&&&", "QN=1\n##;CN=2011;MN=A;CP=&&&&", "CN=2011;PW=\r;x;MN=A"],
)  # fmt: skip
def test_bodies_that_are_none(body):
    with pytest.raises(BadAnswer):
        hj212.parse(body.encode())


def faults(found):
    return [one.fault if isinstance(one, BadAnswer) else "good" for one in found]


def test_a_stream_in_any_pieces_gives_the_same():
    stream = (AIR + COMMAND + "##0010QN=1\r\n" + DUST + "junk" + DUST_2).encode()
    whole = Splitter().feed(stream)
    assert faults(whole) == ["good", "good", "length", "good", "noise", "good"]
    for size in (1, 2, 7, 100):
        splitter = Splitter()
        pieces = [one for at in range(0, len(stream), size) for one in splitter.feed(stream[at : at + size])]
        assert [one for one in pieces if isinstance(one, bytes)] == [one for one in whole if isinstance(one, bytes)]
        assert splitter.waiting <= 2


def test_a_broken_frame_costs_nobody_elses():
    good = DUST.encode()
    for broken, fault in [
        (b"##0239QN=2018", "length"),  # half a frame, then a new one begins on a new line
        (AIR.replace("D641", "D642").encode().strip(), "crc"),
        (AIR.replace("##0411", "##9999").encode().strip(), "length"),
        (AIR.replace("##0411", "##0409").encode().strip(), "crc"),
        (AIR.replace("##0411", "##0412").encode().strip(), "crc"),
        (AIR.replace("##0411", "##0420").encode().strip(), "length"),
        (AIR.replace("##0411", "##04x1").encode().strip(), "length"),
        (b"#####", "length"),
        (b"##12##", "length"),
    ]:
        for between in (b"\r\n", b""):
            found = Splitter().feed(broken + between + good)
            assert faults(found)[0] == fault or not between, broken[:20]
            assert found[-1] == good[6:-6], broken[:20]


def test_lower_case_check_sums_and_missing_line_ends():
    stream = AIR.replace("D641", "d641").strip() + DUST.strip() + COMMAND.strip()
    assert faults(Splitter().feed(stream.encode())) == ["good", "good", "good"]


def test_what_waits_is_bounded():
    splitter = Splitter()
    for _ in range(1000):
        splitter.feed(b"##4096" + b"x" * 3000)
        assert splitter.waiting <= MOST_WAITING
    for data in (b"\0" * 100_000, b"#" * 100_000, b"##" * 50_000, b"\r\n" * 50_000):
        splitter = Splitter()
        for at in range(0, len(data), 4096):
            splitter.feed(data[at : at + 4096])
            assert splitter.waiting <= MOST_WAITING
    with pytest.raises(ValueError, match="do not fit"):
        wrap(b"x" * 10_000)
    assert Splitter().feed(wrap(b"x" * MOST_BODY)) == [b"x" * MOST_BODY]


def test_truncation_at_every_byte_is_no_frame():
    frame = AIR.encode().strip()
    for end in range(len(frame)):
        with pytest.raises(BadAnswer):
            hj212.items(b"", frame[:end])


SCRAPS = [
    b";", b",", b"=", b"&&", b"##", b"\r\n", b"CP=&&", b"Flag=7;", b"PNUM=2;PNO=2;", b"-Flag=D", b"DataTime=",
    b"9" * 20, b"CN=2011;", b"MN=", b"\xd6\xd0", b"\xff", b"\0", "１２".encode(), b"1e400", b"20200230000000",
    b"DataTime=20990101000000;",
]  # fmt: skip


def mutated(chance):
    """A frame with its body changed in one to four places, mostly with a right check sum; then perhaps its bytes."""
    body = bytearray(chance.choice([COMMAND, AIR, DUST, DUST_2])[6:-6].encode())
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(body) + 1)
        way = chance.randrange(4)
        if way == 0:
            body[at:at] = chance.choice(SCRAPS)
        elif way == 1:
            del body[at : at + chance.randint(1, 30)]
        elif way == 2:
            body[at : at + 1] = bytes([chance.randrange(256)])
        else:
            del body[at:]
    frame = bytearray(wrap(bytes(body)))
    if chance.random() < 0.3:
        at = chance.randrange(len(frame))
        frame[at : at + chance.randint(0, 3)] = chance.choice([b"", b"\r\n", b"##", bytes([chance.randrange(256)])])
    return bytes(frame)


def test_mutated_frames_are_read_or_refused_and_nothing_else():
    chance = random.Random(212)
    read = refused = 0
    splitter = Splitter()
    for _ in range(COUNT):
        frame = mutated(chance)
        splitter.feed(frame[: chance.randrange(len(frame))] if chance.random() < 0.2 else frame)
        assert splitter.waiting <= MOST_WAITING
        try:
            said = hj212.items(b"", frame)
        except BadAnswer:
            refused += 1
            continue
        read += 1
        assert all(isinstance(raw, (float, str, DeviceError)) for raw in said.values())
    assert read > COUNT / 10
    assert refused > COUNT / 10
    print(f"{COUNT} mutations: {read} read, {refused} refused")


def test_every_packet_that_parses_can_be_replied_to():
    chance = random.Random(9014)
    replied = 0
    for _ in range(COUNT // 4):
        try:
            packet = hj212.parse(mutated(chance)[6:-6])
            hj212.data_time(packet)
        except BadAnswer:
            continue
        for edition in (2005, 2017):
            (body,) = Splitter().feed(wrap(hj212.reply(packet, edition)))
            assert hj212.parse(body).mn == packet.mn
        hj212.refusal(packet)
        replied += 1
    assert replied > COUNT / 40


@pytest.mark.parametrize(
    "frame",
    [
        COMMAND.replace("1C80", "1C81"),
        COMMAND.replace("##0101", "##0901"),
        COMMAND.replace("##0101", "##9901"),
        COMMAND.replace("##0101", "noise "),
        "##0055ST=22;CN=2011;PW=100000;MN=1;Flag=5;CP=&&DataTime=x&&0000\r\n",
        wrap(b"QN=1;ST=22;CN=2011;PW=100000;MN=1;Flag=5").decode(),
        wrap(b"QN=1;ST=22;CN=none;pw = 100000;MN=1;Flag=5;CP=&&&&").decode(),
        wrap(b"ST=22;PW=" + b"100000" * 20).decode(),
    ],
)
def test_no_error_tells_a_stations_password(frame):
    for one in Splitter().feed(frame.encode() + b"\r\n"):
        with pytest.raises(BadAnswer) as told:
            raise one if isinstance(one, BadAnswer) else hj212.parse(one) and one
        assert "10000" not in repr(told.value)
    assert "100000" not in repr(hj212.parse(COMMAND[6:-6].encode()))
