"""Dawn and dusk, printed for a comparison; and the ends of the earth."""

from edge import sun


def test_print(args):
    for index in range(40):
        day = 20_000 + index * 137
        latitude = (index * 7_919_000_001) % 110_000_000 - 55_000_000
        longitude = (index * 15_485_000_863) % 360_000_000 - 180_000_000
        print("times", day, latitude, longitude, *sun.times(day, latitude, longitude))


def test_polar_night_has_no_day(args):
    dawn, dusk = sun.times(20_808, 69_650_000, 18_960_000)  # 2026-12-21, Tromsø
    assert dawn == dusk


def test_polar_day_has_a_minute_of_night(args):
    dawn, dusk = sun.times(20_625, 69_650_000, 18_960_000)  # 2026-06-21
    assert dusk - dawn == 1439


def test_every_day_of_four_centuries(args):
    last = 0
    for day in range(-200_000, 200_000, 401):
        at = sun._day_of_year(day)
        assert 1 <= at <= 366
        assert abs((at - last) % 365 - 401 % 365) <= 1 or day == -200_000
        last = at
