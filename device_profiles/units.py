"""Units of measurement: those that SenML registers, and the factor between two of one quantity."""

from fractions import Fraction

# RFC 8428 section 12.1 and RFC 8798 sections 2 and 3. Left out: units that take part in no reading of a pole.
SENML = frozenset({
    "m", "kg", "s", "A", "K", "Hz", "rad", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S", "lm", "lx", "Cel", "m2",
    "m3", "m/s", "m/s2", "m3/s", "W/m2", "cd/m2", "bit", "bit/s", "lat", "lon", "pH", "dB", "dBW", "count", "/", "%",
    "%RH", "%EL", "EL", "1/s", "1/min", "S/m", "B", "VA", "VAs", "var", "vars", "J/m", "kg/m3", "deg", "ms", "min", "h",
    "MHz", "kW", "kVA", "kvar", "Ah", "Wh", "kWh", "varh", "kvarh", "kVAh", "Wh/km", "KiB", "GB", "Mbit/s", "B/s",
    "MB/s", "mV", "mA", "dBm", "ug/m3", "mm/h", "m/h", "ppm", "/100", "/1000", "hPa", "mm", "cm", "km", "km/h",
})  # fmt: skip

# Unit -> (unit of the same quantity, how many of it). With what manuals write, though SenML does not know it.
_IN = {
    "mA": ("A", "1/1000"), "mV": ("V", "1/1000"), "kV": ("V", "1000"), "kW": ("W", "1000"), "mW": ("W", "1/1000"),
    "kVA": ("VA", "1000"), "kvar": ("var", "1000"), "Wh": ("kWh", "1/1000"), "MWh": ("kWh", "1000"),
    "varh": ("kvarh", "1/1000"), "mHz": ("Hz", "1/1000"), "kHz": ("Hz", "1000"), "MHz": ("Hz", "1000000"),
    "mm": ("m", "1/1000"), "cm": ("m", "1/100"), "km": ("m", "1000"), "cm/s": ("m/s", "1/100"),
    "mm/s": ("m/s", "1/1000"), "km/h": ("m/s", "1000/3600"), "m3/h": ("m3/s", "1/3600"), "l/s": ("m3/s", "1/1000"),
    "hPa": ("Pa", "100"), "kPa": ("Pa", "1000"), "MPa": ("Pa", "1000000"), "mbar": ("Pa", "100"),
    "bar": ("Pa", "100000"),
    "mg/m3": ("ug/m3", "1000"), "ng/m3": ("ug/m3", "1/1000"), "g/m3": ("ug/m3", "1000000"),
    "kg/m3": ("ug/m3", "1000000000"), "klx": ("lx", "1000"), "m/h": ("mm/h", "1000"),
    "g": ("m/s2", "980665/100000"),  # of acceleration: nobody weighs anything on a pole
    "ms": ("s", "1/1000"), "min": ("s", "60"), "h": ("s", "3600"), "d": ("s", "86400"), "KiB": ("B", "1024"),
    "MB": ("B", "1000000"), "GB": ("B", "1000000000"), "kbit/s": ("bit/s", "1000"), "Mbit/s": ("bit/s", "1000000"),
    "B/s": ("bit/s", "8"), "MB/s": ("bit/s", "8000000"), "ppb": ("ppm", "1/1000"),
    "/100": ("/", "1/100"), "%": ("/", "1/100"), "%RH": ("/", "1/100"), "%EL": ("/", "1/100"), "EL": ("/", "1"),
    "/1000": ("/", "1/1000"), "°C": ("Cel", "1"), "℃": ("Cel", "1"), "C": ("Cel", "1"), "°": ("deg", "1"),
    "dBA": ("dB", "1"), "dB(A)": ("dB", "1"),
}  # fmt: skip


def factor(old: str, new: str) -> float | None:
    """What a number in `old` is multiplied by to be one in `new`; None where no factor does it, or none is known."""
    (first, above), (second, below) = (_IN.get(_plain(unit), (_plain(unit), "1")) for unit in (old, new))
    return float(Fraction(above) / Fraction(below)) if first == second else None


def _plain(unit: str) -> str:
    return unit.replace("³", "3").replace("²", "2").replace("µ", "u").replace("μ", "u")
