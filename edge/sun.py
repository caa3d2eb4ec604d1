"""Dawn and dusk of a day at a place, to about two minutes: enough for a lamp, and within single-precision floats.

The general solar position equations of NOAA's Global Monitoring Laboratory ("General Solar Position Calculations"): the
fractional year gives the equation of time and the declination, and the hour angle at 90.833 degrees (refraction and the
sun's radius) the rest.
"""

from math import acos, cos, pi, sin, tan

DAY_MS = 86_400_000


def times(day: int, latitude: int, longitude: int) -> tuple[int, int]:
    """(dawn, dusk) in minutes of the UTC day, which may lie outside 0 to 1439.

    day: days since 1970; latitude, longitude: millionths of a degree. Polar night: both at noon; polar day: dusk is
    a minute before the next dawn.
    """
    year = 2 * pi / 365 * (_day_of_year(day) - 1)
    equation = 229.18 * (
        0.000075 + 0.001868 * cos(year) - 0.032077 * sin(year) - 0.014615 * cos(2 * year) - 0.040849 * sin(2 * year)
    )
    declination = (
        0.006918 - 0.399912 * cos(year) + 0.070257 * sin(year) - 0.006758 * cos(2 * year) + 0.000907 * sin(2 * year)
        - 0.002697 * cos(3 * year) + 0.00148 * sin(3 * year)
    )  # fmt: skip
    north = latitude / 1_000_000 * pi / 180
    noon = 720 - 4 * longitude / 1_000_000 - equation
    height = -0.01454 / (cos(north) * cos(declination)) - tan(north) * tan(declination)  # cos(90.833 degrees)
    if height >= 1:
        return round(noon), round(noon)
    half = 719.5 if height <= -1 else 720 / pi * acos(height)
    return round(noon - half), round(noon + half)


def _day_of_year(day: int) -> int:
    # Gregorian calendar by 400, 100, 4 years, from 1 March 0000, which is 719468 days before 1970
    day += 719_468
    day_of_era = day % 146_097
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    from_march = day_of_era - (365 * year + year // 4 - year // 100)
    if from_march >= 306:
        return from_march - 305
    leap = year % 4 == 0 and (year % 100 != 0 or year == 0)
    return from_march + 60 + leap
