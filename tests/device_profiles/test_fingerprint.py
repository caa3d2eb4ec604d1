"""What answers tell of a device, and what they do not: words IN, verdicts OUT, no bus between."""

import pytest

from device_profiles import fingerprint, loader, registers
from device_profiles.bus_time import Line
from device_profiles.fingerprint import Seen, first, rank, reads, singles
from device_profiles.schema import WORDS

PROFILES = {name: profile for name, profile in loader.profiles().items() if profile.protocol == "modbus"}


def words_of(name: str, **values: float) -> dict[tuple[str, int], int]:
    """The registers of a device that holds these values, and zeros elsewhere."""
    words: dict[tuple[str, int], int] = {}
    for key, point in PROFILES[name].points.items():
        held = registers.words(point.at, values.get(key, 0))
        assert len(held) == WORDS[point.at.type]
        for index, word in enumerate(held):
            place = (point.at.table, point.at.address + index)
            words[place] = words.get(place, 0) | word
    return words


def names(seen: Seen) -> list[str]:
    verdict = rank(PROFILES, seen)
    return [each.profile for each in verdict.candidates[: verdict.ties]]


def test_a_meter_with_plausible_values_is_a_strong_claim():
    seen = Seen(
        words=words_of("sdm120", voltage=231.4, current=2.1, active_power=480, frequency=50.01, power_factor=0.97)
    )
    verdict = rank(PROFILES, seen)
    assert (names(seen), verdict.label) == (["sdm120"], "strong")
    assert "5 with a telling value" in verdict.sentence()


def test_two_registers_never_make_a_strong_claim():
    verdict = rank(PROFILES, Seen(words=words_of("xy-md03", temperature=21.5, humidity=55)))
    assert verdict.candidates[0].profile == "xy-md03"
    assert verdict.label != "strong"


def test_zeros_say_nothing():
    assert rank(PROFILES, Seen(words=words_of("xy-md03"))).label == "weak"


def test_a_device_that_answers_at_any_address_is_told_by_its_values_alone():
    words = words_of("xy-md03", temperature=21.5, humidity=55)
    anything = Seen(words=words | dict.fromkeys(fingerprint.CONTROL, 0))
    assert rank(PROFILES, anything).confidence < rank(PROFILES, Seen(words=words)).confidence
    assert "answers at any address" in rank(PROFILES, anything).sentence()


def test_profiles_on_the_same_registers_tie_and_that_is_told():
    seen = Seen(words=words_of("weather-8in1", wind_speed=4.2, temperature=21.5, humidity=55, pressure=955, noise=55))
    assert names(seen) == ["weather-8in1", "weather-8in1-w01"]
    assert "weather-8in1 or weather-8in1-w01 (" in rank(PROFILES, seen).sentence()
    assert "same registers" in rank(PROFILES, seen).sentence()


def test_a_value_that_cannot_be_rules_a_profile_out_or_is_told():
    words = words_of("sdm120", voltage=231.4, current=2.1, active_power=480, power_factor=0.97, energy_total=120)
    words["input", 70], words["input", 71] = 0x4640, 0xE6B7  # 12345.7 Hz
    assert "frequency cannot be 12345.7 Hz" in rank(PROFILES, Seen(words=words)).sentence()
    assert names(Seen(words=words_of("xy-md03") | {("input", 1): 3000, ("input", 2): 60000})) != ["xy-md03"]


def test_a_refused_first_point_rules_a_profile_out():
    words = words_of("sdm120", voltage=231.4, frequency=50, power_factor=0.97, current=3)
    del words["input", 0]
    assert "sdm120" not in [each.profile for each in rank(PROFILES, Seen(words=words)).candidates]


def test_nothing_that_answers_fits_nothing():
    verdict = rank(PROFILES, Seen())
    assert (verdict.candidates, verdict.ties, verdict.sentence()) == ((), 0, "no profile fits")


def test_the_factory_settings_count_a_little():
    words = words_of("sdm120", voltage=231.4, frequency=50, power_factor=0.97, current=3)
    at_home, elsewhere = (
        rank(PROFILES, Seen(line=Line(baud=baud), words=words)).candidates[0] for baud in (2400, 9600)
    )
    assert at_home.bits == elsewhere.bits + fingerprint.FACTORY
    assert "factory settings" in at_home.reasons
    assert "factory settings" not in elsewhere.reasons


def test_confidences_are_shares_of_one():
    seen = Seen(words=words_of("sdm230", voltage=231.4, frequency=50, power_factor=0.97, current=3))
    assert 0 < sum(each.confidence for each in rank(PROFILES, seen).candidates) <= 1


@pytest.mark.parametrize("name", PROFILES)
def test_every_point_of_a_profile_is_in_its_reads_and_the_first_in_one_of_them(name):
    profile = PROFILES[name]
    places = {place for read in reads(profile) for place in read.places}
    assert set(words_of(name)) <= places
    assert set(first(profile).places) <= places
    alone = {place for read in reads(profile) for single in singles(profile, read) for place in single.places}
    assert set(words_of(name)) <= alone
