"""Which pack: the epoch of a spool and a number in it."""

from wire.errors import PackError, shown
from wire.names import is_epoch
from wire.numbers import EXACT_INTEGER


def check_identity(epoch: object, number: object) -> None:
    """Raises PackError unless epoch is 8 lower-case hexadecimal digits and number is 1 to 2**53 - 1."""
    if not is_epoch(epoch):
        raise PackError("epoch", "ep is 8 lower-case hexadecimal digits, not %s" % shown(epoch))
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= EXACT_INTEGER:
        raise PackError("number", "sq is an integer from 1, not %s" % shown(number))
