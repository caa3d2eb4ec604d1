"""Numbers that every reader holds exactly."""

EXACT_INTEGER = (1 << 53) - 1  # beyond it a double no longer tells neighbours apart


def is_number(value: object) -> bool:
    """True for a finite float, and for an int that a double holds exactly."""
    if value is True or value is False:
        return False
    if isinstance(value, int):
        return -EXACT_INTEGER <= value <= EXACT_INTEGER
    return isinstance(value, float) and value - value == 0  # neither infinite nor NaN


def is_count(value: object) -> bool:
    """True for an integer from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT_INTEGER
