"""Why a device refuses a read of several values: halves of it are asked until the reason is known.

What is learned is one of three: registers between two values that it does not have, a value that it does not have, or
that it gives fewer registers at once than its profile says. A refused read of n values costs about 2 log2(n) requests,
once; every value that can be had comes along.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from device_profiles.blocks import MAX_REGISTERS, Block, Part, Refused, Wanted, block_of
from device_profiles.schema import BIT_TABLES

Ask = Callable[[Block], Awaitable[bool]]  # False: refused; other failures are raised


@dataclass(kw_only=True)
class Lesson:
    """given: whether anything was given at all. block: most registers at once."""

    refused: list[Refused] = field(default_factory=list)
    block: int = MAX_REGISTERS
    given: bool = False

    def __bool__(self) -> bool:
        return bool(self.refused) or self.block < MAX_REGISTERS


async def explore(block: Block, ask: Ask) -> Lesson:
    """Asks halves of a refused block. A device that refuses everything teaches nothing: it may be starting."""
    lesson = Lesson()
    await _halves(_spots(block), lesson, ask)
    return lesson if lesson.given else Lesson()


async def _halves(spots: Sequence[Wanted], lesson: Lesson, ask: Ask) -> None:
    """spots: refused together."""
    if is_one(block_of(spots)):
        lesson.refused.append(_registers(spots))
        return
    cut = _cut(spots)
    parts = (spots[:cut], spots[cut:])
    given = [await ask(block_of(part)) for part in parts]
    lesson.given = lesson.given or any(given)
    for part, good in zip(parts, given, strict=True):
        if not good:
            await _halves(part, lesson, ask)
    if all(given):
        _together(parts[0], parts[1], lesson)


def _together(left: Sequence[Wanted], right: Sequence[Wanted], lesson: Lesson) -> None:
    """Each half is given, but not both at once."""
    table, end = right[0].table, max(spot.end for spot in left)
    if right[0].address > end:
        lesson.refused.append(Refused(table=table, address=end, count=right[0].address - end))
    elif table in BIT_TABLES:  # their limit is not in registers: the halves are kept apart where they meet
        lesson.refused.append(_registers(right[:1]))
    else:
        lesson.block = min(lesson.block, max(block_of(left).count, block_of(right).count))


def is_one(block: Block) -> bool:
    """Whether all its values stand in the same registers, so that it cannot be halved."""
    return all(part.start == 0 and part.count == block.count for part in block.parts)


def _registers(spots: Sequence[Wanted]) -> Refused:
    return Refused(table=spots[0].table, address=spots[0].address, count=spots[0].count)


def _cut(spots: Sequence[Wanted]) -> int:
    """Where to halve: at the widest hole, else in the middle; values of the same registers stay together."""
    cuts = [
        (spots[index].address - spots[index - 1].end, -abs(2 * index - len(spots)), index)
        for index in range(1, len(spots))
        if spots[index].address != spots[index - 1].address
    ]
    return max(cuts)[2]


def _spots(block: Block) -> list[Wanted]:
    return [_spot(block, part) for part in block.parts]


def _spot(block: Block, part: Part) -> Wanted:
    return Wanted(key=part.key, table=block.table, address=block.address + part.start, count=part.count)
