"""HJ 212-2017 (and HJ/T 212-2005), what Chinese monitoring stations speak: bodies of frames IN and OUT, items.

    QN=20160801085857223;ST=22;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;
    CP=&&DataTime=20160801084000;a34004-Rtd=207,a34004-Flag=N;a34002-Rtd=295,a34002-Flag=N&&

An item is `CN:factor-field`, as 2011:a34004-Rtd: 2011 real time, 2051 minutes, 2061 hours, 2031 days. Its raw value is
the number as the station writes it (or its text). The factor's data flag decides whether it is one at all:

    N or none  it is          F M S C  disabled: stopped, maintained, set by hand, calibrating
    T          range: above the instrument's limit      D  exception-4: defective      B  timeout: no link to it
    2005: P    disabled: no power; and of air stations 0 calibration, 1 weather, 2 abnormal (exception-4), 3 normal

Flag is a number: bit 0 asks for a reply, bit 1 says that PNUM and PNO stand there, the rest is the edition: 0 is 2005,
1 is 2017. HJ 212-2025 is in force since 2026-01-01; its text was not at hand: later editions are refused, not guessed.
DataTime is China's time (UTC+8) without saying so. Fields: HJ 212-2017, 6.3 to 6.6; annex C has the examples.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.errors import BadAnswer, DeviceError, Refused
from protocols.hj212_frame import Splitter, shown

NAMES = r"\d{4}:([A-Za-z0-9]+-)?[A-Za-z]+"  # a command's item has no factor: 1062:RtdInterval
EDITIONS = {2005: 0, 2017: 1}  # -> the edition bits of Flag
CHINA = datetime.timezone(datetime.timedelta(hours=8))
DATA = ("2011", "2031", "2051", "2061")  # CN of what has items
REQUEST_REPLY, RESULT, NOTICE_REPLY, DATA_REPLY = "9011", "9012", "9013", "9014"
CLOCK_REQUEST = "1013"  # a notice, not data
INTERACTION = "91"  # ST of replies
MOST_PARTS = 99
MOST_TEXT = 256

_WANTS_REPLY, _HAS_PARTS, _EDITION_SHIFT = 1, 2, 2
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{0,15})?", re.ASCII)
_TIME = re.compile(r"20\d{12,15}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}-[A-Za-z0-9_]{1,32}")
_HEAD = {  # what may stand in a field that replies repeat
    "QN": re.compile(r"[A-Za-z0-9]{0,32}"), "ST": re.compile(r"[0-9]{0,4}"), "CN": re.compile(r"[0-9]{4}"),
    "PW": re.compile(r"[!-:<-~]{0,64}"), "MN": re.compile(r"[A-Za-z0-9_-]{1,40}"),
}  # fmt: skip
_GOOD = ("", "N", "3")
_FLAGS = {
    "F": ("disabled", "stopped"), "M": ("disabled", "being maintained"), "S": ("disabled", "set by hand"),
    "C": ("disabled", "calibrating"), "P": ("disabled", "without power"), "0": ("disabled", "calibrating"),
    "1": ("disabled", "weather"), "T": ("range", "above its measuring range"), "B": ("timeout", "not reachable"),
    "D": ("exception-4", "defective"), "2": ("exception-4", "abnormal"),
}  # fmt: skip
_QN_RETURNS = {
    2: "the station refuses", 3: "wrong password", 4: "wrong MN", 5: "wrong ST", 6: "wrong Flag", 7: "wrong QN",
    8: "the station does not know the command", 9: "wrong check sum", 100: "unknown error",
}  # fmt: skip
_RESULTS = {
    2: "failed without a reason", 3: "the command's condition is wrong", 4: "the instrument does not answer",
    5: "the station is busy", 6: "the station's system fails", 100: "no data",
}  # fmt: skip

Item = float | str | DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One body. flag is None where the station sends none; parts is 1 where the packet is whole. cp without its &&."""

    qn: str
    st: str
    cn: str
    pw: str = field(repr=False)
    mn: str
    flag: int | None
    parts: int
    part: int
    cp: str

    @property
    def wants_reply(self) -> bool:
        return bool((self.flag or 0) & _WANTS_REPLY)

    @property
    def edition(self) -> int | None:
        """2005 or 2017, as Flag says; None where there is no Flag."""
        if self.flag is None:
            return None
        return next(year for year, bits in EDITIONS.items() if bits == self.flag >> _EDITION_SHIFT)


def check_edition(edition: int) -> None:
    """Raises ValueError for an edition that we do not speak."""
    if edition == 2025:
        raise ValueError(
            "HJ 212-2025 is in force since 2026-01-01, but its text was not at hand when this was written: "
            "set the station to HJ 212-2017, or add the edition to protocols/hj212.py"
        )
    if edition not in EDITIONS:
        raise ValueError(f"edition {edition} of HJ 212 is none; there are {', '.join(map(str, EDITIONS))}")


def parse(body: bytes) -> Packet:
    """Raises BadAnswer: fields that are missing or wrong, or an edition that we do not know."""
    text = body.decode("utf-8", "replace")
    head, found, rest = text.partition("CP=&&")
    cp, ended, _ = rest.rpartition("&&")
    if not found or not ended:
        raise BadAnswer("header", f"no CP=&&…&& in {shown(body, 80)}")
    fields = {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in head.split(";"))}
    own = {key.lower(): fields.get(key, "") for key in _HEAD}
    if wrong := [key for key, form in _HEAD.items() if not form.fullmatch(own[key.lower()])]:
        raise BadAnswer("header", f"no {wrong[0]}, or a wrong one, in {shown(body, 80)}")
    flag = _count(fields, "Flag", 255) if "Flag" in fields else None
    if flag is not None and flag >> _EDITION_SHIFT not in EDITIONS.values():
        raise BadAnswer(
            "header", f"Flag={flag} is of an edition after HJ 212-2017, perhaps 2025, which is not known here"
        )
    parts = max(1, _count(fields, "PNUM", MOST_PARTS)) if (flag or 0) & _HAS_PARTS else 1
    part = _count(fields, "PNO", parts) if parts > 1 else 1
    return Packet(**own, flag=flag, parts=parts, part=part, cp=cp)


