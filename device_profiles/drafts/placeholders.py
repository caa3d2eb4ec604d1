"""What a draft leaves to its author. `pole profile check` refuses it, and says what to write."""

from collections.abc import Iterator, Mapping

from device_profiles.wording import Fault, Keys

MARK = "FILL IN: "
WHAT = {
    "maker": "who makes the device, as its type plate says",
    "model": "the maker's name of the model, as its type plate says",
    "source": "where the addresses come from: the manual with version and page",
    "verified": "how far this is verified: excerpt, third-party, manual, bench or field",
    "caveat": "what the source leaves open and what goes wrong in practice, or delete caveats",
    "en": "what people read, in English",
    "zh": "what people read, in Chinese (简体中文)",
}
_STAND_IN = {"verified": "excerpt"}  # so that a draft can be tried before all is filled in


def faults(data: Mapping[str, object]) -> list[Fault]:
    """(key path, text) for each text that its author still has to write."""
    return [(keys, f"is not filled in yet. Write {text[len(MARK) :]}.") for keys, text in _marked(data, ())]


def without(data: Mapping[str, object]) -> dict[str, object]:
    """The same data with something that the schema takes in each such place, for a try."""
    return {key: _stood_in(value, str(key)) for key, value in data.items()}


def _marked(value: object, keys: Keys) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str) and value.startswith(MARK):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _marked(inner, (*keys, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _marked(inner, (*keys, index))


def _stood_in(value: object, key: str) -> object:
    if isinstance(value, str) and value.startswith(MARK):
        return _STAND_IN.get(key, "not filled in yet")
    if isinstance(value, Mapping):
        return {name: _stood_in(inner, str(name)) for name, inner in value.items()}
    return [_stood_in(inner, key) for inner in value] if isinstance(value, list) else value
