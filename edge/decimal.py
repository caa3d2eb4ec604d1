"""Numbers to decimal text by integers alone: a controller's floats have 24 bits, a value has more.

A number is a fraction: two integers, the lower one above 0. The steps are those of a double's arithmetic, so that the
text is the value that device_profiles.registers computes on a gateway.
"""


def rounded(n, d, base, count):
    """n / d -> (q, k, n, d): the nearest q * base**k with `count` digits, half to even, and the same as a fraction.

    base is 10 or 2; with base 2 and 53 digits that is the nearest double.
    """
    m = abs(n)
    k = len(bin(m)) - len(bin(d))
    # right, or low by one, so that q may come out too long and never too short; no double has a step below 2**-1074
    k = max(k - count, -1074) if base == 2 else (k - 1) * 30103 // 100000 + 1 - count
    while True:
        p = base ** abs(k)
        below = d if k < 0 else d * p
        q, rest = divmod(m * p if k < 0 else m, below)
        if q < base**count:
            break
        k += 1
    if 2 * rest + (q & 1) > below:
        q += 1
    if n < 0:
        q = -q
    return (q, k, q, p) if k < 0 else (q, k, q * p, 1)


def double(n, d):
    """The nearest double, as a fraction."""
    return rounded(n, d, 2, 53)[2:]


def unpacked(bits, size):
    """A float32 or float64 (size 4 or 8) by its bits without the sign, or their negative -> (n, d, mantissa)."""
    p, bias = (23, 150) if size == 4 else (52, 1075)
    m = abs(bits)
    e = m >> p
    m &= (1 << p) - 1
    if e:
        m |= 1 << p
        e -= 1
    e += 1 - bias if m else 0
    n = -m if bits < 0 else m
    return (n << e, 1, m) if e > 0 else (n, 1 << -e, m)


def shortest(bits):
    """A float32 -> (q, k, n, d): the fewest digits, 6 to 9, that are less than one step away; n / d as a double."""
    n, d, m = unpacked(bits, 4)
    # below a power of two the steps are half as wide
    narrow = m == 0x800000 and abs(bits) > m
    for count in (6, 7, 8, 9):
        q, k, a, b = rounded(n, d, 10, count)
        a, b = double(a, b)
        if abs(a * d - n * b) * m << narrow < abs(n) * b:
            break
    return q, k, a, b


def text(q, decimals):
    """q counted in 10**-decimals, as JSON. Above 15 digits it has an exponent: no integer that a reader must hold."""
    while q and not q % 10:
        q //= 10
        decimals -= 1
    digits = "%d" % abs(q)
    before = len(digits) - decimals
    if not q:
        return "0"
    if not -5 < before < 16:
        digits += "e%d" % -decimals
    elif decimals > 0:
        digits = "0" * (1 - before) + digits
        digits = digits[:-decimals] + "." + digits[-decimals:]
    else:
        digits += "0" * -decimals
    return "-" + digits if q < 0 else digits
