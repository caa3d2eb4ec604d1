"""Numbers of packs as ascending ranges [first, last]: what a node has not sent yet."""


def add(ranges: list[list[int]], number: int) -> None:
    """A number above all that are there."""
    if ranges and ranges[-1][1] == number - 1:
        ranges[-1][1] = number
    else:
        ranges.append([number, number])


def oldest(ranges: list[list[int]]) -> int:
    """Takes the lowest number out. There must be one."""
    number = ranges[0][0]
    if number == ranges[0][1]:
        del ranges[0]
    else:
        ranges[0][0] += 1
    return number


def remove(ranges: list[list[int]], first: int, last: int) -> list[int]:
    """Takes out what lies between first and last; gives the numbers that were there."""
    gone: list[int] = []
    left: list[list[int]] = []
    for low, high in ranges:
        if high < first or low > last:
            left.append([low, high])
            continue
        gone += range(max(low, first), min(high, last) + 1)
        if low < first:
            left.append([low, first - 1])
        if high > last:
            left.append([last + 1, high])
    ranges[:] = left
    return gone
