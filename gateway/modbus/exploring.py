"""Why a device refuses a read of several values: halves of it are asked until the reason is known.

What is learned is one of four: registers between two values that it does not have, a value that it does not have, two
neighbours that it does not give together, or that it gives fewer registers at once than its profile says. Where one
place is to blame, a read of n values costs about 2 log2(n) requests, once; every value that can be had comes along.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from device_profiles.blocks import MAX_REGISTERS, Block, Part, Refused, Wanted, block_of, holes
from device_profiles.schema import BIT_TABLES


@dataclass(kw_only=True)
class Lesson:
    """block: most registers at once. given: the most items that any read of a part gave, 0 for none."""

    refused: list[Refused] = field(default_factory=list)
    block: int = MAX_REGISTERS
    given: int = 0

    def __bool__(self) -> bool:
        return bool(self.refused) or self.block < MAX_REGISTERS


class Exploration:
    """asked: the next read, a part of the block, or None: it is over. silence: no answer counts as a refusal.

    A device that gives nothing at all teaches nothing: it may be starting.
    """

    def __init__(self, block: Block, *, silence: bool = False) -> None:
        """block: of several values that can be told apart, refused."""
        self.silence = silence
        self.lesson = Lesson()
        self._apart: list[tuple[Block, Block]] = []  # neighbours of which each is given, and not both at once
        self._parts = self._whole(_spots(block))
        self.asked: Block | None = next(self._parts)

    def heard(self, given: bool) -> None:
        """What became of the read."""
        assert self.asked is not None
        if given:
            self.lesson.given = max(self.lesson.given, self.asked.count)
        self.asked = self._next(given)
        if self.asked is None:
            self._conclude()

    def _next(self, given: bool) -> Block | None:
        try:
            return self._parts.send(given)
        except StopIteration:
            return None

    def _whole(self, spots: Sequence[Wanted]) -> Generator[Block, bool, None]:
        yield from self._halves(spots)
        if self.silence and self.lesson.given and (self.lesson.refused or self._apart) and (yield block_of(spots)):
            self.lesson.refused.clear()  # it was silent altogether, and came back meanwhile
            self._apart.clear()

    def _halves(self, spots: Sequence[Wanted]) -> Generator[Block, bool, None]:
        """spots: refused together."""
        if is_one(block_of(spots)):
            self.lesson.refused.append(_registers(spots))
            return
        cut = _cut(spots)
        parts = (spots[:cut], spots[cut:])
        given = []
        for part in parts:
            given.append((yield block_of(part)))
        for part, good in zip(parts, given, strict=True):
            if not good:
                yield from self._halves(part)
        if all(given) and not (yield block_of(spots)):  # once more: it may have been busy, or starting
            self._together(block_of(parts[0]), block_of(parts[1]))

    def _together(self, left: Block, right: Block) -> None:
        end = left.address + left.count
        if right.address > end:
            hole = Refused(table=left.table, address=end, count=right.address - end)
            self.lesson.refused.append(hole)
        else:
            self._apart.append((left, right))

    def _conclude(self) -> None:
        """Neighbours that are refused together are too many at once, unless as many were given elsewhere."""
        lesson = self.lesson
        for left, right in self._apart:
            first, end = right.address, left.address + left.count
            whole = max(end, first + right.count) - left.address
            if left.table not in BIT_TABLES and whole > lesson.given:  # the limit of bits is not in registers
                lesson.block = min(lesson.block, lesson.given)
            elif whole > max(left.count, right.count):
                lesson.refused.append(Refused(table=left.table, address=first - 1, count=end - first + 2))
        if not lesson.given:
            self.lesson = Lesson()


def is_one(block: Block) -> bool:
    """Whether all its values stand in the same registers, so that it cannot be halved."""
    return all(part.start == 0 and part.count == block.count for part in block.parts)


def _registers(spots: Sequence[Wanted]) -> Refused:
    return Refused(table=spots[0].table, address=spots[0].address, count=spots[0].count)


def _cut(spots: Sequence[Wanted]) -> int:
    """Where to halve: at the widest hole, else in the middle; values of the same registers stay together."""
    spans = [(spot.address, spot.end) for spot in spots]
    widths = {after: after - before for before, after in holes(spans)}
    cuts = [index for index in range(1, len(spans)) if spans[index] != spans[index - 1]]
    return max(cuts, key=lambda index: (widths.get(spans[index][0], 0), -abs(2 * index - len(spans))))


def _spots(block: Block) -> list[Wanted]:
    return [_spot(block, part) for part in block.parts]


def _spot(block: Block, part: Part) -> Wanted:
    return Wanted(key=part.key, table=block.table, address=block.address + part.start, count=part.count)
