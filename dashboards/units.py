"""SenML units (RFC 8428, RFC 8798, and what profiles add) -> Grafana's unit ids (@grafana/data, valueFormats)."""

GRAFANA = {
    "": "none",
    "/": "percentunit",
    "%": "percent",
    "%RH": "humidity",
    "%EL": "percent",
    "A": "amp",
    "B": "bytes",
    "Cel": "celsius",
    "Hz": "hertz",
    "J": "joule",
    "K": "kelvin",
    "Pa": "pressurepa",
    "V": "volt",
    "VA": "voltamp",
    "W": "watt",
    "W/m2": "Wm2",
    "Wh": "watth",
    "count": "none",
    "dB": "dB",
    "dBm": "dBm",
    "deg": "degree",
    "hPa": "pressurehpa",
    "kPa": "pressurekpa",
    "kWh": "kwatth",
    "kg": "masskg",
    "lx": "lux",
    "m": "lengthm",
    "m/s": "velocityms",
    "mA": "mamp",
    "mg/m3": "conmgm3",
    "mm": "lengthmm",
    "ms": "ms",
    "ppb": "conppb",
    "ppm": "ppm",
    "s": "s",
    "ug/m3": "conμgm3",
    "var": "voltampreact",
}


def grafana(unit: str) -> str:
    """A unit that Grafana does not know is written behind the number as it is."""
    return GRAFANA.get(unit, f"suffix: {unit}")
