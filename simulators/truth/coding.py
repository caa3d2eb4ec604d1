"""Integers to few bytes: small differences, folded to be positive, laid out byte plane by byte plane.

A plane holds the lowest byte of every number, the next one the second, and so on: the planes of small numbers are
mostly zeros, which zlib makes nothing of. All is little-endian.
"""

import numpy as np

from simulators.world.arrays import IntArray


def pack(values: IntArray) -> bytes:
    """Any integers of 64 bits -> a byte with the number of planes, and the planes."""
    folded = ((values << 1) ^ (values >> 63)).view(np.uint64).ravel()  # 0, -1, 1, -2 … -> 0, 1, 2, 3 …
    width = (int(folded.max(initial=0)).bit_length() + 7) // 8
    planes = folded.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :width].T
    return bytes([width]) + planes.tobytes()


def unpack(data: memoryview, at: int, count: int) -> tuple[IntArray, int]:
    """(`count` integers, where the next ones begin). Raises ValueError where the data ends before."""
    width = data[at] if at < len(data) else 0
    end = at + 1 + width * count
    if end > len(data) or width > 8:
        raise ValueError(f"{count} integers of {width} bytes do not fit into the {len(data)} bytes of their block")
    wide = np.zeros((count, 8), dtype=np.uint8)
    wide[:, :width] = np.frombuffer(data[at + 1 : end], dtype=np.uint8).reshape(width, count).T
    folded = wide.view("<u8")[:, 0]
    return (folded >> np.uint64(1)).view(np.int64) ^ -((folded & np.uint64(1)).view(np.int64)), end
