"""What a maker calls a quantity, in English or Chinese -> the standard point that is probably meant."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from device_profiles import units
from device_profiles.drafts import words
from device_profiles.vocabulary import Standard, vocabulary

GOOD = 0.6  # share of words that must agree
_CHINESE = {term: meant for meant, terms in words.CHINESE.items() for term in terms.split(", ")}
_TERMS = re.compile("|".join(sorted(map(re.escape, _CHINESE), key=len, reverse=True)))  # longer ones go first
_ENGLISH = {word: meant for meant, others in words.ENGLISH.items() for word in others.split(", ")}
_IDLE = frozenset(words.IDLE.split())
_IDLE_CHINESE = re.compile(words.IDLE_CHINESE)
_SETTING = re.compile(words.SETTINGS)
_CONTRARY = frozenset({"voltage", "current", "frequency"})
_LASTS = re.compile(r"\b\d+\s*(s|sec|min|h)\b\.?")  # over which something is averaged
_MEASURES = {unit: measured for measured, units_ in words.MEASURES.items() for unit in units_.split(", ")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A standard point, and how far the words agree, 0 to 1."""

    point: str
    standard: Standard
    score: float


def best(function: str, name: str, unit: str, *, boolean: bool = False) -> Match | None:
    """The nearest standard point of a function whose unit can be made of the maker's; None where none is near."""
    asked = plain_words(name)
    told = frozenset(_MEASURES.get(unit, "").split())
    if unit:
        asked -= _CONTRARY - told  # `current temperature` is no flow of charge
    measured = asked | told  # `L1` in ampere is the current of L1
    if not asked:
        return None
    found = [
        Match(point=point, standard=standard, score=max(_score(asked, phrases), 0.99 * _score(measured, phrases)))
        for point, standard, phrases in _known(function)
        if _fits(standard, unit, boolean)
    ]
    chosen = max(found, key=lambda match: match.score, default=None)
    return chosen if chosen is not None and chosen.score >= GOOD else None


def is_setting(name: str) -> bool:
    """True for what a maker's table lists besides quantities: bus address, baud rate, calibration …"""
    return _SETTING.search(name.lower()) is not None


def plain_words(text: str) -> frozenset[str]:
    """A maker's words, or a label, as the few English words that every maker's come down to."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", text).lower()
    text = re.sub(r"pm\s*2[._]5", " pm2_5 ", text)
    text = re.sub(r"\(\+\)|\[\+\]", " import ", re.sub(r"\([-–]\)|\[[-–]\]", " export ", text))
    text = _LASTS.sub(" ", text)
    text = re.sub(r"[(\[][^)\]]*\d[^)\]]*[)\]]", " ", text)  # a range, or a note
    text = re.sub(r"\b(phase|line|l)[\s-]*([abc123])\b", lambda found: f" l{'abc123'.index(found[2]) % 3 + 1} ", text)
    text = _TERMS.sub(lambda found: f" {_CHINESE[found[0]]} ", _IDLE_CHINESE.sub(" ", text))
    plain = [word for part in re.split(r"[^a-z0-9_一-鿿]+", text) for word in _ENGLISH.get(part, part).split()]
    return frozenset(word for word in plain if word and word not in _IDLE)


def _score(asked: frozenset[str], phrases: tuple[frozenset[str], ...]) -> float:
    return max(len(asked & phrase) / len(asked | phrase) for phrase in phrases)


@cache
def _known(function: str) -> tuple[tuple[str, Standard, tuple[frozenset[str], ...]], ...]:
    return tuple(
        (point, standard, tuple(each for each in _phrases(point, standard) if each))
        for point, standard in vocabulary().points(function).items()
    )


def _phrases(point: str, standard: Standard) -> Iterator[frozenset[str]]:
    name = point if point.startswith("pm") else point.replace("_", " ")
    yield plain_words(name)
    yield plain_words(standard.labels.en)
    yield plain_words(standard.labels.zh)
    if point == "rain":
        yield frozenset({"rain", "total"})
    if point == "active_power":  # a meter's `power` is the active one
        yield frozenset({"power"})
        yield frozenset({"power", "total"})
        yield frozenset({"active", "power", "total"})
    if point == "energy_total":
        yield frozenset({"energy"})
    if point in ("reactive_power", "apparent_power", "power_factor"):
        yield plain_words(name) | {"total"}
    if point == "energy_import":
        yield frozenset({"import", "active", "energy", "total"})
    if point == "energy_export":
        yield frozenset({"export", "active", "energy", "total"})


def _fits(standard: Standard, unit: str, boolean: bool) -> bool:
    if (standard.kind == "bool") != boolean or standard.kind == "text":
        return False
    if not unit:
        return True
    return standard.kind == "number" and units.factor(unit, standard.unit or "/") is not None
