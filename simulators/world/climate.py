"""What a month is like in Chengdu, on the average; rounded after the normals that docs/world.md names."""

import math
from datetime import datetime

_MONTH_D = 365.25 / 12
# By month, January first.
TEMPERATURE = (5.9, 8.3, 12.6, 17.7, 21.9, 24.8, 26.4, 26.1, 22.6, 17.9, 13.0, 7.6)  # daily mean, degrees Celsius
DAY_RANGE = (6.5, 6.8, 8.0, 9.0, 9.2, 8.0, 7.8, 8.2, 6.6, 6.0, 6.4, 6.3)  # between a day's highest and lowest, K
HUMIDITY = (81.0, 79.0, 77.0, 76.0, 73.0, 79.0, 84.0, 83.0, 84.0, 84.0, 83.0, 82.0)  # %
PRESSURE = (963.0, 961.0, 958.0, 955.0, 952.0, 948.0, 946.0, 949.0, 955.0, 961.0, 963.0, 965.0)  # hPa at some 500 m
CLOUD = (0.85, 0.83, 0.80, 0.77, 0.75, 0.80, 0.72, 0.68, 0.82, 0.87, 0.85, 0.85)  # share of the sky
WIND = (1.0, 1.2, 1.4, 1.4, 1.4, 1.3, 1.3, 1.3, 1.2, 1.1, 1.0, 0.9)  # m/s
PM2_5 = (72.0, 60.0, 50.0, 42.0, 36.0, 26.0, 22.0, 22.0, 26.0, 34.0, 48.0, 68.0)  # ug/m3
OZONE = (35.0, 50.0, 70.0, 85.0, 100.0, 95.0, 100.0, 105.0, 70.0, 45.0, 35.0, 30.0)  # ug/m3, a day's mean


def normal_of(months: tuple[float, ...], local: datetime) -> float:
    """Between the middles of the months, straight."""
    day = local.timetuple().tm_yday + local.hour / 24 + local.minute / 1440 + local.second / 86_400
    place = day / _MONTH_D - 0.5
    before = math.floor(place)
    low, high = months[before % 12], months[(before + 1) % 12]
    return low + (high - low) * (place - before)
