"""A point of plan.bin, and what registers mean by it. device_profiles/compact.py writes the plan.

Nothing is unpacked: points stay bytes, and a raw number is compared as the registers hold it. The ends of its ranges
are in its own type and word order, so that one function reads both.

A point is, a byte each: its length; kind; size, and in how many ranges it is valid (4 bits each); byte and bit in the
answer; where its device's name, its own name and its constants end; then what ends there, the name of the device, its
own, the constants (float64: deadband, and where it is scaled scale and offset), and lowest and highest number of each
range. Of a kind: its type (0 bit, 1 unsigned, 2 signed, 3 float), and what follows.
"""

from edge.decimal import double, rounded, shortest, text, unpacked

_LOW_FIRST = 4
_SCALED = 16


def name(plan, point, start, end):
    return str(plan[point + start : point + end], "ascii")


def raw(buffer, at, kind, size, bit=0):
    """The number as it stands in registers; of a float its bits without the sign, or their negative: in order, too."""
    if not kind & 3:
        return buffer[at] >> bit & 1
    number = 0
    for i in range(0, size, 2):
        i = at + (size - 2 - i if kind & _LOW_FIRST else i)
        number = number << 16 | buffer[i] << 8 | buffer[i + 1]
    if kind & 2 and number >> 8 * size - 1:
        number = (1 << 8 * size - 1) - number if kind & 1 else number - (1 << 8 * size)
    return number


def is_valid(plan, point, number):
    kind = plan[point + 1]
    size = plan[point + 2] & 15
    for at in range(point + plan[point + 7], point + plan[point], 2 * size):
        if raw(plan, at, kind, size) <= number <= raw(plan, at + size, kind, size):
            return True
    return False


def value(plan, point, number):
    """-> (q, k, n, d): q * 10**k, and the same as a fraction, as device_profiles.registers scales it."""
    kind = plan[point + 1]
    size = plan[point + 2] & 15
    if kind & 3 < 3:
        q, k, n, d = number, 0, number, 1
    elif size == 4:
        q, k, n, d = shortest(number)
    else:
        n, d, _ = unpacked(number, 8)
        q, k, _, _ = rounded(n, d, 10, 17)
    if kind & _SCALED:
        if size == 8:
            n, d = double(n, d)
        a, b = constant(plan, point, 8)
        n, d = double(n * a, d * b)
        a, b = constant(plan, point, 16)
        if a:
            n, d = double(n * b + a * d, d * b)
        return rounded(n, d, 10, 15 if size == 8 else 12)
    return q, k, n, d


def constant(plan, point, at):
    """at: 0 deadband, 8 scale, 16 offset -> a fraction."""
    return unpacked(raw(plan, point + plan[point + 6] + at, 3, 8), 8)[:2]


def field(plan, point, code, number=0):
    """SenML's text of a value (code 0), or of why there is none."""
    if code > 255:
        return '"q":"%s"' % ("timeout", "crc", "range")[code - 256]
    if code:
        return '"q":"exception-%d"' % code
    if not plan[point + 1] & 3:
        return '"vb":true' if number else '"vb":false'
    number = value(plan, point, number)
    return '"v":' + text(number[0], -number[1])