def values(cp: str) -> dict[str, str]:
    """`a=1,b=2;c=3` -> its fields, in their order."""
    pairs = (pair.partition("=") for group in cp.split(";") for pair in group.split(","))
    return {key.strip(): value.strip()[:MOST_TEXT] for key, equals, value in pairs if equals and key.strip()}


def readings(packet: Packet) -> dict[str, Item]:
    """Items of a packet whose CN is in DATA. A factor's flag holds for all of its fields, wherever it stands."""
    fields = values(packet.cp)
    said: dict[str, Item] = {}
    for name, text in fields.items():
        if _NAME.fullmatch(name) and not name.endswith("-Flag"):
            factor = name.partition("-")[0]
            flag = fields.get(f"{factor}-Flag", "").upper()
            said[f"{packet.cn}:{name}"] = _value(text) if flag in _GOOD else _flagged(factor, flag)
    return said


def data_time(packet: Packet) -> int | None:
    """DataTime in ms since 1970; None where the packet has none. Raises BadAnswer where it is no time."""
    text = values(packet.cp).get("DataTime")
    return None if text is None else time_ms(text)


def time_ms(text: str) -> int:
    """YYYYMMDDhhmmss in China's time, with or without milliseconds. Raises BadAnswer."""
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        moment = datetime.datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        raise BadAnswer("header", f"no time: {text[:32]!r}") from None
    return int(moment.timestamp()) * 1000 + int(text[14:].ljust(3, "0") or "0")


def written_time(ms: int, *, digits: int = 14) -> str:
    """time_ms() the other way round; 17 digits for a QN, 14 for a DataTime."""
    moment = datetime.datetime.fromtimestamp(ms // 1000, CHINA)
    return f"{moment:%Y%m%d%H%M%S}{ms % 1000:03d}"[:digits]


def reply(packet: Packet, edition: int) -> bytes:
    """What a packet that wants_reply gets: 9013 to a notice, 9014 to data. edition: for one without a Flag."""
    cn = NOTICE_REPLY if packet.cn == CLOCK_REQUEST else DATA_REPLY
    return answer(packet, cn, {}, edition)


def answer(packet: Packet, cn: str, fields: Mapping[str, object], edition: int) -> bytes:
    """A body that answers a packet. 2017 puts the QN first, 2005 into CP (annexes C of both)."""
    edition = packet.edition or edition
    if edition == 2005:
        fields = {"QN": packet.qn, **fields}
    cp = ";".join(f"{key}={value}" for key, value in fields.items())
    flag = EDITIONS[edition] << _EDITION_SHIFT
    qn = f"QN={packet.qn};" if edition != 2005 else ""
    return f"{qn}ST={INTERACTION};CN={cn};PW={packet.pw};MN={packet.mn};Flag={flag};CP=&&{cp}&&".encode()


def command(*, qn: str, st: str, cn: str, pw: str, mn: str, cp: str, edition: int) -> bytes:
    """A body that asks a station to do something, and to reply."""
    flag = EDITIONS[edition] << _EDITION_SHIFT | _WANTS_REPLY
    return f"QN={qn};ST={st};CN={cn};PW={pw};MN={mn};Flag={flag};CP=&&{cp}&&".encode()


def answered_qn(packet: Packet) -> str:
    """The QN of the request that a 9011 or 9012 answers."""
    return packet.qn or values(packet.cp).get("QN", "")


def refusal(packet: Packet) -> Refused | None:
    """Why a 9011 or 9012 is no success; None where it is one."""
    fields = values(packet.cp)
    text = fields.get("QnRtn" if packet.cn == REQUEST_REPLY else "ExeRtn", "")
    code = int(text) if re.fullmatch(r"\d{1,3}", text, re.ASCII) else 0
    if code == 1:
        return None
    reasons = _QN_RETURNS if packet.cn == REQUEST_REPLY else _RESULTS
    return Refused(code, reasons.get(code, f"the station answers {text!r}"))


def items(request: bytes, response: bytes) -> dict[str, Item]:
    """Frames that a station sent (one, or the parts of one packet) -> their items. Raises BadAnswer.

    request: what it was asked, which is nothing where it speaks by itself; then it does not matter.
    """
    found = Splitter().feed(response)
    if not found:
        raise BadAnswer("short", "no whole frame")
    said: dict[str, Item] = {}
    for body in found:
        if isinstance(body, BadAnswer):
            raise body
        packet = parse(body)
        data_time(packet)
        if packet.cn in DATA:
            said |= readings(packet)
    return said


def _count(fields: Mapping[str, str], key: str, most: int) -> int:
    text = fields.get(key, "1")
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > most:
        raise BadAnswer("header", f"{key}={text[:16]!r} is no number up to {most}")
    return int(text)


def _value(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text


def _flagged(factor: str, flag: str) -> DeviceError:
    quality, why = _FLAGS.get(flag, ("disabled", "of an unknown state"))
    error = Refused(4, "") if quality == "exception-4" else DeviceError()
    error.args = (f"{factor} is {why} (flag {flag[:8]})",)
    error.quality = quality
    return error
