"""`down/stored`: the numbers of the packs that are in the database, as ranges of one spool epoch."""

from wire.errors import MessageError, PackError, shown
from wire.identity import check_identity
from wire.payloads import load

MAX_RANGES = 1000
MAX_BYTES = 64 * 1024


def ranges(numbers: list[int]) -> list[list[int]]:
    """Numbers in any order, repeated or not -> ascending [[first, last], …] that neither touch nor overlap."""
    out: list[list[int]] = []
    for number in sorted(numbers):
        if out and number <= out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def encode(epoch: str, stored: list[list[int]]) -> bytes:
    """Epoch and ranges -> payload. Raises MessageError."""
    _check(epoch, stored)
    return ('{"ep":"%s","sq":[%s]}' % (epoch, ",".join(["[%d,%d]" % (pair[0], pair[1]) for pair in stored]))).encode()


def decode(body: bytes) -> tuple[str, list[list[int]]]:
    """Payload -> (epoch, ranges). Raises MessageError."""
    message = load(body, MAX_BYTES, MessageError)
    if not isinstance(message, dict):
        raise MessageError("shape", "stored is an object with ep and sq, not %s" % shown(message))
    epoch, stored = message.get("ep"), message.get("sq")
    _check(epoch, stored)
    return epoch, stored  # type: ignore[return-value]


def _check(epoch: object, stored: object) -> None:
    if not isinstance(stored, list) or not 0 < len(stored) <= MAX_RANGES:
        raise MessageError("ranges", "sq is an array of 1 to %d ranges" % MAX_RANGES)
    last = 0
    for pair in stored:
        if not isinstance(pair, list) or len(pair) != 2:
            raise MessageError("ranges", "a range is [first, last], not %s" % shown(pair))
        try:
            check_identity(epoch, pair[0])
            check_identity(epoch, pair[1])
        except PackError as error:
            raise MessageError(error.reason, error.detail) from None
        if not last < pair[0] <= pair[1]:
            raise MessageError("ranges", "ranges ascend and do not overlap")
        last = pair[1]
