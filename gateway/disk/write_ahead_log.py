"""A spool's write-ahead log, read frame by frame: SQLite stops at the first bad one and takes the rest for unwritten.

After a power cut that is right, because a commit is synced before the next one begins. A bit that flips in the middle
would cost every commit behind it without a word. Layout and checksum: sqlite.org/fileformat2.html, section 4.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAGE = 4096
STATE_PAGE = 2  # every commit of a spool writes it, and before any later page
_HEADER, _FRAME = struct.Struct(">8I"), struct.Struct(">6I")
_MAGIC = 0x377F0682 + (sys.byteorder == "big")  # checksums count words as the machine that wrote them has them
_MASK = 0xFFFFFFFF


@dataclass
class Log:
    """pages: the newest good frame of each page. lost: SQLite would lose a commit that was synced.

    cut: there is a frame with a bad checksum, so the file may have newer pages than the log.
    """

    pages: dict[int, bytes] = field(default_factory=dict)
    lost: bool = False
    cut: bool = False


def read(spool: Path) -> Log:
    """Also of a log that is not there, which holds nothing."""
    path = spool.with_name(spool.name + "-wal")
    if not path.exists() or path.stat().st_size < _HEADER.size + _FRAME.size + PAGE:
        return Log()
    data = path.read_bytes()
    frames = list(_frames(data))
    good = next((index for index, frame in enumerate(frames) if not frame.good), len(frames))
    last = max((index for index, frame in enumerate(frames) if frame.good and frame.commit), default=-1)
    log = Log(pages={frame.page: frame.content for frame in frames[: last + 1] if frame.good})
    log.cut = any(frame.ours and not frame.good for frame in frames)
    if _header_is_good(data) and spool.stat().st_size:
        log.lost = _goes_on(frames, good)
    else:  # SQLite ignores all of it: rightly, where the file has every page of it already
        log.lost = _differs(spool, log.pages)
    return log


def _goes_on(frames: "list[_Frame]", bad: int) -> bool:
    """Does a later commit follow the bad frame's own? Within a commit, pages ascend."""
    before = frames[bad - 1].page if bad and not frames[bad - 1].commit else 0
    ended = False
    for frame in frames[bad + 1 :]:
        if frame.good:
            if ended or frame.page <= before:
                return True
            before, ended = frame.page, bool(frame.commit)
    return False


def _differs(spool: Path, pages: dict[int, bytes]) -> bool:
    with spool.open("rb") as file:
        for number, content in pages.items():
            file.seek((number - 1) * PAGE)
            if file.read(PAGE) != content:
                return True
    return False


@dataclass(frozen=True)
class _Frame:
    page: int
    commit: int
    content: bytes
    ours: bool  # of the log's present turn: it begins anew over the frames of earlier ones
    good: bool


def _frames(data: bytes) -> Iterator[_Frame]:
    _, _, _, _, *salts, sum1, sum2 = _HEADER.unpack_from(data)
    before = [(sum1, sum2)]
    if not _header_is_good(data):  # the first frame knows the salts too
        salts = list(_FRAME.unpack_from(data, _HEADER.size)[2:4])
        before.append(_checksum(data[:24], 0, 0))
    size = _FRAME.size + PAGE
    for at in range(_HEADER.size, len(data) - size + 1, size):
        page, commit, salt1, salt2, *ends = _FRAME.unpack_from(data, at)
        content = data[at + _FRAME.size : at + size]
        ours = [salt1, salt2] == salts and page > 0
        sums = [_checksum(data[at : at + 8] + content, *each) for each in before] if ours else []
        said = (ends[0], ends[1])
        yield _Frame(page, commit, content, ours, said in sums)
        before = [said] if said in sums else [said, *sums[:1]]  # one of them is right: a bad frame spoils no other


def _header_is_good(data: bytes) -> bool:
    magic, _, _, _, _, _, sum1, sum2 = _HEADER.unpack_from(data)
    return magic == _MAGIC and _checksum(data[:24], 0, 0) == (sum1, sum2)


def _checksum(data: bytes, sum1: int, sum2: int) -> tuple[int, int]:
    words = iter(struct.unpack(f"={len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        sum1 = (sum1 + first + sum2) & _MASK
        sum2 = (sum2 + second + sum1) & _MASK
    return sum1, sum2
