"""The lamp on its three interpreters; dawn and dusk beside another author's sun."""

import datetime

from astral import Observer
from astral.sun import sun as astral_sun

EPOCH = datetime.date(1970, 1, 1)


def test_lamp(interpreter):
    assert "ran 10" in interpreter.run("lamp")


def test_sun_agrees_with_another(interpreter):
    output = interpreter.run("sun")
    times = [[int(word) for word in line.split()[1:]] for line in output.splitlines() if line.startswith("times")]
    assert len(times) == 40
    for day, latitude, longitude, *found in times:
        theirs = astral_sun(Observer(latitude / 1e6, longitude / 1e6), EPOCH + datetime.timedelta(days=day))
        for minutes, name in zip(found, ("sunrise", "sunset"), strict=True):
            at = theirs[name]
            difference = (minutes - (at.hour * 60 + at.minute + at.second / 60) + 720) % 1440 - 720
            assert abs(difference) < 4, (day, latitude, longitude, name, difference)
