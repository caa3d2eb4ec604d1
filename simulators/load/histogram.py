"""Latencies in buckets whose width grows with the value: bounded memory, and no percentile off by more than 0.4 %.

The buckets are those of HdrHistogram (Gil Tene): each power of two is divided into the same number of equal parts. The
package of that name for Python needs setuptools and pbr to run, and more time for a record than all else that we do
with a receipt.
"""

_PARTS = 8  # bits: 256 parts of each power of two
_HALF = 1 << _PARTS
_MOST_BITS = 40  # microseconds: twelve days


class Histogram:
    """Counts of durations. Percentiles are upper ends of buckets, so a latency is never told too small."""

    __slots__ = ("_counts", "count", "largest_us")

    def __init__(self) -> None:
        self.count = 0
        self.largest_us = 0
        self._counts = [0] * ((_MOST_BITS - _PARTS + 1) << _PARTS)

    def record(self, seconds: float) -> None:
        """One more. A negative one, of a clock that was read twice, is 0."""
        value = int(seconds * 1e6)
        if value < 0:
            value = 0
        wide = value.bit_length() - _PARTS - 1
        self._counts[value if wide <= 0 else (wide << _PARTS) + (value >> wide)] += 1
        self.count += 1
        if value > self.largest_us:
            self.largest_us = value

    def percentile(self, share: float, of: int | None = None) -> float | None:
        """Seconds within which `share` of `of` (else of all recorded) lie; None where fewer were ever recorded.

        of: how many there should have been. What never came took longer than any that did.
        """
        wanted = max(1, round_up(share * (self.count if of is None else of)))
        passed = 0
        for index, count in enumerate(self._counts):
            passed += count
            if passed >= wanted:
                return min(_upper(index), self.largest_us) / 1e6
        return None

    def above(self, seconds: float) -> int:
        """How many took longer, to within a bucket."""
        limit = int(seconds * 1e6)
        return sum(count for index, count in enumerate(self._counts) if count and _upper(index) > limit)

    def add(self, other: "Histogram") -> None:
        """Takes in another's."""
        self.count += other.count
        self.largest_us = max(self.largest_us, other.largest_us)
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]


def round_up(number: float) -> int:
    """To the next integer; 98.00000000000001 is 98, for a share of a count is a float."""
    return -int(-(number - 1e-9) // 1)


def _upper(index: int) -> int:
    wide = max(0, (index >> _PARTS) - 1)
    return ((index - (wide << _PARTS) + 1) << wide) - 1
